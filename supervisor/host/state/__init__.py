"""What is kept on disk, which supervisor holds it, and the watch on the automations file."""
