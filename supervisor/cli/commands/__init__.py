"""The subcommands: `cmd_<name>` has the command of that name, and the few that belong to the same idea."""
