"""`supervisor status` and `supervisor activity`: what the supervisor does, and what keeps the environment awake."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from supervisor.cli.common_options import output_format
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.options import print_json, with_client
from supervisor.cli.remote.responses import Json
from supervisor.cli.terminal.tables import duration, local_time, table
from supervisor.cli.terminal.visible import style

_SIGNALS = 5
"""How many signals `activity` lists."""
_MOST_SHOWN = 10
"""How many operations `status` lists."""
_WIDTH = 13


@click.command("status")
@with_client
@output_format
def status(client: Client, format_: str) -> None:
    """Show what the running supervisor is, what it waits for and what has failed.

    Exits 0 if a supervisor is running, 3 if none is.
    """
    answer = client.status()
    if format_ == "json":
        print_json(answer)
    else:
        _print_lines(_status_lines(answer))


@click.command("activity")
@with_client
@output_format
def activity(client: Client, format_: str) -> None:
    """Show what keeps the environment awake, since when, and the last signals to the management plane.

    Activity is: what editors and terminals report, SSH sessions, keep-alives, running tasks, and commands that clients
    have run. Services, open ports, CPU time and changed files do not count.
    """
    answer = client.activity()
    if format_ == "json":
        print_json(answer)
        return
    _print_lines(
        [("awake" if answer["awake"] else "idle", summary(answer)), ("heartbeat", beat(answer["heartbeat"]))]
    )
    if answer["sources"]:
        rows = [(seen["source"], local_time(seen["since"]), seen["detail"]) for seen in answer["sources"]]
        click.echo("\n" + table(["SOURCE", "SINCE", "WHAT"], rows))
    if signals := (answer["heartbeat"] or {}).get("signals", []):  # newest first
        sent = [(local_time(one["at"]), one["source"], one["outcome"], one["why"]) for one in signals]
        click.echo("\n" + table(["SIGNAL", "SOURCE", "OUTCOME", "ABOUT"], sent[:_SIGNALS]))


def _print_lines(lines: Iterable[tuple[str, str]]) -> None:
    """Print a column of names, and beside each its text of one or more lines."""
    for name, text in lines:
        first, *more = text.split("\n")
        click.echo(f"{style(name.ljust(_WIDTH), 'bold')}{first}")
        for line in more:
            click.echo(" " * _WIDTH + line)


def _status_lines(answer: Json) -> Iterator[tuple[str, str]]:
    stopping = ", stopping everything" if answer["draining"] else ""
    up = duration(answer["uptimeSeconds"])
    yield "supervisor", f"{answer['version']}, process {answer['pid']}, up {up}{stopping}"
    yield "environment", answer["environmentId"]
    yield "workspace", answer["workspace"]
    yield "API", ", ".join(filter(None, [answer["url"], answer["socket"]]))
    yield "file", _file(answer["file"])
    yield "services", _counts(answer["services"]) or "none"
    # A supervisor of an older version does not send it.
    yield from _named_once("terminals", map(_terminal, answer.get("terminals", [])))
    running = _counts(answer["executions"])
    yield "tasks", f"{answer['tasks']}" + (f"; executions: {running}" if running else "")
    yield from _named_once("operations", _operations(answer.get("operations", ())))
    active = answer["activity"]
    yield "activity", "; ".join(filter(None, [summary(active), last_signal(active["heartbeat"])]))
    yield from _named_once(
        "trouble", (f"{trouble['why']}, {duration(trouble['seconds'])}" for trouble in answer["troubles"])
    )
    if stalls := answer["loop"]["stalls"]:
        yield "stood still", f"{stalls} times, for {answer['loop']['worstLagSeconds']:.0f} s at most"
    if crashes := answer["crashes"]:
        yield "bugs", f"{len(crashes)} found, the last is in {crashes[-1]}"
    yield from _named_once("waiting for", map(_item, answer["waitingFor"]))
    yield from _named_once("failed", map(_item, answer["failed"]))


def _file(file: Json) -> str:
    awaited = file.get("awaited", False)  # a supervisor of an older version does not send it
    if file["presence"] == "ABSENT" and awaited:
        return 'none, nothing runs until there is one; "supervisor init" writes one'
    if file["presence"] == "ABSENT":
        return 'none, the last valid version stays in effect; "supervisor init" writes one'
    if file["failure"]:
        stays = "nothing runs until it is valid" if awaited else "the last valid version stays in effect"
        return f"{file['path']} is refused, {stays}:\n{file['failure']}"
    return f"{file['path']}\n{file['warning']}".rstrip()


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {phase}" for phase, number in counts.items())


def _terminal(terminal: dict[str, Any]) -> str:
    since = local_time(terminal["createdAt"])
    return f"{terminal['id']} {terminal['shell']} in {terminal['workingDirectory']}, since {since}"


def _operations(running: Sequence[Json]) -> Iterator[str]:
    """The commands that clients have run and that are under way; a supervisor of an older version does not send any."""
    for one in running[:_MOST_SHOWN]:
        stopping = "" if one["phase"] == "live" else ", stopping"
        yield f"{one['id']}, {duration(one['seconds'])}{stopping}"
    if len(running) > _MOST_SHOWN:
        yield f"and {len(running) - _MOST_SHOWN} more"


def _item(item: dict[str, Any]) -> str:
    since = f", {duration(item['seconds'])}" if "seconds" in item else ""
    return f"{item['kind']} {item['reference']}: {item['why']}{since}"


def _named_once(name: str, texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The texts below each other; only the first one has the name beside it."""
    for text in texts:
        yield name, text
        name = ""


def summary(activity: Json) -> str:
    """What keeps the environment awake and since when, or what did so last."""
    if activity["awake"]:
        names = ", ".join(dict.fromkeys(seen["source"] for seen in activity["sources"]))
        return f"{names}, since {local_time(activity['since'])}"
    last = activity["last"]
    before = f"; last was {last['source']} at {local_time(last['at'])}" if last else ""
    return f"nothing is active{before}"


def last_signal(heartbeat: Json | None) -> str:
    """The outcome of the last signal; empty if there was none."""
    if not heartbeat or not heartbeat["signals"]:
        return ""
    sent = heartbeat["signals"][0]
    why = f" ({sent['why']})" if sent["why"] else ""
    return f"last signal at {local_time(sent['at'])} {sent['outcome']}{why}"


def beat(heartbeat: Json | None) -> str:
    """Where the supervisor sends signals, and when it sends the next one."""
    if heartbeat is None:
        return "none: no management plane is configured, so no signals are sent"
    interval = duration(heartbeat["intervalSeconds"]).removesuffix(" 0 s")
    every = f"every {interval} to {heartbeat['url']}"
    match heartbeat["state"]:
        case "sending":
            return f"{every}; a signal is under way"
        case "refused":
            return f"{every}; stopped: {heartbeat['why']}"
        case "waiting":
            tried = "tried again" if heartbeat["failures"] else "next"
            return f"{every}; {tried} at {local_time(heartbeat['due'])}"
        case _:
            return f"{every}; next when something is active"
