"""Files, git and changes of the workspace, in a process of their own that acts as the user."""
