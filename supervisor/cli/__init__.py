"""The command line. Light on the way to the first command: a subcommand's module is imported when it is asked for."""

from __future__ import annotations

import sys

SPAWNING = frozenset({"run", "run-task"})
"""Subcommands that start commands on this machine."""


def main() -> int:
    """Run the command line in `sys.argv`. Returns the exit status."""
    if SPAWNING.intersection(sys.argv[1:2]):
        # The shim starts up on another core while this process still imports what it needs.
        from supervisor.cli.early import start_shim

        start_shim()
    from supervisor.cli.app import app, guarded

    return guarded(app)
