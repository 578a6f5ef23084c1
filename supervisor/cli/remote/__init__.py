"""What the commands that ask a running supervisor share."""
