"""The command line. On the way to the first command it imports neither click nor a subcommand that is not asked for."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable

from supervisor.lean.typing import TYPE_CHECKING

if TYPE_CHECKING:
    from supervisor.settings.argv import RunArguments


def main() -> int:
    """Run the command line in `sys.argv`. Returns the exit status."""
    _open_standard_files()
    if os.getpid() == 1 and sys.argv[1:2] == ["run"]:
        from supervisor.host.proc.init import watch_over

        return _flush(watch_over(_main))
    return _flush(_main())


def _flush(status: int) -> int:
    """Write what is buffered. Returns the exit status, another one if that fails."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError as error:
        from supervisor.cli.terminal.output import unwritten

        return unwritten(error)
    return status


def _open_standard_files() -> None:
    """Open files 0 to 2 where they are closed, so that the database does not get one of these numbers."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number
            os.set_inheritable(number, True)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 - they live as long as we do
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
    # Bytes of a path that are not UTF-8 are shown as \udcff, as in JSON; standard error does the same.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _main() -> int:
    arguments = sys.argv[1:]
    if "SUPERVISOR_HANDOVER" in os.environ:
        from supervisor.boot.upgrade.carried import unpack

        unpack()
    is_run = arguments[:1] == ["run"]
    if is_run or (arguments[:1] == ["run-task"] and "--standalone" in arguments):
        from supervisor.boot.prestart import start_shim

        # The shim starts on another core while this process still imports what it needs.
        start_shim()
        # There is no garbage yet. `boot/lifecycle` enables the collector again.
        gc.disable()
    from supervisor.cli.terminal.visible import guard_standard_files

    guard_standard_files()
    command = None
    if "_SUPERVISOR_COMPLETE" not in os.environ:  # a shell asks for completions
        command = _run(arguments[1:]) if is_run else _run_standalone(arguments)
    if command is None:
        from supervisor.cli.app import app, guarded

        return guarded(app)
    from supervisor.cli.terminal.output import print_error
    from supervisor.model.errors import SupervisorError

    try:
        return command()
    except SupervisorError as error:
        return print_error(error)


def _run(words: list[str]) -> Callable[[], int] | None:
    """`supervisor run`; None: click shows the error or the help."""
    from supervisor.settings.argv import BadArguments, read_arguments

    try:
        arguments = read_arguments(words)
    except BadArguments:
        return None
    return None if arguments.help else lambda: _run_in_foreground(arguments)


def _run_in_foreground(arguments: RunArguments) -> int:
    from supervisor.cli.local.foreground_run import run

    return run(arguments)


def _run_standalone(arguments: list[str]) -> Callable[[], int] | None:
    """`supervisor run-task --standalone REF [FILE]`, as scripts write it; None: click reads anything else."""
    words = [word for word in arguments[1:] if word != "--standalone"]
    if arguments[:1] != ["run-task"] or len(words) != len(arguments) - 2 or not 1 <= len(words) <= 2:
        return None
    if any(word.startswith("-") or not word for word in words):
        return None
    from pathlib import Path

    from supervisor.cli.local.standalone_task import run_standalone

    reference, *file = words
    return lambda: run_standalone(reference, Path(file[0]) if file else None, workspace=None, as_json=False)
