"""A command's output on its way from a FIFO into the log."""
