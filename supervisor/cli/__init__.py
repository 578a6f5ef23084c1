"""The command line. Light on the way to the first command: a subcommand's module is imported when it is asked for."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Run the command line in `sys.argv`. Returns the exit status."""
    _open_standard_files()
    if os.getpid() == 1 and sys.argv[1:2] == ["run"]:
        from supervisor.host.init import watch_over

        return watch_over(_main)
    return _main()


def _open_standard_files() -> None:
    """Whoever starts an entrypoint may give it no files 0 to 2, and then the database would get one of the numbers."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number
            os.set_inheritable(number, True)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 - they live as long as we do
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


def _main() -> int:
    arguments = sys.argv[1:]
    if "SUPERVISOR_HANDOVER" in os.environ:
        from supervisor.host.handover import receive

        receive()
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
    from supervisor.cli.running import run
    from supervisor.cli.saying import say
    from supervisor.model.errors import SupervisorError
    from supervisor.settings import table
    from supervisor.settings.spec import read_settings

    flags = {table.AUTOMATIONS.name: arguments[0]} if arguments else {}
    try:
        return run(read_settings(flags, os.environ))
    except SupervisorError as error:
        return say(error)
