"""What people see: output that may stall, tables, followed logs, text made harmless."""
