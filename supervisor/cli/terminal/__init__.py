"""What people see: output that may stall, tables, changes and logs as they happen, text made harmless."""
