"""The command line. Light on the way to the first command: a subcommand's module is imported when it is asked for."""

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

        return _flushed(watch_over(_main))
    return _flushed(_main())


def _flushed(status: int) -> int:
    """See that all is written; returns the exit status."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError as error:
        from supervisor.cli.terminal.output import unwritten

        return unwritten(error)
    return status


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
    # A path may hold bytes that are no text. Shown as \udcff they are that in JSON, too; standard error does the same.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _main() -> int:
    arguments = sys.argv[1:]
    if "SUPERVISOR_HANDOVER" in os.environ:
        from supervisor.boot.upgrade.carried import unpack

        unpack()
    if arguments[:1] == ["run"] or (arguments[:1] == ["run-task"] and "--standalone" in arguments):
        from supervisor.boot.prestart import start_shim

        # The shim starts up on another core while this process still imports what it needs.
        start_shim()
        # Looking for garbage, of which there is none yet, is a twentieth of the start. `Lifecycle` begins with it.
        gc.disable()
    from supervisor.cli.terminal.visible import guard_standard_files

    guard_standard_files()
    if arguments[:1] == ["run"] and (given := _run_arguments(arguments[1:])):
        return _unparsed(lambda: _run(given))
    words = [argument for argument in arguments[1:] if argument != "--standalone"]
    if (
        arguments[:1] == ["run-task"]
        and len(words) == len(arguments) - 2
        and 1 <= len(words) <= 2
        and not any(word.startswith("-") or not word for word in words)
        and not _completes()
    ):
        return _unparsed(lambda: _run_standalone(words))
    from supervisor.cli.app import app, guarded

    return guarded(app)


def _completes() -> bool:
    """Whether it is a shell that asks, for completions."""
    return "_SUPERVISOR_COMPLETE" in os.environ


def _unparsed(command: Callable[[], int]) -> int:
    """Run a command as an entrypoint or a script says it: without click, whose import takes a third of the start."""
    from supervisor.cli.terminal.output import print_error
    from supervisor.model.errors import SupervisorError

    try:
        return command()
    except SupervisorError as error:
        return print_error(error)


def _run_arguments(words: list[str]) -> RunArguments | None:
    """The arguments of `supervisor run`; None: click has to show something, an error, the help or completions."""
    if _completes():
        return None
    from supervisor.settings.argv import BadArguments, read_arguments

    try:
        given = read_arguments(words)
    except BadArguments:
        return None
    return None if given.help else given


def _run(arguments: RunArguments) -> int:
    """`supervisor run`."""
    from supervisor.cli.local.foreground_run import run

    return run(arguments)


def _run_standalone(words: list[str]) -> int:
    """`supervisor run-task --standalone REF [FILE]`."""
    from pathlib import Path

    from supervisor.cli.local.standalone_task import run_standalone

    reference, *file = words
    return run_standalone(reference, Path(file[0]) if file else None, workspace=None, as_json=False)
