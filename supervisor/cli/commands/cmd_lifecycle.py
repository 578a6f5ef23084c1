"""`supervisor shutdown` and `supervisor upgrade`: end the running supervisor, or replace its program.

`supervisor self-check` is for programs: a running supervisor starts it from the new program before an upgrade.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import socket
import time
from pathlib import Path

import click

from supervisor import __version__
from supervisor.cli.common_options import output_format
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.discovery import connection
from supervisor.cli.remote.options import print_json, with_client
from supervisor.cli.remote.responses import ConnectionLost, Json
from supervisor.model.errors import SupervisorError
from supervisor.shim.unix_socket import peer_credentials

CHECK_S = 90.0
"""More than the running supervisor gives to the self-check."""
PATIENCE_S = 60.0
_LOOK_S = 0.01


@click.command("shutdown")
@with_client
@click.option("--detach", is_flag=True, help="Leave what runs to the next supervisor instead of stopping it.")
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="When to kill what still runs [default: the supervisor's --drain-grace, 30 s].",
)
def shutdown(client: Client, detach: bool, grace: float | None) -> None:
    """End the running supervisor, and return when it has ended.

    Executions are stopped first, then services; SIGTERM, and SIGKILL after the grace period. A second shutdown with
    less grace speeds up the first. With --detach services and tasks go on; the next "supervisor run" in the workspace
    adopts them.
    """
    with connection(client.socket, 5.0) as held:
        process = _process(held)
        held.settimeout(None)
        try:
            client.control("shutdown", detach=detach, graceSeconds=grace)  # null: as in its settings
            _await_end(process, held)
        finally:
            if process is not None:
                os.close(process)
    click.echo("the supervisor has ended" + ("; what it ran goes on" if detach else ""))


def _process(held: socket.socket) -> int | None:
    """A pidfd of the supervisor's process; None if it cannot be seen, for example from another container."""
    pid, _ = peer_credentials(held)
    try:
        return os.pidfd_open(pid) if pid > 0 else None
    except OSError:
        return None


def _await_end(process: int | None, held: socket.socket) -> None:
    """Wait until the process has ended, or if it cannot be seen, until it has closed our connection."""
    poll = select.poll()
    poll.register(held.fileno() if process is None else process, select.POLLIN)
    poll.poll()


@click.command("upgrade")
@with_client
@output_format
def upgrade(client: Client, format_: str) -> None:
    """Replace the running program with the one that is on the disk now, in the same process.

    Services and tasks go on, the sockets stay open, and requests wait for a moment. The new program is checked first:
    if it cannot take over, the running one goes on and this command exits 1. Returns when the new one serves.

    Only root and the supervisor's own user may do this.
    """
    before = client.status()["instance"]
    done = Client(client.socket, CHECK_S).control("upgrade")
    began = time.monotonic()
    _wait_for_new(client, before, began)
    took_s = time.monotonic() - began
    if format_ == "json":
        print_json({**done, "seconds": round(took_s, 3)})
    else:
        click.echo(f"upgraded from {done['from']} to {done['to']}: not answering for {took_s:.1f} s at most")


def _wait_for_new(client: Client, before: str, began: float) -> Json:
    while True:
        try:
            status = client.status()
        except ConnectionLost:
            status = {"instance": before}  # the old program closed the connection
        if status["instance"] != before:
            return status
        if time.monotonic() - began > PATIENCE_S:
            raise SupervisorError(f"the new program does not serve within {PATIENCE_S:g} s")
        time.sleep(_LOOK_S)


@click.command("self-check", hidden=True)
@click.argument("database", type=click.Path(path_type=Path, exists=True))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def self_check(database: Path, arguments: tuple[str, ...]) -> None:
    """Import what `supervisor ARGUMENTS` needs, parse them, and read a copy of DATABASE. Prints the version as JSON."""
    for name in (
        "supervisor.cli.local.foreground_run",
        "supervisor.api.assembly",
        "supervisor.host.state.file_watch",
    ):
        importlib.import_module(name)
    _parse(arguments)
    from supervisor.core.world import World
    from supervisor.host.state.store import Store

    store = Store.copy_of(database)
    try:
        World(*store.load())
    finally:
        store.close()
    click.echo(json.dumps({"version": __version__}))


def _parse(arguments: tuple[str, ...]) -> None:
    """See that the command line is still understood. Raises ClickException, BadSettings."""
    from supervisor.boot.run_settings import settings_from
    from supervisor.cli.app import app
    from supervisor.host.users import program_files
    from supervisor.host.users.account import account
    from supervisor.settings.initial_spec import read_settings

    name, *rest = arguments
    subcommand = app.get_command(click.Context(app), name)
    if subcommand is None:
        raise click.UsageError(f'there is no command "{name}" any more')
    context = subcommand.make_context(name, rest)
    if name == "run":
        settings = settings_from(read_settings(context.params["arguments"].flags, os.environ))
        if settings.user and os.geteuid() == 0 and account(settings.user).uid != 0:
            program_files.check(settings.user)
