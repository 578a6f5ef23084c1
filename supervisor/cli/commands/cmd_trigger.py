"""`supervisor trigger` and `supervisor resumed`: start what a trigger starts, because a person or a runner says so."""

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
def trigger(client: Client, name: str, format_: str) -> None:
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


@click.command("resumed")
@with_client
@output_format
def resumed(client: Client, format_: str) -> None:
    """Report to the running supervisor that its machine was resumed: it fires postEnvironmentStart.

    For a runner that pauses a VM from outside, which no clock in the VM shows. When the clocks show a suspend of more
    than 30 s, the supervisor fires by itself. One resume never fires twice.
    """
    answer = client.control("resumed")
    if format_ == "json":
        print_json(answer)
    elif answer["fired"]:
        click.echo("fired postEnvironmentStart")
    else:
        click.echo("nothing fired: this resume is known already", err=True)
