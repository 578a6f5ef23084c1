"""`supervisor logs`: the log of a service, a task or an execution, byte by byte.

`service logs` and `task logs` print theirs the same way.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from supervisor.cli.remote import references
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.options import complete_from_supervisor, reference_argument, with_client
from supervisor.cli.terminal.output import write_bytes
from supervisor.model.sysexits import EXIT_INTERRUPTED


def log_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--follow` and `--tail`."""
    follow = click.option(
        "-f", "--follow", is_flag=True, help="Go on until the run has ended and all is printed."
    )
    tail = click.option("--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines.")
    return follow(tail(function))


def print_log(client: Client, path: str, follow: bool, tail: int | None) -> None:
    """Print a log as the supervisor sends it. Raises BrokenPipeError when the reader has gone."""
    with client.log(path, follow, tail) as pieces:
        try:
            for piece in pieces:
                write_bytes(piece)
        except KeyboardInterrupt:
            sys.exit(EXIT_INTERRUPTED)


@click.command("logs")
@with_client
@reference_argument(complete_from_supervisor("services", "tasks"))
@log_options
def logs(client: Client, reference: str, follow: bool, tail: int | None) -> None:
    """Print the log of REF: a service's last run, a task's last execution, or the execution with that id.

    Bytes are printed as they were written, except that values of secrets are masked.

    \b
      supervisor logs web --tail 20 -f
      supervisor logs build > build.log
    """
    print_log(client, references.log_path(client, reference), follow, tail)
