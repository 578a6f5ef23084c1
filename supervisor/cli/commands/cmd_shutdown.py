"""`supervisor shutdown`: end the running supervisor and see it gone."""

from __future__ import annotations

import os
import select
import socket

import click

from supervisor.cli.remote.client import Client
from supervisor.cli.remote.discovery import connection
from supervisor.cli.remote.options import with_client
from supervisor.host.users.peer_credentials import peer_of


@click.command("shutdown")
@with_client
@click.option("--detach", is_flag=True, help="Leave what runs to the next supervisor instead of stopping it.")
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="What has not ended by then is killed. Default: the supervisor's --drain-grace, 30 s.",
)
def command(client: Client, detach: bool, grace: float | None) -> None:
    """End the running supervisor, and return when it has gone.

    Executions are stopped first, then services; SIGTERM, and SIGKILL after the grace period. A second shutdown with
    less grace hurries the first. With --detach services and tasks go on running; the next "supervisor run" in the
    workspace finds them.
    """
    with connection(client.socket, 5.0) as held:
        process = _process(held)
        held.settimeout(None)
        try:
            client.control("shutdown", detach=detach, graceSeconds=grace)  # null: as its settings say
            _await_end(process, held)
        finally:
            if process is not None:
                os.close(process)
    click.echo("the supervisor has ended" + ("; what it ran goes on" if detach else ""))


def _process(held: socket.socket) -> int | None:
    """The supervisor's process as a pidfd; None where it cannot be seen, as from another container."""
    pid, _ = peer_of(held)
    try:
        return os.pidfd_open(pid) if pid > 0 else None
    except OSError:
        return None


def _await_end(process: int | None, held: socket.socket) -> None:
    """Wait until the process has ended; where that cannot be seen, until it has let go of our connection."""
    poll = select.poll()
    poll.register(held.fileno() if process is None else process, select.POLLIN)
    poll.poll()
