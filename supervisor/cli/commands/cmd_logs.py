"""`supervisor logs`: the log of whatever REF names."""

from __future__ import annotations

import click

from supervisor.cli.remote import references
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.log_output import log_options, print_log
from supervisor.cli.remote.options import complete_from_supervisor, reference_argument, with_client


@click.command("logs")
@with_client
@reference_argument(complete_from_supervisor("services", "tasks"))
@log_options
def command(client: Client, reference: str, follow: bool, tail: int | None) -> None:
    """Print the log of REF: a service's last run, a task's last execution, or the execution whose id is given.

    Bytes are printed as they were written, but for values of secrets, which are masked.

    \b
      supervisor logs web --tail 20 -f
      supervisor logs build > build.log
    """
    print_log(client, references.log_path(client, reference), follow, tail)
