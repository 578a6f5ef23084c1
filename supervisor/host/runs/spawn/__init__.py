"""From a `Spawn` to a process: the command line, the environment, and the shims that start commands."""
