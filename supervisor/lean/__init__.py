"""What makes the start quick, and nothing else."""
