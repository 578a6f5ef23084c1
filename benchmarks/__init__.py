"""What the supervisor costs, measured beside others on the same machine in the same minutes. Start with `run`."""
