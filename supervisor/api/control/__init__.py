"""What the command line needs and the platform's API has no method for."""
