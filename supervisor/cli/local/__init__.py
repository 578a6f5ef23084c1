"""What runs here: a supervisor in the foreground, and a task in a supervisor of its own."""
