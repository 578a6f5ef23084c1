"""The process that holds commands. Standard library only: it outlives the files that it came from."""
