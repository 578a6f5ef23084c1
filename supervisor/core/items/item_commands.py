"""Creates, changes and removes services and tasks, for an edit of the file or a call of the API.

An item belongs to the file or to the API (`Source`); `diff` says what that means.
"""

from __future__ import annotations

from supervisor.core import environment_record as environments
from supervisor.core import queries
from supervisor.core.items.diff import Changes, changed_items, digests, edit, items, upsert
from supervisor.core.plans.graph import find_cycle
from supervisor.core.records import Records
from supervisor.core.state_machines import service as services
from supervisor.lean.frozen import replace
from supervisor.model.command import CreateService, CreateTask, UpdateService, UpdateTask, UpsertFile
from supervisor.model.errors import AlreadyExists, NotFound, Precondition
from supervisor.model.ids import ItemId, ServiceId, TaskId, derived, item_id
from supervisor.model.moment import Now
from supervisor.model.phase import Want
from supervisor.model.record import Service, Source, Task
from supervisor.model.spec import AutomationsFile, ServiceItem, TaskItem

# One by one ----------------------------------------------------------------------------------------------------------


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
    _discard_task(records, task)


def _discard_task(records: Records, task: Task) -> None:
    records.put(replace(task, gone=True))
    for id_ in records.history.get(task.id, ()):
        if id_ in records.live and not records.executions[id_].stop_wanted:
            records.put(replace(records.executions[id_], stop_wanted=True))


def _dependents(records: Records, id_: ItemId) -> str:
    """The first task that depends on `id_`, as part of a message; empty if there is none."""
    dependents = (task for task in queries.present_tasks(records) if id_ in task.depends_on)
    return next((f'task "{task.item.reference}"' for task in dependents), "")


# The file -------------------------------------------------------------------------------------------------------------


def apply_file(records: Records, file: AutomationsFile, stamp: str, now: Now) -> None:
    """Carry out a version of the automations file."""
    environment = records.environment
    changes = edit(file, records)
    names = {*changes.touched, *changed_items(file, records.environment)}
    _apply(records, file, changes, names, Source.FILE, stamp, now)
    if environment is not None:
        seen = environments.accepted(environment, digests(file))
        if seen is not environment:
            records.put(seen)


def upsert_file(records: Records, command: UpsertFile, now: Now) -> None:
    """Add and change items for the API. Raises AlreadyExists."""
    changes = upsert(command.file, records, command.replace)
    _apply(records, command.file, changes, {*changes.touched}, None, command.stamp, now)


def _apply(
    records: Records,
    file: AutomationsFile,
    changes: Changes,
    names: set[str],
    source: Source | None,
    stamp: str,
    now: Now,
) -> None:
    """Change the items with these names to what the file says, and remove those that `changes` removes.

    `source`: the owner that they get; None: they keep their owner, and new ones are the API's.
    """
    ids: dict[str, ItemId] = {reference: item.id for reference, item in queries.items(records).items()}
    for name in changes.removed:
        _remove(records, ids.pop(name))
    for name in items(file):
        if name in names:
            ids.setdefault(name, item_id(derived(stamp, name)))
    restarted = () if records.draining else changes.restarted
    for name, service in file.services.items():
        if name in names:
            session = derived(stamp, "session", name) if name in restarted else None
            _apply_service(records, service, ServiceId(ids[name]), session, source, now)
    for name, task in file.tasks.items():
        if name in names:
            depends_on = tuple(ids[below] for below in task.depends_on)
            _apply_task(records, task, TaskId(ids[name]), depends_on, source, now)


def _remove(records: Records, id_: ItemId) -> None:
    if (service := records.services.get(ServiceId(id_))) is not None:
        records.put(replace(service, want=Want.GONE))
    else:
        _discard_task(records, records.tasks[TaskId(id_)])


def _apply_service(
    records: Records, item: ServiceItem, id_: ServiceId, session: str | None, source: Source | None, now: Now
) -> None:
    """`session`: of the restart, if there is one."""
    service = records.services.get(id_)
    if service is None:
        records.put(Service(id_, item, source or Source.API, now.wall_s, since_s=now.wall_s))
        return
    changed = replace(
        service,
        item=item,
        source=source or service.source,
        session=session or service.session,
        spec_version=service.spec_version + (service.item != item),
    )
    if changed != service:
        records.put(changed)


def _apply_task(
    records: Records,
    item: TaskItem,
    id_: TaskId,
    depends_on: tuple[ItemId, ...],
    source: Source | None,
    now: Now,
) -> None:
    task = records.tasks.get(id_)
    if task is None:
        records.put(Task(id_, item, source or Source.API, now.wall_s, depends_on))
        return
    changed = replace(task, item=item, depends_on=depends_on, source=source or task.source)
    if changed != task:
        records.put(replace(changed, spec_version=task.spec_version + 1))
