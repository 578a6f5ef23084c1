"""The command line. Light on the way to the first command: a subcommand's module is imported when it is asked for."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Run the command line in `sys.argv`. Returns the exit status."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["run"] or (arguments[:1] == ["run-task"] and "--standalone" in arguments):
        from supervisor.cli.early import start_shim

        # The shim starts up on another core while this process still imports what it needs.
        start_shim()
    if arguments[:1] == ["run"] and _is_plain(arguments[1:]):
        return _run(arguments[1:])
    from supervisor.cli.app import app, guarded

    return guarded(app)


def _is_plain(arguments: list[str]) -> bool:
    """Whether there is nothing to parse: at most a file, and no shell that asks for completions."""
    no_options = not any(argument.startswith("-") or not argument for argument in arguments)
    return len(arguments) <= 1 and no_options and "_SUPERVISOR_COMPLETE" not in os.environ


def _run(arguments: list[str]) -> int:
    """`supervisor run [FILE]`, as an entrypoint says it: without click, whose import takes a third of the start."""
    from pathlib import Path

    from supervisor.cli.running import Run, run
    from supervisor.model.errors import SupervisorError

    try:
        return run(Run(file=Path(arguments[0]) if arguments else None))
    except SupervisorError as error:
        print(f"supervisor: {error}", file=sys.stderr)
        return 1
