"""`supervisor resumed`: tell the running supervisor that its machine was resumed."""

from __future__ import annotations

import click

from supervisor.cli.common_options import output_format
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.options import print_json, with_client


@click.command("resumed")
@with_client
@output_format
def command(client: Client, format_: str) -> None:
    """Tell the running supervisor that its machine was resumed: it fires postEnvironmentStart.

    For a runner that pauses a VM from outside, which no clock in the VM shows. A suspend of more than 30 s that the
    clocks do show fires by itself; nothing fires twice for one resume.
    """
    answer = client.control("resumed")
    if format_ == "json":
        print_json(answer)
    elif answer["fired"]:
        click.echo("fired postEnvironmentStart")
    else:
        click.echo("nothing fired: this resume is known already", err=True)
