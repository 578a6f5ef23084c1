"""What an edit of the file changes: compared by reference, decided before anything is touched.

A running service is restarted when what it runs changed (its spec), and left alone when only what people and triggers
know it by did. Items made through the API are not in the file's hands unless the file names their reference.
"""

from __future__ import annotations

from collections.abc import Iterable

from supervisor.model.frozen import dataclass
from supervisor.model.phase import SERVICE_AT_REST, ServicePhase, Want
from supervisor.model.record import Service, Source, Task
from supervisor.model.spec import AutomationsFile, ServiceItem, TaskItem


@dataclass(frozen=True, slots=True)
class Changes:
    """References, each in one list only, except that one which turns from a service into a task, or back, is both
    removed and added. `restarted` services are also updated.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.restarted or self.updated)


def compare(file: AutomationsFile, services: Iterable[Service], tasks: Iterable[Task]) -> Changes:
    """What would happen if `file` were applied now."""
    present: dict[str, Service | Task] = {
        **{service.item.reference: service for service in services if service.want is not Want.GONE},
        **{task.item.reference: task for task in tasks if not task.gone},
    }
    wanted: dict[str, ServiceItem | TaskItem] = {**file.services, **file.tasks}
    lists: dict[str, list[str]] = {
        "added": [],
        "removed": [],
        "restarted": [],
        "updated": [],
        "unchanged": [],
    }
    for reference, item in wanted.items():
        lists[_verdict(present.get(reference), item, present)].append(reference)
    for reference, record in present.items():
        item_now = wanted.get(reference)
        if (item_now is None and record.source is Source.FILE) or _other_kind(record, item_now):
            lists["removed"].append(reference)
    return Changes(**{name: tuple(references) for name, references in lists.items()})


def needs_restart(service: Service, item: ServiceItem) -> bool:
    """Whether a service that runs must be restarted to become `item`."""
    runs = service.phase not in SERVICE_AT_REST and service.phase is not ServicePhase.DELETED
    return runs and service.want is Want.UP and service.ran_spec != item.spec


def _other_kind(record: Service | Task, item: ServiceItem | TaskItem | None) -> bool:
    return item is not None and isinstance(record, Service) is not isinstance(item, ServiceItem)


def _verdict(
    record: Service | Task | None, item: ServiceItem | TaskItem, present: dict[str, Service | Task]
) -> str:
    match record, item:
        case Service(), ServiceItem():
            if needs_restart(record, item):
                return "restarted"
            return "unchanged" if record.item == item else "updated"
        case Task(), TaskItem():
            ids = tuple(present[name].id for name in item.depends_on if name in present)
            return "unchanged" if record.item == item and record.depends_on == ids else "updated"
        case _:
            return "added"
