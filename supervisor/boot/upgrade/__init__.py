"""The program on the disk takes the place of the running one, in the same process."""
