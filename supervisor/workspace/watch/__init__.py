"""Changes of files and of the git status, as they happen."""
