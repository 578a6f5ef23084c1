"""`supervisor token`: a token for clients that connect by TCP."""

from __future__ import annotations

import re

import click

from supervisor.cli.command_group import Choice
from supervisor.cli.common_options import output_format
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.options import print_json, with_client

_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> int:
    """A whole number with a unit, in seconds: `90s`, `15m`, `8h`, `30d`."""
    found = re.fullmatch(r"([0-9]{1,12})([smhd]?)", text)
    if found is None:
        raise click.BadParameter(f'"{text}" is not a duration: write 90s, 15m, 8h or 30d')
    return int(found[1]) * _UNITS_S[found[2]]


@click.command("token")
@with_client
@click.option(
    "--scope",
    type=Choice(["environment", "logs"]),
    default="environment",
    show_default=True,
    help="environment: everything; logs: reading logs.",
)
@click.option(
    "--ttl", type=seconds, metavar="DURATION", help="How long the token is valid [default: 24h; 1h for logs]."
)
@output_format
def token(client: Client, scope: str, ttl: int | None, format_: str) -> None:
    """Print a token of the running supervisor, for the header "Authorization: Bearer" of clients that use TCP.

    \b
      curl -H "Authorization: Bearer $(supervisor token --scope logs)" "$LOG_URL"
    """
    made = client.control("token", scope=scope, ttlSeconds=ttl)
    if format_ == "json":
        print_json(made)
    else:
        click.echo(made["token"])
