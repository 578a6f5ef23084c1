"""`supervisor events`: the changes in the running supervisor, as they happen."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator

import click

from supervisor.cli.common_options import output_format
from supervisor.cli.remote import references
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.options import with_client
from supervisor.cli.remote.responses import ConnectionLost, Json, RequestRefused
from supervisor.cli.terminal.tables import COLOURS, phase_of, plain
from supervisor.cli.terminal.visible import style
from supervisor.model.sysexits import EXIT_INTERRUPTED

_WORDS = {"CREATE": "created", "UPDATE": "updated", "DELETE": "deleted", "UPDATE_STATUS": ""}
_KINDS = {"SERVICE": "service", "TASK": "task", "TASK_EXECUTION": "execution", "ENVIRONMENT": "environment"}
_GET = {
    "SERVICE": ("GetService", "service"),
    "TASK": ("GetTask", "task"),
    "TASK_EXECUTION": ("GetTaskExecution", "taskExecution"),
}


_LISTS = (
    ("SERVICE", "ListServices", "services"),
    ("TASK", "ListTasks", "tasks"),
    ("TASK_EXECUTION", "ListTaskExecutions", "taskExecutions"),
)


@click.command("events")
@with_client
@click.option(
    "--recent",
    metavar="N",
    type=click.IntRange(min=1),
    help="Print the last N changes that the supervisor remembers, up to 500, and exit.",
)
@output_format
def events(client: Client, recent: int | None, format_: str) -> None:
    """Print one line for each change from now on, until Ctrl-C.

    With --format json: the events of the API as they come, one JSON object a line. Exits 1 when the supervisor ends.
    After an upgrade of the supervisor, an update of every item stands for what happened meanwhile.
    """
    if recent is not None:
        for change in client.recent()["changes"][-recent:]:
            click.echo(json.dumps(change) if format_ == "json" else _past(change))
        return
    names = _Names(client)
    try:
        for event in _events(client):
            click.echo(json.dumps(event) if format_ == "json" else _line(event, names))
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def _events(client: Client) -> Iterator[Json]:
    begun = False
    while True:
        try:
            with client.watch() as events:
                if begun:
                    yield from _all(client)
                begun = True
                yield from events
        except ConnectionLost:
            client.resume()


def _all(client: Client) -> Iterator[Json]:
    """An event for every item, as the API sends them to a client that has missed some."""
    for kind, method, field in _LISTS:
        for item in client.pages(method, field):
            yield {
                "operation": "RESOURCE_OPERATION_UPDATE_STATUS",
                "resourceType": f"RESOURCE_TYPE_{kind}",
                "resourceId": item["id"],
            }


class _Names:
    """The names of resources, also of those that are deleted by now."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known = {item["id"]: references.name_of(item) for item in references.services(client)}
        self._known |= {item["id"]: references.name_of(item) for item in references.tasks(client)}

    def find(self, kind: str, id_: str) -> tuple[str, str]:
        """Reference and phase. A deleted resource has no phase, and if its reference is not known, its id."""
        if kind not in _GET:
            return "", ""
        method, field = _GET[kind]
        try:
            item: Json = self._client.call(method, id=id_)[field]
        except RequestRefused:
            return self._known.get(id_, id_), ""
        self._known[id_] = self._name(item)
        return self._known[id_], phase_of(item)

    def _name(self, item: Json) -> str:
        metadata = item["metadata"]
        if "reference" in metadata:
            return references.name_of(item)
        return f"{self._known.get(metadata.get('taskId', ''), '')} {item['id']}".lstrip()


def _past(change: Json) -> str:
    before, after = change["before"], change["after"]
    if before == after:
        phases = after
    elif before is None:
        phases = f"created {after}"
    else:
        phases = f"{before} -> {after or 'deleted'}"
    why = f"({change['reason']})" if change["reason"] else ""
    at = time.strftime("%H:%M:%S", time.localtime(change["time"]))
    return plain(" ".join(filter(None, (at, change["kind"], change["reference"], phases, why))))


def _line(event: Json, names: _Names) -> str:
    kind = event["resourceType"].removeprefix("RESOURCE_TYPE_")
    operation = event["operation"].removeprefix("RESOURCE_OPERATION_")
    name, phase = names.find(kind, event["resourceId"])
    shown = style(phase, COLOURS.get(phase)) if phase else ""
    words = (_KINDS.get(kind, kind.lower()), name, _WORDS.get(operation, operation.lower()), shown)
    return " ".join([time.strftime("%H:%M:%S"), *filter(None, words)])
