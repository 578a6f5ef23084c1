"""Finds the service, task or execution that a person means, by its reference (as in the file) or by its id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NoReturn

from supervisor.cli.command_group import did_you_mean
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.responses import Json, RequestRefused
from supervisor.model.errors import NotFound

INSTEAD_OF_TASK = (
    '"supervisor service" starts, stops and follows it, for example "supervisor service start {}"'
)
INSTEAD_OF_SERVICE = '"supervisor run-task {}" runs it, and "supervisor task" does the rest'
LIVE = ("TASK_EXECUTION_PHASE_PENDING", "TASK_EXECUTION_PHASE_RUNNING")


def services(client: Client) -> list[Json]:
    """All services, in the order of the file."""
    return client.pages("ListServices", "services")[::-1]


def tasks(client: Client) -> list[Json]:
    """All tasks, in the order of the file."""
    return client.pages("ListTasks", "tasks")[::-1]


def executions(client: Client, task: Json, phases: Sequence[str] = ()) -> list[Json]:
    """A task's executions, newest first."""
    wanted = {"taskIds": [task["id"]], "phases": list(phases)}
    return client.pages("ListTaskExecutions", "taskExecutions", filter=wanted)


def latest(client: Client, task: Json) -> Json | None:
    """A task's newest execution; None if it never ran."""
    answer = client.call("ListTaskExecutions", filter={"taskIds": [task["id"]]}, pagination={"pageSize": 1})
    found: list[Json] = answer.get("taskExecutions", [])
    return found[0] if found else None


def service(client: Client, reference: str) -> Json:
    """The service that `reference` means. Raises NotFound."""
    found = find(known := services(client), reference)
    if found is None and find(tasks(client), reference) is not None:
        raise NotFound(f'"{reference}" is a task, not a service; {INSTEAD_OF_SERVICE.format(reference)}')
    return found or _no(known, reference, "service")


def task(client: Client, reference: str) -> Json:
    """The task that `reference` means. Raises NotFound."""
    found = find(known := tasks(client), reference)
    if found is None and find(services(client), reference) is not None:
        raise NotFound(f'"{reference}" is a service, not a task; {INSTEAD_OF_TASK.format(reference)}')
    return found or _no(known, reference, "task")


def execution(client: Client, id_: str) -> Json | None:
    """The execution with this id; None if there is none, or if this is not an id."""
    try:
        found: Json = client.call("GetTaskExecution", id=id_).get("taskExecution", {})
    except RequestRefused as error:
        if error.code in ("not_found", "invalid_argument"):
            return None
        raise
    return found


def execution_log_path(client: Client, task: Json) -> str:
    """The path of the log of a task's last run, in its own execution or as a step of another one.

    Raises NotFound if it never ran.
    """
    if (step := client.steps().get(task["id"])) is not None:
        return f"executions/{step['executionId']}/steps/{step['stepId']}"
    newest = latest(client, task)
    if newest is None:
        name = name_of(task)
        raise NotFound(f'task "{name}" has no log: it never ran; "supervisor task start {name}" starts it')
    return f"executions/{newest['id']}"


def name_of(item: Json) -> str:
    """An item's reference."""
    reference: str = item["metadata"]["reference"]
    return reference


def _no(items: Sequence[Json], reference: str, kind: str) -> NoReturn:
    raise unknown(items, reference, kind)


def find(items: Iterable[Json], reference: str) -> Json | None:
    """The item with this reference, or else with this id. A reference may look like an id."""
    items = list(items)
    by_reference = (item for item in items if name_of(item) == reference)
    by_id = (item for item in items if item["id"] == reference.lower())
    return next(by_reference, None) or next(by_id, None)


def unknown(items: Iterable[Json], reference: str, kind: str) -> NotFound:
    """The error for a name that nothing has, with the nearest of those that there are."""
    names = sorted(map(name_of, items))
    hint = did_you_mean(reference, names) or f"there are {', '.join(names) or 'none'}"
    return NotFound(f'there is no {kind} "{reference}"; {hint}')
