"""`supervisor operations`: the commands that clients have run, those under way and those whose result is kept."""

from __future__ import annotations

import time

import click

from supervisor.cli.common_options import output_format
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.log_request import seconds_of
from supervisor.cli.remote.options import print_json, with_client
from supervisor.cli.remote.responses import Json
from supervisor.cli.terminal.tables import duration, local_time, size, table


@click.command("operations")
@with_client
@output_format
def operations(client: Client, format_: str) -> None:
    """List the commands that clients have run in the environment: those under way, and those whose result is kept.

    "supervisor exec --id ID -- COMMAND" prints the result of one. SIZE is what it has printed; END is how it ended, or
    what it does. Results are kept for 7 days, at most 1000 and 1 GiB.
    """
    listed = client.operations()
    if format_ == "json":
        print_json(listed)
    elif not listed:
        click.echo("no command runs, and no result of one is kept")
    else:
        click.echo(table(("ID", "BEGAN", "TOOK", "SIZE", "END", "COMMAND"), map(_row, listed)))


def _row(one: Json) -> tuple[str, ...]:
    began, ended = one["createdAt"], one["endedAt"]
    took_s = (seconds_of(ended) if ended else time.time()) - seconds_of(began)
    printed = size(one["stdoutBytes"] + one["stderrBytes"])
    return one["id"], local_time(began), duration(max(0.0, took_s)), printed, _end(one), one["command"]


def _end(one: Json) -> str:
    if one["state"] != "ended":
        return str(one["state"])
    return {"limit": "over its limit", "cancel": "cancelled"}.get(one["why"]) or str(one["end"])
