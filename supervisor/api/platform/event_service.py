"""gitpod.v1.EventService: changes as they happen.

An event names a resource and what was done to it; a client then gets the resource. A client that reads too slowly gets
an update of everything that exists in place of the events that it missed, so that it looks again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import replace
from typing import Any, cast

from connect_server.calls import Call
from connect_server.codecs import Shared
from platform_wire import event_pb2 as pb
from platform_wire.event_handler import EventServiceHandler
from supervisor.api.platform.from_wire import invalid
from supervisor.core import queries
from supervisor.engine import Engine
from supervisor.hub import Change, ChangeEvent, Resync
from supervisor.model.ids import EnvironmentId
from supervisor.model.operation_record import Operation
from supervisor.model.record import Environment, Execution, Record, Service, Task, TaskRun

CREATE, UPDATE = pb.RESOURCE_OPERATION_CREATE, pb.RESOURCE_OPERATION_UPDATE
DELETE, UPDATE_STATUS = pb.RESOURCE_OPERATION_DELETE, pb.RESOURCE_OPERATION_UPDATE_STATUS

_RECENT = 64
"""So many changes are told to all who watch by the same messages; who is later than that gets messages of their own."""


class EventService(EventServiceHandler):
    """The service's one method."""

    def __init__(self, engine: Engine, environment_id: str) -> None:
        """Serve the changes that `engine` publishes."""
        self._engine = engine
        self._environment_id = environment_id
        self._recent: dict[int, tuple[Change, list[Shared]]] = {}
        """{id of a change: the change and its events}, the last ones"""

    async def watch_events(
        self, request: pb.WatchEventsRequest, _call: Call
    ) -> AsyncIterator[pb.WatchEventsResponse]:
        """Every event from now on, until the client leaves."""
        wanted = self._wanted(request)
        changed = ChangeEvent()
        subscription = self._engine.hub.subscribe(changed)
        try:
            while True:
                for change in subscription.take():
                    for event in self._known(change):
                        if wanted(event.message):
                            # It stands for the message, encoded once for all who watch.
                            yield cast(pb.WatchEventsResponse, event)
                await changed.wait()
        finally:
            self._engine.hub.unsubscribe(subscription)

    def _wanted(self, request: pb.WatchEventsRequest) -> Any:
        """A predicate for events. Raises NotFound for another environment, ConnectError for no scope."""
        match request.WhichOneof("scope"):
            case "environment_id":
                queries.environment(
                    self._engine.world.records, EnvironmentId(request.environment_id)
                )  # raises NotFound
                types = None
            case "organization" if request.organization:
                types = {pb.RESOURCE_TYPE_ENVIRONMENT}
            case _:
                raise invalid("scope", "must be environmentId, or organization set to true")
        # The environment itself made everything: it is the creator that `to_wire` names.
        filters: dict[int, list[frozenset[str]]] = {}
        for one in request.resource_type_filters:
            if not one.creator_ids or self._environment_id in one.creator_ids:
                filters.setdefault(one.resource_type, []).append(frozenset(one.resource_ids))
        filtered = bool(request.resource_type_filters)

        def wanted(event: pb.WatchEventsResponse) -> bool:
            if types is not None and event.resource_type not in types:
                return False
            passing = filters.get(event.resource_type, ())
            return not filtered or any(not ids or event.resource_id in ids for ids in passing)

        return wanted

    def _known(self, change: Change | Resync) -> Iterable[Shared]:
        """The events of a change, made once for all who watch and keep up."""
        if not isinstance(change, Change):
            return map(Shared, self._events(change))
        known = self._recent.get(id(change))
        if known is None:
            if len(self._recent) >= _RECENT:
                del self._recent[next(iter(self._recent))]
            # The change is kept beside them, so that its id stays its own.
            known = self._recent[id(change)] = change, [Shared(event) for event in self._events(change)]
        return known[1]

    def _events(self, change: Change | Resync) -> Iterator[pb.WatchEventsResponse]:
        if isinstance(change, Change):
            operation, kind = operation_of(change), type_of(change.record)
            if operation is not None and kind is not None:
                yield pb.WatchEventsResponse(
                    operation=operation, resource_type=kind, resource_id=change.record.id
                )
            if operation is not None and isinstance(change.record, Execution):
                # The executions that follow this one are shown as it stands, and so change with it.
                for id_ in list(self._engine.world.records.leaders.heirs(change.record.id)):
                    yield pb.WatchEventsResponse(operation=UPDATE_STATUS, resource_type=kind, resource_id=id_)
            return
        for record in queries.everything(self._engine.world.records):
            if (kind := type_of(record)) is not None:
                yield pb.WatchEventsResponse(
                    operation=UPDATE_STATUS, resource_type=kind, resource_id=record.id
                )


def type_of(record: Record) -> pb.ResourceType | None:
    """The wire's type of a record; None for one that clients do not see."""
    match record:
        case Environment():
            return pb.RESOURCE_TYPE_ENVIRONMENT
        case Service():
            return pb.RESOURCE_TYPE_SERVICE
        case Task():
            return pb.RESOURCE_TYPE_TASK
        case Execution():
            return pb.RESOURCE_TYPE_TASK_EXECUTION
        case TaskRun() | Operation():
            return None


def operation_of(change: Change) -> pb.ResourceOperation | None:
    """What was done; None if clients cannot see it, as when a deadline moved."""
    before, after = change.before, change.after
    if after is None:
        return DELETE
    if before is None:
        return CREATE
    if _visible(before) == _visible(after):
        return None
    return UPDATE if _wish(before) != _wish(after) else UPDATE_STATUS


def _wish(record: Record) -> object:
    """The part of a record that is not status: what somebody asked for."""
    match record:
        case Service():
            return record.item, record.want, record.session
        case Task():
            return record.item, record.depends_on
        case Execution():
            return record.stop_wanted
        case Environment():
            return record.name, record.spec
        case TaskRun() | Operation():
            return None


def _visible(record: Record) -> object:
    """The part of a record that clients can see."""
    match record:
        case Service():
            status = (
                record.phase,
                record.reason,
                record.ran_session,
                record.log_run,
                tuple(record.output.items()),
            )
            return _wish(record), status
        case Execution():
            return replace(record, revision=0)
        case Task():
            # A task has no status: that it is to go shows once it is gone.
            return replace(record, revision=0, gone=False)
        case Environment():
            return replace(record, revision=0)
        case TaskRun() | Operation():
            return None
