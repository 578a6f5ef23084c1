"""`supervisor logs`: the logs of services, tasks and executions.

`service logs` and `task logs` print theirs in the same way.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from supervisor.cli.command_group import Choice
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.log_request import KINDS, LogRequest, Moment, Pattern
from supervisor.cli.remote.options import complete_from_supervisor, reference_argument, with_client
from supervisor.cli.remote.responses import ConnectionLost
from supervisor.model.sysexits import EXIT_INTERRUPTED

_kind = click.option(
    "--kind",
    "kinds",
    type=Choice(KINDS),
    multiple=True,
    help="What this command of the service printed; may be given more than once [default: start].",
)
_OPTIONS = (
    click.option("-f", "--follow", is_flag=True, help="Go on with what comes."),
    click.option(
        "--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines of each item."
    ),
    click.option(
        "--since",
        "since_s",
        type=Moment(),
        metavar="TIME",
        help="Only lines from then on, of all runs: 5m (so long ago), 1h30m, or 2026-11-30T22:27:03Z.",
    ),
    click.option("--until", "until_s", type=Moment(), metavar="TIME", help="Only lines before that time."),
    click.option("-t", "--timestamps", is_flag=True, help="Print each line's time, in local time."),
    click.option("--utc", is_flag=True, help="Print times in UTC; implies --timestamps."),
    click.option(
        "--grep", type=Pattern(), metavar="REGEX", help="Only lines that this regular expression matches."
    ),
    click.option("--previous", is_flag=True, help="The run before the last one."),
    click.option(
        "--run",
        metavar="ID",
        help='This run, by its id, the beginning of it, or its number: "supervisor runs".',
    ),
)


def log_options(function: Callable[..., Any], *more: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which lines to print, and how."""
    for option in reversed((*_OPTIONS, *more)):
        function = option(function)
    return function


def service_log_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Those, and `--kind`."""
    return log_options(function, _kind)


def print_logs(client: Client, names: Sequence[str], **options: Any) -> None:
    """Print logs as the options say. Raises click.UsageError where they contradict each other."""
    request = LogRequest(**{"kinds": ()} | options | {"timestamps": options["timestamps"] or options["utc"]})
    if request.follow and request.until_s is not None:
        raise click.UsageError("--until ends the output, and --follow goes on: use one of them")
    if request.previous and request.run is not None:
        raise click.UsageError("--previous and --run name one run each: use one of them")
    # Not at the top: help and wrong usage do not wait for these imports.
    from supervisor.cli.remote.log_session import LogSession

    try:
        LogSession(client, request, names).print()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except ConnectionLost:
        if names:
            raise
        click.echo("supervisor: the supervisor has ended", err=True)


@click.command("logs")
@with_client
@reference_argument(complete_from_supervisor("services", "tasks"), many=True, required=False)
@service_log_options
def logs(client: Client, references: tuple[str, ...], **options: Any) -> None:
    """Print logs: of REF, of several, or without REF of all services and tasks.

    REF is a service or a task, or the id of an execution. Of a service the last run is printed, of a task the last
    execution; with --since or --until, all runs in that time. One REF is printed byte by byte, except that values of
    secrets are masked. Otherwise each line has its item's name before it, and lines are in the order of their times.

    With --follow, output of later runs is printed too: a line says that one began. Without REF that goes on until the
    supervisor ends; otherwise until everything named has come to rest. A task alone is followed to the end of its
    execution. On a terminal, colours are shown and what could take over the terminal is not; NO_COLOR removes both.

    \b
      supervisor logs -f --since 10m
      supervisor logs web db -t --tail 20
      supervisor logs build > build.log
      supervisor logs web --previous --grep 'error|warning'
    """
    print_logs(client, references, **options)
