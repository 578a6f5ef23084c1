"""Which runs the logs of some items are: the last one of each, an earlier one, or those of some time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from supervisor.cli.remote import references
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.log_request import LogRequest
from supervisor.cli.remote.responses import Json
from supervisor.model.errors import NotFound
from supervisor.model.timestamp import rfc3339

TASK = "task"
"""The kind of a task's runs; those of a service are `log_request.KINDS`."""
_LAST_WORDS_S = 10.0
"""So long after its end a run may still have printed something."""
_SHORTEST_ID = 4
"""Of the beginning of a run's id that stands for it."""


class RunChoice:
    """Chooses runs, of those that are kept and of those that begin later."""

    def __init__(self, request: LogRequest, items: Collection[str] | None) -> None:
        """`items`: the ids of the services and tasks; None: all."""
        self._request = request
        self.items = items
        self._kinds = request.kinds or ("start", TASK)

    def wants(self, run: Json) -> bool:
        """Whether it is of the right item and kind."""
        return (self.items is None or run["itemId"] in self.items) and (
            run["kind"] in self._kinds or self._request.run is not None
        )

    def past(self, listed: Iterable[Json]) -> list[Json]:
        """The runs to print of those that are kept, of each item listed newest first. Returns them oldest first."""
        wanted = [run for run in listed if self.wants(run)]
        if self._request.run is not None:
            return _named(wanted, self._request.run)
        if self._request.in_time:
            return sorted(filter(self._is_in_time, reversed(wanted)), key=began)
        by_item: dict[tuple[str, str], list[Json]] = {}
        for run in wanted:
            by_item.setdefault((run["itemId"], run["kind"]), []).append(run)
        number = int(self._request.previous)
        chosen = [runs[number] for runs in by_item.values() if len(runs) > number]
        return sorted(chosen, key=began)

    def _is_in_time(self, run: Json) -> bool:
        since_s, until_s = self._request.since_s, self._request.until_s
        if since_s is not None and run["endedAt"] and run["endedAt"] < rfc3339(since_s - _LAST_WORDS_S):
            return False
        return until_s is None or not run["startedAt"] or bool(run["startedAt"] <= rfc3339(until_s))


def began(run: Json) -> str:
    """When a run began, for sorting. One that is about to begin comes last."""
    return run["startedAt"] or "9"


def number_of(run: Json) -> str:
    """The number of a service's run; of a task's, nothing."""
    _, dot, number = run["id"].rpartition(".")
    return number if dot else ""


def items_named(client: Client, names: Iterable[str]) -> tuple[dict[str, Json], list[Json]]:
    """`{id: item}` of services and tasks, and the executions, that references and ids mean. Raises NotFound."""
    known: Mapping[str, Json] = {
        item["id"]: item for item in (*references.services(client), *references.tasks(client))
    }
    items: dict[str, Json] = {}
    executions: list[Json] = []
    for name in names:
        if (found := references.find(known.values(), name)) is not None:
            items[found["id"]] = found
        elif (execution := references.execution(client, name)) is not None:
            executions.append(execution)
        else:
            raise references.unknown(known.values(), name, "service, task or execution")
    return items, executions


def _named(runs: list[Json], id_: str) -> list[Json]:
    """The run with an id, a number, or the beginning of an id. Raises NotFound."""
    exact = [run for run in runs if id_ in (run["id"], number_of(run))]
    found = exact or [run for run in runs if len(id_) >= _SHORTEST_ID and run["id"].startswith(id_)]
    if not found:
        raise NotFound(
            f'there is no run "{id_}", or it is not kept any more; "supervisor runs REF" lists those that are'
        )
    if len(found) > 1:
        raise NotFound(
            f'"{id_}" may be one of {len(found)} runs; write more of the id, or name the service or task'
        )
    return found
