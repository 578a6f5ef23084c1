"""What a change of a record is to those who watch."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import anyio

from connect_server.calls import Call
from connect_server.codecs import JSONCodec, Shared
from platform_wire import event_pb2 as pb
from supervisor.api.platform.event_service import (
    _RECENT,
    CREATE,
    DELETE,
    UPDATE,
    UPDATE_STATUS,
    EventService,
    operation_of,
)
from supervisor.core.world import World
from supervisor.engine import Engine
from supervisor.hub import Change, Hub
from supervisor.model.command import ApplyFile, FireTrigger
from supervisor.model.exit import SUCCESS
from supervisor.model.fact import EnvironmentStarted, Exited
from supervisor.model.ids import EnvironmentId, RunId, TaskId, fresh
from supervisor.model.record import Source, Task
from supervisor.model.spec import TaskItem, TaskSpec, Trigger
from tests.clocks import HandClock
from tests.core.playbook import SEED, file, task

CALL = Call(JSONCodec())
TASK = Task(TaskId("an id"), TaskItem("a", "A", TaskSpec("true")), Source.API, 0.0)


def test_a_task_is_created_updated_and_deleted_once() -> None:
    renamed = replace(TASK, item=replace(TASK.item, name="B"), revision=1)
    going = replace(renamed, gone=True, revision=2)

    assert operation_of(Change(None, TASK)) == CREATE
    assert operation_of(Change(TASK, renamed)) == UPDATE
    assert operation_of(Change(renamed, going)) is None
    assert operation_of(Change(going, None)) == DELETE


class Watched:
    """An engine whose machine starts nothing, with the service in front of it."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.sent: list[Shared] = []
        self.engine = Engine(World(), self, Hub(), HandClock(1.0, 1.0))
        self.engine.performer = self
        self.engine.post(EnvironmentStarted(EnvironmentId(SEED)))
        self.engine.turn()
        self.events = EventService(self.engine, SEED)

    def perform(self, action: Any) -> None:
        self.runs.append(action.run_id)

    def save(self, changed: Any, removed: Any) -> None:
        pass

    def seen(self, change: Any, **request: Any) -> list[pb.WatchEventsResponse]:
        """What a client that asks for `request` sees of `change`."""
        found: list[pb.WatchEventsResponse] = []

        async def watch() -> None:
            stream = self.events.watch_events(pb.WatchEventsRequest(environment_id=SEED, **request), CALL)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._read, stream, found)
                await anyio.wait_all_tasks_blocked()
                change()
                await anyio.wait_all_tasks_blocked()
                tasks.cancel_scope.cancel()

        anyio.run(watch)
        return found

    async def _read(
        self, stream: AsyncIterator[pb.WatchEventsResponse], found: list[pb.WatchEventsResponse]
    ) -> None:
        async for event in stream:
            shared: object = event
            assert isinstance(shared, Shared)
            assert isinstance(shared.message, pb.WatchEventsResponse)
            found.append(shared.message)
            self.sent.append(shared)


def test_what_an_execution_leads_is_told_of_those_that_follow_it() -> None:
    watched = Watched()
    start = Trigger.POST_ENVIRONMENT_START
    items = [task("a", triggers=[start]), task("b", "a", triggers=[start]), task("c", "b", triggers=[start])]
    watched.engine.submit(ApplyFile(file(*items), SEED))

    def fire() -> None:
        watched.engine.submit(FireTrigger(start, fresh()))

    def end() -> None:
        watched.engine.post(Exited(RunId(watched.runs[0]), SUCCESS))
        watched.engine.turn()

    watched.seen(fire)
    executions = set(watched.engine.world.records.executions)
    told = watched.seen(end)
    assert {event.resource_id for event in told} == executions
    assert {event.operation for event in told} == {UPDATE_STATUS}


def test_every_filter_of_a_type_counts_and_each_looks_at_ids_and_creators() -> None:
    watched = Watched()
    watched.engine.submit(ApplyFile(file(task("a"), task("b"), task("c")), SEED))
    a, b, c = watched.engine.world.records.tasks
    kind, other = pb.RESOURCE_TYPE_TASK, "11111111-1111-4111-8111-111111111111"

    def edit() -> None:
        edited = (task(name, command=fresh()) for name in "abc")
        watched.engine.submit(ApplyFile(file(*edited), SEED))

    def seen(*filters: dict[str, Any]) -> list[str]:
        wanted = [pb.WatchEventsRequest.ResourceTypeFilter(resource_type=kind, **one) for one in filters]
        return [event.resource_id for event in watched.seen(edit, resource_type_filters=wanted)]

    assert seen({"resource_ids": [a]}, {"resource_ids": [b]}) == [a, b]
    assert seen({"resource_ids": [a]}, {}) == [a, b, c]
    assert seen({"creator_ids": [other]}) == []
    assert seen({"creator_ids": [other]}, {"resource_ids": [c], "creator_ids": [other, SEED]}) == [c]


def test_all_who_watch_are_sent_the_same_message() -> None:
    """Of 200 watchers, each would look at the change and encode it: 70 of the 100 microseconds that an event took."""
    watched = Watched()

    async def watch() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                stream = watched.events.watch_events(pb.WatchEventsRequest(environment_id=SEED), CALL)
                tasks.start_soon(watched._read, stream, [])
            await anyio.wait_all_tasks_blocked()
            for number in range(_RECENT + 10):
                item = task("a", command=str(number))
                watched.engine.submit(ApplyFile(file(item), fresh()))
                await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()

    anyio.run(watch)
    alike = Counter(map(id, watched.sent))
    assert len(alike) >= _RECENT + 10
    assert set(alike.values()) == {3}
    assert len(watched.events._recent) <= _RECENT
