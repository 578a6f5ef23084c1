"""Creates, changes and removes single services and tasks, for calls of the API.

Imported with the first such call, or in the background: no start waits for it.
"""

from __future__ import annotations

from supervisor.core import queries
from supervisor.core.items.file_commands import discard_task
from supervisor.core.plans.graph import find_cycle
from supervisor.core.records import Records
from supervisor.core.state_machines import service as services
from supervisor.lean.frozen import replace
from supervisor.model.command import CreateService, CreateTask, UpdateService, UpdateTask
from supervisor.model.errors import AlreadyExists, NotFound, Precondition
from supervisor.model.ids import ItemId, ServiceId, TaskId
from supervisor.model.moment import Now
from supervisor.model.phase import Want
from supervisor.model.record import Service, Source, Task
from supervisor.model.spec import TaskItem


def create_service(records: Records, command: CreateService, now: Now) -> None:
    """Create a service of the API. Raises AlreadyExists."""
    _refuse_second(records, command.item.reference)
    want = Want.UP if command.session else Want.DOWN
    made = Service(
        ServiceId(command.stamp),
        command.item,
        Source.API,
        now.wall_s,
        want,
        command.session,
        since_s=now.wall_s,
    )
    records.put(made)


def update_service(records: Records, command: UpdateService) -> None:
    """Change a service. Raises NotFound, or Precondition if its spec would change while it is not at rest."""
    service = queries.present_service(records, command.service_id)
    if command.item == service.item:
        return
    if command.item.spec != service.item.spec and not service.at_rest:
        raise Precondition(
            f'cannot change what service "{service.item.reference}" runs: it is {service.phase.value}; stop it first'
        )
    records.put(replace(service, item=command.item, spec_version=service.spec_version + 1))


def create_task(records: Records, command: CreateTask, now: Now) -> None:
    """Create a task of the API. Raises AlreadyExists, NotFound for a dependency, Precondition for a cycle."""
    _refuse_second(records, command.item.reference)
    item = _with_dependencies(records, TaskId(command.stamp), command.item, command.depends_on)
    records.put(Task(TaskId(command.stamp), item, Source.API, now.wall_s, command.depends_on))


def update_task(records: Records, command: UpdateTask) -> None:
    """Change a task. Raises NotFound for it or a dependency, Precondition for a cycle."""
    task = queries.present_task(records, command.task_id)
    item = _with_dependencies(records, task.id, command.item, command.depends_on)
    if (item, command.depends_on) != (task.item, task.depends_on):
        version = task.spec_version + 1
        records.put(replace(task, item=item, depends_on=command.depends_on, spec_version=version))


def _refuse_second(records: Records, reference: str) -> None:
    if reference in queries.items(records):
        raise AlreadyExists(
            f'cannot create "{reference}": there is an item with this reference; choose another one'
        )


def _with_dependencies(
    records: Records, id_: TaskId, item: TaskItem, depends_on: tuple[ItemId, ...]
) -> TaskItem:
    """The item with the references of its dependencies. Raises NotFound for one, Precondition for a cycle."""
    references: dict[ItemId, str] = {
        known.id: reference for reference, known in queries.items(records).items()
    }
    references[id_] = item.reference
    for below in depends_on:
        if below not in references:
            raise NotFound(
                f'cannot let task "{item.reference}" depend on "{below}": there is no item with this id'
            )
    edges: dict[ItemId, tuple[ItemId, ...]] = {}
    edges.update((task.id, task.depends_on) for task in queries.present_tasks(records))
    edges[id_] = depends_on
    cycle = find_cycle(edges)
    if cycle:
        path = " -> ".join(references[node] for node in cycle)
        raise Precondition(f'cannot let task "{item.reference}" depend on that: it would be a cycle, {path}')
    return replace(item, depends_on=tuple(references[below] for below in depends_on))


def delete_service(records: Records, service: Service, force: bool, now: Now) -> None:
    """Stop a service and forget it. Raises Precondition if a task depends on it."""
    dependents = _dependents(records, service.id)
    if dependents:
        raise Precondition(f'cannot delete service "{service.item.reference}": {dependents} depends on it')
    if force:
        records.apply(service, *services.end_by(service, Want.GONE, now.mono_s, now))
    else:
        records.put(replace(service, want=Want.GONE))


def delete_task(records: Records, task: Task) -> None:
    """Stop a task's executions and forget it. Raises Precondition if another depends on it."""
    dependents = _dependents(records, task.id)
    if dependents:
        raise Precondition(f'cannot delete task "{task.item.reference}": {dependents} depends on it')
    discard_task(records, task)


def _dependents(records: Records, id_: ItemId) -> str:
    """The first task that depends on `id_`, as part of a message; empty if there is none."""
    dependents = (task for task in queries.present_tasks(records) if id_ in task.depends_on)
    return next((f'task "{task.item.reference}"' for task in dependents), "")
