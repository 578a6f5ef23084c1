"""`supervisor upgrade`: the program on the disk takes the place of the running one, and what runs goes on."""

from __future__ import annotations

import time

import click

from supervisor.cli.common_options import output_format
from supervisor.cli.remote.client import Client, Json, WentAway
from supervisor.cli.remote.options import print_json, with_client
from supervisor.model.errors import SupervisorError

CHECK_S = 90.0
"""More than the running supervisor gives the self-check."""
PATIENCE_S = 60.0
_LOOK_S = 0.01


@click.command("upgrade")
@with_client
@output_format
def command(client: Client, format_: str) -> None:
    """Put the program that is on the disk now in the place of the running one, in the same process.

    Services and tasks go on, the sockets stay open, and requests wait for a moment. The new program is checked first:
    if it could not take over, the running one goes on and this exits 1. Returns when the new one serves.

    Only root and the supervisor's own user may do this.
    """
    before = client.status()["instance"]
    done = Client(client.socket, CHECK_S).control("upgrade")
    began = time.monotonic()
    _await_another(client, before, began)
    took_s = time.monotonic() - began
    if format_ == "json":
        print_json({**done, "seconds": round(took_s, 3)})
    else:
        click.echo(f"upgraded from {done['from']} to {done['to']}: not answering for {took_s:.1f} s at most")


def _await_another(client: Client, before: str, began: float) -> Json:
    while True:
        try:
            status = client.status()
        except WentAway:
            status = {"instance": before}  # the old one broke off
        if status["instance"] != before:
            return status
        if time.monotonic() - began > PATIENCE_S:
            raise SupervisorError(f"the new program does not serve within {PATIENCE_S:g} s")
        time.sleep(_LOOK_S)
