"""One run from wish to end."""
