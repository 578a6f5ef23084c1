"""What Linux knows of processes, and what this one is to it."""
