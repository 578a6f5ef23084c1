"""Fan-out: order, bounds, and that a slow reader knows what it missed."""

from __future__ import annotations

import pytest

from supervisor.hub import Change, Hub, Resync, Subscription
from supervisor.model.ids import TaskId
from supervisor.model.record import Source, Task
from tests.core.playbook import task


def change(number: int) -> Change:
    return Change(None, Task(TaskId(str(number)), task("a"), Source.FILE, 0.0, revision=number))


def hub_with(limit: int = 10) -> tuple[Hub, Subscription, list[int]]:
    hub, woken = Hub(), list[int]()
    return hub, hub.subscribe(lambda: woken.append(1), limit), woken


def test_every_change_reaches_every_reader_in_order() -> None:
    hub, first, _ = hub_with()
    second = hub.subscribe(lambda: None)
    hub.publish([change(1), change(2)])
    hub.publish([change(3)])
    assert first.take() == second.take() == [change(1), change(2), change(3)]
    assert first.take() == []


def test_reader_is_woken_once_until_it_takes() -> None:
    hub, subscription, woken = hub_with()
    hub.publish([change(1), change(2)])
    hub.publish([change(3)])
    assert len(woken) == 1
    subscription.take()
    hub.publish([change(4)])
    assert len(woken) == 2


def test_slow_reader_is_told_to_resync_and_gets_what_came_after() -> None:
    hub, slow, _ = hub_with(limit=3)
    quick = hub.subscribe(lambda: None)
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
    hub, subscription, woken = hub_with()
    hub.unsubscribe(subscription)
    hub.publish([change(1)])
    assert (subscription.take(), woken) == ([], [])


def test_reader_that_fails_gets_no_more_and_ends_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    hub = Hub()
    before = hub.subscribe(lambda: None)
    broken = hub.subscribe(lambda: [][0])
    after = hub.subscribe(lambda: None)
    hub.publish([change(1), change(2)])
    assert before.take() == after.take() == [change(1), change(2)]
    assert hub.readers == 2
    assert "a reader of changes met a bug" in caplog.text
    hub.unsubscribe(broken)


def test_reader_may_leave_when_it_is_woken() -> None:
    hub = Hub()
    leaving = hub.subscribe(lambda: hub.unsubscribe(leaving))
    staying = hub.subscribe(lambda: None)
    hub.publish([change(1), change(2)])
    assert staying.take() == [change(1), change(2)]
