"""`supervisor keep-alive`: keeps the environment awake while a process lives."""

from __future__ import annotations

import os
import signal

import click

from supervisor.cli.remote.client import Client
from supervisor.cli.remote.options import with_client
from supervisor.host.proc.process import find
from supervisor.model.errors import SupervisorError
from supervisor.model.sysexits import EXIT_NOT_FOUND, EXIT_NOT_STARTED


@click.command("keep-alive", context_settings={"allow_interspersed_args": False})
@with_client
@click.option("--pid", type=int, metavar="N", help="Stay awake while this process lives, and return at once.")
@click.option("--while", "run", is_flag=True, help="Run COMMAND, and stay awake while it lives.")
@click.option(
    "--source",
    metavar="TEXT",
    help='What the activity is called, 3 to 80 characters [default: "Keep-alive"].',
)
@click.argument("command_", metavar="[COMMAND...]", nargs=-1, type=click.UNPROCESSED)
def keep_alive(
    client: Client, pid: int | None, run: bool, source: str | None, command_: tuple[str, ...]
) -> None:
    """Keep the environment awake while a process lives, one that runs already or COMMAND.

    COMMAND replaces this process, so its output, exit code and signals are its own.

    \b
      supervisor keep-alive --pid 4711 --source "Nightly build"
      supervisor keep-alive --while make -j4 all
    """
    if run == (pid is not None):
        raise click.UsageError("say which process: --pid N, or --while COMMAND")
    if run != bool(command_):
        raise click.UsageError("--while takes a COMMAND, and --pid takes none")
    process = find(os.getpid() if pid is None else pid)
    client.control(
        "keep-alive",
        pid=os.getpid() if pid is None else pid,
        startTicks=process.start_ticks if process is not None else None,
        source=source,
    )
    if run:
        _become(command_)


def _become(words: tuple[str, ...]) -> None:
    """Execute another program. The process stays the same, so the keep-alive goes on."""
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these two
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvp(words[0], words)
    except OSError as error:
        status = EXIT_NOT_FOUND if isinstance(error, FileNotFoundError) else EXIT_NOT_STARTED
        click.echo(f'supervisor: cannot run "{words[0]}": {(error.strerror or str(error)).lower()}', err=True)
        raise SystemExit(status) from None
    except ValueError as error:
        raise SupervisorError(f'cannot run "{words[0]}": {error}') from None
