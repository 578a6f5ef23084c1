"""What an edit of the file, or an upsert through the API, changes: by reference, decided before any record changes.

An item belongs to the file or to the API. Edits bring the file's items, upserts and calls those of the API.

| the item | an edit of the file | an upsert |
|---|---|---|
| is new | added, to the file | added, to the API |
| exists | changed if its text differs from the last accepted version; then the file's | changed; keeps its owner |
| is no longer named | removed, if it is the file's | stays; an upsert that replaces removes the API's items |

So a change of the API to an item of the file stays until the file changes that item, or until the next start, which
runs what its file says. A running service is restarted when its spec changed, and left alone when only its name,
description, role or triggers did. Source: contract/api.md, "Semantics worth writing down".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from supervisor.core import queries
from supervisor.core.records import Records
from supervisor.lean.digest import sha1
from supervisor.lean.frozen import dataclass
from supervisor.model.errors import AlreadyExists
from supervisor.model.phase import Want
from supervisor.model.record import Environment, Service, Source, Task
from supervisor.model.spec import AutomationsFile, ServiceItem, TaskItem

Item = ServiceItem | TaskItem
_Present = dict[str, Service | Task]


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

    @property
    def touched(self) -> tuple[str, ...]:
        """The items that are new afterwards, or changed."""
        return (*self.added, *self.restarted, *self.updated)


def edit(file: AutomationsFile, records: Records) -> Changes:
    """What would happen if `file` were the next version of the automations file."""
    present, wanted = queries.items(records), items(file)
    new = changed_items(file, records.environment)
    verdicts = {name: _verdict(present.get(name), wanted[name], present) for name in new}
    removed = [
        name
        for name, record in present.items()
        if (name not in wanted and record.source is Source.FILE)
        or (name in new and _other_kind(record, wanted[name]))
    ]
    _add_dependencies(verdicts, wanted, {name for name in present if name not in removed})
    for name, record in present.items():
        if name in wanted and name not in verdicts:
            verdicts[name] = "updated" if _depends_on_added(record, wanted[name], verdicts) else "unchanged"
    return _changes(verdicts, wanted, removed)


def upsert(file: AutomationsFile, records: Records, replace: bool = False) -> Changes:
    """What would happen if the items of `file` were added or changed; `replace`: and the API's others removed.

    Raises AlreadyExists if a service has the reference of a task, or a task that of a service.
    """
    present, wanted = queries.items(records), items(file)
    for name, item in wanted.items():
        if name in present and _other_kind(present[name], item):
            kinds = ("service", "task") if isinstance(item, ServiceItem) else ("task", "service")
            raise AlreadyExists(
                f'cannot make {kinds[0]} "{name}": there is a {kinds[1]} with this reference; choose another one'
            )
    verdicts = {name: _verdict(present.get(name), item, present) for name, item in wanted.items()}
    others = [name for name, record in present.items() if name not in wanted and record.source is Source.API]
    return _changes(verdicts, wanted, others if replace else ())


def items(file: AutomationsFile) -> dict[str, Item]:
    """`{reference: item}` of both kinds."""
    return {**file.services, **file.tasks}


def digests(file: AutomationsFile) -> dict[str, str]:
    """`{reference: digest of its content}`: comments and layout do not count."""
    return {
        name: sha1(repr(item).encode("utf-8", "surrogatepass")).hex()[:16]
        for name, item in items(file).items()
    }


def changed_items(file: AutomationsFile, environment: Environment | None) -> set[str]:
    """The items that the last accepted version did not have, or not with this content; all, if there was none."""
    before = {} if environment is None or environment.file_awaited else environment.file_items
    return {name for name, text in digests(file).items() if before.get(name) != text}


def _changes(verdicts: Mapping[str, str], wanted: Iterable[str], removed: Iterable[str]) -> Changes:
    """In the order of the file."""
    lists: dict[str, list[str]] = {
        "added": [],
        "removed": list(removed),
        "restarted": [],
        "updated": [],
        "unchanged": [],
    }
    for name in wanted:
        if name in verdicts:
            lists[verdicts[name]].append(name)
    return Changes(**{name: tuple(references) for name, references in lists.items()})


def _add_dependencies(verdicts: dict[str, str], wanted: Mapping[str, Item], there: set[str]) -> None:
    """An item that the API deleted comes back if a changed task depends on it."""
    below = list(verdicts)
    while below:
        item = wanted[below.pop()]
        if isinstance(item, TaskItem):
            for name in item.depends_on:
                if name not in there and name not in verdicts:
                    verdicts[name] = "added"
                    below.append(name)


def _depends_on_added(record: Service | Task, item: Item, verdicts: Mapping[str, str]) -> bool:
    """Whether a task is as the file says, but one of its dependencies is a new item."""
    return (
        isinstance(item, TaskItem)
        and record.item == item
        and any(verdicts.get(name) == "added" for name in item.depends_on)
    )


def needs_restart(service: Service, item: ServiceItem) -> bool:
    """Whether a service that runs must be restarted to become `item`."""
    session = service.live_session
    return session is not None and service.want is Want.UP and session.spec != item.spec


def _other_kind(record: Service | Task, item: Item) -> bool:
    return isinstance(record, Service) is not isinstance(item, ServiceItem)


def _verdict(record: Service | Task | None, item: Item, present: _Present) -> str:
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
