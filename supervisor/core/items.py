"""Items: how services and tasks come into being, change and go, by an edit of the file or through the API.

An item belongs to the file or to the API (`Source`). An edit of the file never deletes what the API made; a file that
names the reference of such an item takes it over.
"""

from __future__ import annotations

from supervisor.core import environment as environments
from supervisor.core.diff import compare
from supervisor.core.graph import find_cycle
from supervisor.core.records import Records
from supervisor.model.command import CreateService, CreateTask, UpdateService, UpdateTask
from supervisor.model.errors import AlreadyExists, NotFound, Precondition
from supervisor.model.frozen import replace
from supervisor.model.ids import derived
from supervisor.model.moment import Now
from supervisor.model.phase import SERVICE_AT_REST, Want
from supervisor.model.record import Service, Source, Task
from supervisor.model.spec import AutomationsFile, TaskItem


def service_of(records: Records, service_id: str) -> Service:
    """The service with an id. Raises NotFound."""
    service = records.services.get(service_id)
    if service is None or service.want is Want.GONE:
        raise NotFound(f'cannot find service "{service_id}": there is none with this id')
    return service


def task_of(records: Records, task_id: str) -> Task:
    """The task with an id. Raises NotFound."""
    task = records.tasks.get(task_id)
    if task is None or task.gone:
        raise NotFound(f'cannot find task "{task_id}": there is none with this id')
    return task


# One by one ----------------------------------------------------------------------------------------------------------


def create_service(records: Records, command: CreateService, now: Now) -> None:
    """Make a service of the API's. Raises AlreadyExists."""
    _refuse_second(records, command.item.reference)
    records.put(Service(command.stamp, command.item, Source.API, now.wall_s, since_s=now.wall_s))


def update_service(records: Records, command: UpdateService) -> None:
    """Change a service. Raises NotFound, or Precondition if its spec would change while it is not at rest."""
    service = service_of(records, command.service_id)
    if command.item == service.item:
        return
    if command.item.spec != service.item.spec and service.phase not in SERVICE_AT_REST:
        raise Precondition(
            f'cannot change what service "{service.item.reference}" runs: it is {service.phase.value}; stop it first'
        )
    records.put(replace(service, item=command.item, spec_version=service.spec_version + 1))


def create_task(records: Records, command: CreateTask, now: Now) -> None:
    """Make a task of the API's. Raises AlreadyExists, NotFound for a dependency, Precondition for a cycle."""
    _refuse_second(records, command.item.reference)
    item = _with_dependencies(records, command.stamp, command.item, command.depends_on)
    records.put(Task(command.stamp, item, Source.API, now.wall_s, command.depends_on))


def update_task(records: Records, command: UpdateTask) -> None:
    """Change a task. Raises NotFound for it or a dependency, Precondition for a cycle."""
    task = task_of(records, command.task_id)
    item = _with_dependencies(records, task.id, command.item, command.depends_on)
    if (item, command.depends_on) != (task.item, task.depends_on):
        version = task.spec_version + 1
        records.put(replace(task, item=item, depends_on=command.depends_on, spec_version=version))


def _refuse_second(records: Records, reference: str) -> None:
    if reference in _ids(records):
        raise AlreadyExists(
            f'cannot create "{reference}": there is an item with this reference; choose another one'
        )


def _with_dependencies(records: Records, id_: str, item: TaskItem, depends_on: tuple[str, ...]) -> TaskItem:
    """The item with the references of what it depends on; they exist and lead to no cycle."""
    references = {known: reference for reference, known in _ids(records).items()} | {id_: item.reference}
    for below in depends_on:
        if below not in references:
            raise NotFound(
                f'cannot let task "{item.reference}" depend on "{below}": there is no item with this id'
            )
    edges = {task.id: task.depends_on for task in records.tasks.values() if not task.gone} | {id_: depends_on}
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
    kill_at = now.mono_s if force else service.kill_at
    records.put(replace(service, want=Want.GONE, kill_at=kill_at))


def delete_task(records: Records, task: Task) -> None:
    """Stop a task's executions and forget it. Raises Precondition if another depends on it."""
    dependents = _dependents(records, task.id)
    if dependents:
        raise Precondition(f'cannot delete task "{task.item.reference}": {dependents} depends on it')
    _discard_task(records, task)


def _discard_task(records: Records, task: Task) -> None:
    records.put(replace(task, gone=True))
    for id_ in records.history.get(task.id, ()):
        if id_ in records.live and not records.executions[id_].stop_wanted:
            records.put(replace(records.executions[id_], stop_wanted=True))


def _dependents(records: Records, id_: str) -> str:
    """The first task that depends on `id_`, as the words of a sentence; empty if there is none."""
    names = (
        task.item.reference for task in records.tasks.values() if id_ in task.depends_on and not task.gone
    )
    return next((f'task "{name}"' for name in names), "")


# The file -------------------------------------------------------------------------------------------------------------


def apply_file(records: Records, file: AutomationsFile, stamp: str, now: Now) -> None:
    """Make the items of the file what it says: the environment has seen a good version of it."""
    environment = records.environment
    if environment is not None and (seen := environments.accepted(environment)) is not environment:
        records.put(seen)
    changes = compare(file, records.services.values(), records.tasks.values())
    ids = _ids(records)
    for reference in changes.removed:
        _remove(records, ids.pop(reference))
    for reference in (*file.services, *file.tasks):
        ids.setdefault(reference, derived(stamp, reference))
    for reference in file.services:
        _apply_service(records, file, reference, ids[reference], stamp, now, reference in changes.restarted)
    for reference in file.tasks:
        _apply_task(records, file, reference, ids, now)


def _ids(records: Records) -> dict[str, str]:
    services = {s.item.reference: s.id for s in records.services.values() if s.want is not Want.GONE}
    return services | {task.item.reference: task.id for task in records.tasks.values() if not task.gone}


def _remove(records: Records, id_: str) -> None:
    if (service := records.services.get(id_)) is not None:
        records.put(replace(service, want=Want.GONE))
    else:
        _discard_task(records, records.tasks[id_])


def _apply_service(
    records: Records, file: AutomationsFile, reference: str, id_: str, stamp: str, now: Now, restart: bool
) -> None:
    item = file.services[reference]
    service = records.services.get(id_)
    if service is None:
        records.put(Service(id_, item, Source.FILE, now.wall_s, since_s=now.wall_s))
    elif service.item != item or restart or service.source is not Source.FILE:
        session = derived(stamp, "session", reference) if restart else service.session
        version = service.spec_version + (service.item != item)
        records.put(replace(service, item=item, source=Source.FILE, session=session, spec_version=version))


def _apply_task(
    records: Records, file: AutomationsFile, reference: str, ids: dict[str, str], now: Now
) -> None:
    item = file.tasks[reference]
    depends_on = tuple(ids[name] for name in item.depends_on)
    task = records.tasks.get(ids[reference])
    if task is None:
        records.put(Task(ids[reference], item, Source.FILE, now.wall_s, depends_on))
    elif (task.item, task.depends_on, task.source) != (item, depends_on, Source.FILE):
        version = task.spec_version + 1
        records.put(replace(task, item=item, depends_on=depends_on, source=Source.FILE, spec_version=version))
