"""`supervisor trigger`: fire a trigger in the running supervisor."""

from __future__ import annotations

import click

from supervisor.cli.command_group import Choice
from supervisor.cli.common_options import output_format
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.options import print_json, with_client
from supervisor.model.spec import Trigger

_NAMES = [trigger.value for trigger in Trigger if trigger is not Trigger.MANUAL]


@click.command("trigger")
@with_client
@click.argument("name", metavar="TRIGGER", type=Choice(_NAMES))
@output_format
def command(client: Client, name: str, format_: str) -> None:
    """Start every service and task that TRIGGER starts.

    TRIGGER is postMachineStart, postDevcontainerStart, postEnvironmentStart, prebuild or beforeSnapshot.

    Prints a line for each: kind, reference, and the id of the execution. Services that run already are left alone.
    """
    started = client.control("trigger", name=name)
    if format_ == "json":
        print_json(started)
        return
    for service in started["services"]:
        click.echo(f"service {service['reference']}")
    for execution in started["executions"]:
        click.echo(f"task {execution['reference']} {execution['id']}")
    if not started["services"] and not started["executions"]:
        click.echo(f"nothing was started by {name}", err=True)
