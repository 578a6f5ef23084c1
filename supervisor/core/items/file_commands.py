"""Carries out a version of the file, or an upsert of many items through the API.

An item belongs to the file or to the API (`Source`); `diff` says what that means.
"""

from __future__ import annotations

from supervisor.core import environment_record as environments
from supervisor.core import queries
from supervisor.core.items.diff import Changes, changed_items, digests, edit, items, upsert
from supervisor.core.records import Records
from supervisor.lean.frozen import replace
from supervisor.model.command import UpsertFile
from supervisor.model.ids import ItemId, ServiceId, TaskId, derived, item_id
from supervisor.model.moment import Now
from supervisor.model.phase import Want
from supervisor.model.record import Service, Source, Task
from supervisor.model.spec import AutomationsFile, ServiceItem, TaskItem


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
        discard_task(records, records.tasks[TaskId(id_)])


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


def discard_task(records: Records, task: Task) -> None:
    """Stop a task's executions, and forget it after them."""
    records.put(replace(task, gone=True))
    for id_ in records.history.get(task.id, ()):
        if id_ in records.live and not records.executions[id_].stop_wanted:
            records.put(replace(records.executions[id_], stop_wanted=True))
