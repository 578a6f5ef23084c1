"""`supervisor service`: the services of the running supervisor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from supervisor.cli.command_group import Group
from supervisor.cli.commands.cmd_logs import print_logs, service_log_options
from supervisor.cli.common_options import output_format
from supervisor.cli.remote import references
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.options import (
    complete_from_supervisor,
    print_json,
    reference_argument,
    with_client,
)
from supervisor.cli.remote.responses import Json
from supervisor.cli.remote.wait import service_at_rest, service_settled
from supervisor.cli.terminal.tables import phase_of, table

_complete = complete_from_supervisor("services")
_waits = click.option("--wait", is_flag=True, help="Return only when that is done.")


@click.group("service", cls=Group)
def service() -> None:
    """List, start, stop, restart and delete services of the running supervisor, and read their logs.

    REF is a service's reference, as in the automations file, or its id. It is not an error to start a service that runs
    or to stop one that is stopped. Exits 0 if it was done, 1 if not, 2 if the command line is wrong, 3 if no supervisor
    runs.
    """


@service.command("list")
@with_client
@output_format
def list_(client: Client, format_: str) -> None:
    """List all services with their phases."""
    services = references.services(client)
    if format_ == "json":
        print_json(services)
    elif not services:
        click.echo("there are no services")
    else:
        rows = [
            (references.name_of(item), phase_of(item), _triggers(item), _about(item)) for item in services
        ]
        click.echo(table(("SERVICE", "PHASE", "STARTED BY", "ABOUT"), rows))


@service.command("start")
@with_client
@reference_argument(_complete, many=True)
@_waits
def start(client: Client, references: tuple[str, ...], wait: bool) -> int:
    """Start services that do not run. With --wait: until they are ready, or have failed (exit status 1)."""
    return _each(client, references, wait, lambda id_: client.call("StartService", id=id_), _until_up)


@service.command("stop")
@with_client
@reference_argument(_complete, many=True)
@_waits
def stop(client: Client, references: tuple[str, ...], wait: bool) -> int:
    """Stop services. With --wait: until none of their processes lives."""
    return _each(client, references, wait, lambda id_: client.call("StopService", id=id_), _until_down)


@service.command("restart")
@with_client
@reference_argument(_complete, many=True)
@_waits
def restart(client: Client, references: tuple[str, ...], wait: bool) -> int:
    """Stop services that run and start them again. With --wait: until they are ready, or fail (exit status 1)."""
    return _each(client, references, wait, lambda id_: client.control("restart", id=id_), _until_up)


@service.command("delete")
@with_client
@reference_argument(_complete, many=True)
@click.option("--force", is_flag=True, help="Kill it at once instead of stopping it first.")
@_waits
def delete(client: Client, references: tuple[str, ...], force: bool, wait: bool) -> int:
    """Stop services and delete them. One that the automations file has comes back when the file is read again."""

    def act(id_: str) -> Json:
        return client.call("DeleteService", id=id_, force=force)

    return _each(client, references, wait, act, _until_down)


@service.command("logs")
@with_client
@reference_argument(_complete)
@service_log_options
def logs(client: Client, reference: str, **options: Any) -> None:
    """Print the log of a service, as "supervisor logs" does: of its last run, or of those that the options name."""
    references.service(client, reference)
    print_logs(client, [reference], **options)


def _each(
    client: Client,
    names: tuple[str, ...],
    wait: bool,
    act: Callable[[str], Json],
    arrived: Callable[[Client, str, str], bool],
) -> int:
    """Do something to all services, then wait for each. If one is unknown, nothing happens to any."""
    ids = [references.service(client, name)["id"] for name in names]
    for id_ in ids:
        act(id_)
    if not wait:
        return 0
    return 0 if all([arrived(client, id_, name) for id_, name in zip(ids, names, strict=True)]) else 1


def _until_up(client: Client, id_: str, name: str) -> bool:
    service = service_settled(client, id_)
    phase = phase_of(service)
    if phase == "failed":
        click.echo(f'supervisor: service "{name}" has failed: {_about(service)}', err=True)
    elif phase == "stopped":
        click.echo(f'supervisor: service "{name}" has stopped already', err=True)
    return phase != "failed"


def _until_down(client: Client, id_: str, name: str) -> bool:
    service = service_at_rest(client, id_)
    if service is not None and phase_of(service) == "failed":
        click.echo(f'supervisor: service "{name}" has ended as failed: {_about(service)}', err=True)
    return True


def _triggers(item: Json) -> str:
    names = (name for trigger in item["metadata"].get("triggeredBy", []) for name in trigger)
    return ", ".join(names) or "hand"


def _about(item: Json) -> str:
    """Why the service has failed, or its name."""
    failure: str = item["status"].get("failureMessage", "")
    name: str = item["metadata"].get("name", "")
    return failure.partition("\n")[0] or name
