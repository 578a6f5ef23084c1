"""`supervisor status`: the running supervisor at a glance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from supervisor.cli.common_options import output_format
from supervisor.cli.remote.activity_text import last_signal, summary
from supervisor.cli.remote.client import Client, Json
from supervisor.cli.remote.options import print_json, with_client
from supervisor.cli.terminal.tables import duration
from supervisor.cli.terminal.visible import style

_WIDTH = 13


@click.command("status")
@with_client
@output_format
def command(client: Client, format_: str) -> None:
    """Show what the running supervisor is, what it waits for and what has failed.

    Exits 0 if a supervisor is running, 3 if none is.
    """
    status = client.status()
    if format_ == "json":
        print_json(status)
        return
    for name, text in _lines(status):
        first, *more = text.split("\n")
        click.echo(f"{style(name.ljust(_WIDTH), 'bold')}{first}")
        for line in more:
            click.echo(" " * _WIDTH + line)


def _lines(status: Json) -> Iterator[tuple[str, str]]:
    stopping = ", stopping everything" if status["draining"] else ""
    up = duration(status["uptimeSeconds"])
    yield "supervisor", f"{status['version']}, process {status['pid']}, up {up}{stopping}"
    yield "environment", status["environmentId"]
    yield "workspace", status["workspace"]
    yield "API", ", ".join(filter(None, [status["url"], status["socket"]]))
    yield "file", _file(status["file"])
    yield "services", _counts(status["services"]) or "none"
    running = _counts(status["executions"])
    yield "tasks", f"{status['tasks']}" + (f"; executions: {running}" if running else "")
    activity = status["activity"]
    yield "activity", "; ".join(filter(None, [summary(activity), last_signal(activity["heartbeat"])]))
    name = "trouble"
    for trouble in status["troubles"]:
        yield name, f"{trouble['why']}, {duration(trouble['seconds'])}"
        name = ""
    if stalls := status["loop"]["stalls"]:
        yield "stood still", f"{stalls} times, for {status['loop']['worstLagSeconds']:.0f} s at most"
    if crashes := status["crashes"]:
        yield "bugs", f"{len(crashes)} met, the last is in {crashes[-1]}"
    yield from _rows("waiting for", status["waitingFor"])
    yield from _rows("failed", status["failed"])


def _file(file: Json) -> str:
    awaited = file.get("awaited", False)  # a supervisor of an older version does not tell
    if file["presence"] == "ABSENT" and awaited:
        return 'none, nothing runs until there is one; "supervisor init" writes one'
    if file["presence"] == "ABSENT":
        return 'none, what the last good one said stays; "supervisor init" writes one'
    if file["failure"]:
        stays = "nothing runs until it is right" if awaited else "what the last good one said stays"
        return f"{file['path']} is refused, {stays}:\n{file['failure']}"
    return f"{file['path']}\n{file['warning']}".rstrip()


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {phase}" for phase, number in counts.items())


def _rows(name: str, items: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for item in items:
        since = f", {duration(item['seconds'])}" if "seconds" in item else ""
        yield name, f"{item['kind']} {item['reference']}: {item['why']}{since}"
        name = ""
