"""The repository that holds the workspace, by the git command line."""
