"""Fan-out: order, bounds, and that a slow reader knows what it missed."""

from __future__ import annotations

import anyio
import pytest

from supervisor.hub import Change, ChangeEvent, Hub, Resync, Subscription
from supervisor.model.ids import TaskId
from supervisor.model.record import Source, Task
from tests.core.playbook import task


def change(number: int) -> Change:
    return Change(None, Task(TaskId(str(number)), task("a"), Source.FILE, 0.0, revision=number))


class Reader:
    """Counts how often it was woken."""

    def __init__(self) -> None:
        self.woken = 0

    def on_changes(self) -> None:
        self.woken += 1


class Broken:
    """Has a bug."""

    def on_changes(self) -> None:
        raise RuntimeError("a reader's bug")


class Leaving:
    """Unsubscribes as soon as it is woken."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.subscription = hub.subscribe(self)

    def on_changes(self) -> None:
        self.hub.unsubscribe(self.subscription)


def hub_with(limit: int = 10) -> tuple[Hub, Subscription, Reader]:
    hub, reader = Hub(), Reader()
    return hub, hub.subscribe(reader, limit), reader


def test_every_change_reaches_every_reader_in_order() -> None:
    hub, first, _ = hub_with()
    second = hub.subscribe(Reader())
    hub.publish([change(1), change(2)])
    hub.publish([change(3)])
    assert first.take() == second.take() == [change(1), change(2), change(3)]
    assert first.take() == []


def test_reader_is_woken_once_until_it_takes() -> None:
    hub, subscription, reader = hub_with()
    hub.publish([change(1), change(2)])
    hub.publish([change(3)])
    assert reader.woken == 1
    subscription.take()
    hub.publish([change(4)])
    assert reader.woken == 2


def test_slow_reader_is_told_to_resync_and_gets_what_came_after() -> None:
    hub, slow, _ = hub_with(limit=3)
    quick = hub.subscribe(Reader())
    hub.publish(change(n) for n in range(4))
    taken = slow.take()
    assert isinstance(taken[0], Resync)
    assert taken[1:] == [change(3)]
    assert len(quick.take()) == 4


def test_queue_of_a_reader_that_never_reads_stays_bounded() -> None:
    hub, slow, _ = hub_with(limit=5)
    hub.publish(change(n) for n in range(1000))
    assert len(slow.take()) <= 6


def test_unsubscribed_reader_gets_nothing_more() -> None:
    hub, subscription, reader = hub_with()
    hub.unsubscribe(subscription)
    hub.publish([change(1)])
    assert (subscription.take(), reader.woken) == ([], 0)


def test_reader_that_fails_gets_no_more_and_ends_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    hub = Hub()
    before = hub.subscribe(Reader())
    broken = hub.subscribe(Broken())
    after = hub.subscribe(Reader())
    hub.publish([change(1), change(2)])
    assert before.take() == after.take() == [change(1), change(2)]
    assert hub.readers == 2
    assert "a reader of changes met a bug" in caplog.text
    hub.unsubscribe(broken)


def test_reader_may_leave_when_it_is_woken() -> None:
    hub = Hub()
    Leaving(hub)
    staying = hub.subscribe(Reader())
    hub.publish([change(1), change(2)])
    assert staying.take() == [change(1), change(2)]


def test_task_that_waits_for_changes_misses_none() -> None:
    async def scenario() -> None:
        hub, changed = Hub(), ChangeEvent()
        subscription = hub.subscribe(changed)
        hub.publish([change(1)])
        with anyio.fail_after(20):
            await changed.wait()  # for what came before the wait
            assert subscription.take() == [change(1)]
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(changed.wait)
                await anyio.wait_all_tasks_blocked()
                hub.publish([change(2)])
        assert subscription.take() == [change(2)]

    anyio.run(scenario)
