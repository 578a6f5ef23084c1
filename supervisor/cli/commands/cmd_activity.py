"""`supervisor activity`: what keeps the environment awake, and what the management plane was told."""

from __future__ import annotations

import click

from supervisor.cli.common_options import output_format
from supervisor.cli.remote.activity_text import beat, last, summary
from supervisor.cli.remote.client import Client, Json
from supervisor.cli.remote.options import print_json, with_client
from supervisor.cli.terminal.tables import local_time, table
from supervisor.cli.terminal.visible import style

_SIGNALS = 5
_WIDTH = 13


@click.command("activity")
@with_client
@output_format
def command(client: Client, format_: str) -> None:
    """Show what keeps the environment awake, since when, and the last signals to the management plane.

    Activity is what editors and terminals report, SSH sessions, keep-alives and tasks that run. Services, ports, CPU
    time and changed files are none.
    """
    activity = client.activity()
    if format_ == "json":
        print_json(activity)
        return
    _line(
        "awake" if activity["awake"] else "idle", summary(activity) if activity["awake"] else last(activity)
    )
    _line("heartbeat", beat(activity["heartbeat"]))
    if activity["sources"]:
        rows = [(seen["source"], local_time(seen["since"]), seen["detail"]) for seen in activity["sources"]]
        click.echo("\n" + table(["SOURCE", "SINCE", "WHAT"], rows))
    _signals((activity["heartbeat"] or {}).get("signals", []))


def _line(name: str, text: str) -> None:
    click.echo(f"{style(name.ljust(_WIDTH), 'bold')}{text}")


def _signals(signals: list[Json]) -> None:
    """The newest first."""
    if not signals:
        return
    rows = [
        (local_time(sent["at"]), sent["source"], sent["outcome"], sent["why"]) for sent in signals[:_SIGNALS]
    ]
    click.echo("\n" + table(["SIGNAL", "SOURCE", "OUTCOME", "ABOUT"], rows))
