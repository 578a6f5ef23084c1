"""`supervisor runs`: the runs of a service or a task that are kept, each with its end and the size of its log."""

from __future__ import annotations

import click

from supervisor.cli.common_options import output_format
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.log_request import seconds_of
from supervisor.cli.remote.options import (
    complete_from_supervisor,
    print_json,
    reference_argument,
    with_client,
)
from supervisor.cli.remote.responses import Json
from supervisor.cli.remote.run_choice import items_named
from supervisor.cli.terminal.tables import duration, local_time, size, table
from supervisor.model.errors import NotFound


@click.command("runs")
@with_client
@reference_argument(complete_from_supervisor("services", "tasks"))
@output_format
def runs(client: Client, reference: str, format_: str) -> None:
    """List the runs of REF, a service or a task, that are kept, newest first.

    "supervisor logs REF --run ID" prints the log of one. KIND is the command: start, ready or stop of a service, or
    task. SIZE is what was written; of a long log the beginning may be gone.
    """
    items, executions = items_named(client, [reference])
    if executions:
        raise NotFound(f'"{reference}" is an execution: name its task')
    listed = client.runs(next(iter(items)))
    if format_ == "json":
        print_json(listed)
    elif not listed:
        click.echo(f"{reference} has not run yet")
    else:
        click.echo(table(("RUN", "KIND", "BEGAN", "TOOK", "SIZE", "END"), map(_row, listed)))


def _row(run: Json) -> tuple[str, ...]:
    began, ended = run["startedAt"], run["endedAt"]
    took = duration(max(0.0, seconds_of(ended) - seconds_of(began))) if began and ended else ""
    return run["id"], run["kind"], local_time(began or ""), took, size(run["sizeBytes"]), run["end"] or "runs"
