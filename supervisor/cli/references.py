"""Which service, task or execution a person means: by its reference, as the file has it, or by its id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from supervisor.cli.client import Client, Json, Refused
from supervisor.config.suggest import Suggester
from supervisor.model.errors import NotFound

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
    """The service that is meant. Raises NotFound."""
    return _pick(services(client), reference, "service")


def task(client: Client, reference: str) -> Json:
    """The task that is meant. Raises NotFound."""
    return _pick(tasks(client), reference, "task")


def execution(client: Client, id_: str) -> Json | None:
    """The execution of an id; None if there is none, or if this is no id at all."""
    try:
        found: Json = client.call("GetTaskExecution", id=id_).get("taskExecution", {})
    except Refused as error:
        if error.code in ("not_found", "invalid_argument"):
            return None
        raise
    return found


def log_path(client: Client, reference: str) -> str:
    """Where the log of what is meant is: a service's, that of a task's newest execution, or of an execution's id.

    Raises NotFound.
    """
    known_services, known_tasks = services(client), tasks(client)
    if (found := _find(known_services, reference)) is not None:
        return f"services/{found['id']}"
    if (found := _find(known_tasks, reference)) is not None:
        return execution_log_path(client, found)
    if execution(client, reference) is not None:
        return f"executions/{reference}"
    raise _unknown([*known_services, *known_tasks], reference, "service, task or execution")


def execution_log_path(client: Client, task: Json) -> str:
    """Where the log of a task's newest execution is. Raises NotFound if it never ran."""
    newest = latest(client, task)
    if newest is None:
        name = name_of(task)
        raise NotFound(f'task "{name}" has no log: it never ran; "supervisor task start {name}" starts it')
    return f"executions/{newest['id']}"


def name_of(item: Json) -> str:
    """An item's reference."""
    reference: str = item["metadata"]["reference"]
    return reference


def _pick(items: Sequence[Json], reference: str, kind: str) -> Json:
    found = _find(items, reference)
    if found is None:
        raise _unknown(items, reference, kind)
    return found


def _find(items: Iterable[Json], reference: str) -> Json | None:
    """The item of a reference; if none has it, the item of the id. A reference may look like an id."""
    items = list(items)
    by_reference = (item for item in items if name_of(item) == reference)
    by_id = (item for item in items if item["id"] == reference.lower())
    return next(by_reference, None) or next(by_id, None)


def _unknown(items: Iterable[Json], reference: str, kind: str) -> NotFound:
    names = sorted(map(name_of, items))
    hint = Suggester().did_you_mean(reference, names) or f"there are {', '.join(names) or 'none'}"
    return NotFound(f'there is no {kind} "{reference}"; {hint}')
