"""What is kept on disk, and who holds it."""
