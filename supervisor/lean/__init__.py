"""What makes the start quick, and nothing else: see README.md."""
