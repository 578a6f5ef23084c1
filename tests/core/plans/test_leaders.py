"""Executions of one firing whose plans begin alike: one leads, and what follows is as if each ran by itself."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from supervisor.core import queries
from supervisor.core.world import World
from supervisor.model.action import Spawn
from supervisor.model.command import ApplyFile, DeleteTask, FireTrigger, StopExecution
from supervisor.model.exit import SUCCESS
from supervisor.model.fact import Exited
from supervisor.model.moment import Now
from supervisor.model.phase import ExecutionPhase
from supervisor.model.record import Execution
from supervisor.model.spec import TaskItem, Trigger
from tests.core.playbook import SEED, Playbook, file, service, task

START = Trigger.POST_ENVIRONMENT_START


def chain(length: int) -> list[TaskItem]:
    """t0, and each other task depends on the one before."""
    return [task(f"t{n}", *([f"t{n - 1}"] if n else []), triggers=[START]) for n in range(length)]


def fired(*items: TaskItem) -> Playbook:
    book = Playbook(*items)
    book.do(FireTrigger(START, book.stamp()))
    return book


def phases(book: Playbook) -> list[str]:
    return [execution.phase.value for execution in book.world.records.executions.values()]


@pytest.mark.parametrize("backwards", [False, True])
def test_a_step_of_a_chain_changes_what_it_is_a_step_of_and_no_more(backwards: bool) -> None:
    items = chain(40)
    book = fired(*(reversed(items) if backwards else items))
    for number in range(40):
        assert book.exited(f"t{number}") == ([f"spawn t{number + 1}"] if number < 39 else [])
        changed = [record for record in book.outcome.changed if isinstance(record, Execution)]
        assert len(changed) <= 3
    assert set(phases(book)) == {"succeeded"}
    assert list(book.phases("t39").values()) == ["succeeded"] * 40


def test_those_that_follow_are_shown_as_their_leader_stands() -> None:
    book = fired(*chain(3))
    book.exited("t0")
    assert book.phases("t2") == {"t0": "succeeded", "t1": "running", "t2": "pending"}
    assert queries.shown(book.world.records, book.execution("t2")).revision == book.execution("t1").revision


def test_leader_that_is_stopped_leaves_what_runs_to_those_that_follow() -> None:
    book = fired(*chain(3))
    assert book.do(StopExecution(book.execution("t0").id)) == []
    assert phases(book) == ["stopped", "running", "running"]
    assert book.phases("t1") == {"t0": "running", "t1": "pending"}
    assert book.exited("t0") == ["spawn t1"]
    assert book.exited("t1") == ["spawn t2"]
    book.exited("t2")
    assert phases(book) == ["stopped", "succeeded", "succeeded"]


def test_of_those_that_a_leader_leaves_one_leads_the_others() -> None:
    book = fired(task("x", triggers=[START]), *(task(name, "x", triggers=[START]) for name in "pqr"))
    book.do(StopExecution(book.execution("x").id))
    leaders = book.world.records.leaders
    followed = [leaders.lead_of(book.execution(name).id) for name in "pqr"]
    assert followed[0] is None
    assert [lead and lead.leader_id for lead in followed[1:]] == [book.execution("p").id] * 2


def test_leader_that_fails_fails_all_that_follow_for_the_same_reason() -> None:
    book = fired(*chain(4))
    book.exited("t0")
    book.exited("t1", 3, tail="no")
    assert phases(book) == ["succeeded", "failed", "failed", "failed"]
    told = {(x.reason, x.tail) for x in book.world.records.executions.values() if x.reference != "t0"}
    assert told == {('step "t1" exited 3', "no")}
    assert book.phases("t3") == {"t0": "succeeded", "t1": "failed", "t2": "stopped", "t3": "stopped"}


def test_one_that_follows_and_is_stopped_stops_nothing_that_others_need() -> None:
    book = fired(*chain(3))
    book.exited("t0")
    assert book.do(StopExecution(book.execution("t2").id)) == []
    assert book.phases("t2") == {"t0": "succeeded", "t1": "stopped", "t2": "stopped"}
    assert book.exited("t1") == []
    assert phases(book) == ["succeeded", "succeeded", "stopped"]


def test_run_that_only_those_that_follow_need_is_stopped_with_the_last_of_them() -> None:
    book = fired(*chain(3))
    book.exited("t0")
    book.do(StopExecution(book.execution("t1").id))
    assert book.do(StopExecution(book.execution("t2").id)) == ["terminate t1"]
    assert phases(book) == ["succeeded", "stopped", "running"]
    book.exited("t1")
    assert phases(book) == ["succeeded", "stopped", "stopped"]


def test_several_that_give_up_at_once_leave_the_run_to_the_one_that_does_not() -> None:
    book = fired(*chain(4))
    kept = task("t3", triggers=[START])
    assert book.apply(kept) == []  # t0, t1 and t2 are gone; the plan of t3 is frozen
    assert [x.phase for x in book.executions("t3")] == [ExecutionPhase.RUNNING]
    assert book.exited("t0") == ["spawn t1"]


def test_failing_group_is_given_up_by_all_and_its_other_run_is_stopped_once() -> None:
    book = fired(task("a"), task("b"), *(task(name, "a", "b", triggers=[START]) for name in ("x", "y")))
    assert book.exited("a", 1) == ["terminate b"]
    book.exited("b", 143)
    assert phases(book) == ["failed", "failed"]


def test_service_of_a_group_in_common_is_waited_for_by_the_leader() -> None:
    items = [task(name, "db", triggers=[START]) for name in ("x", "y")]
    book = Playbook(service("db"), *items)
    assert book.do(FireTrigger(START, book.stamp())) == ["spawn db"]
    assert book.started("db") == ["spawn x", "spawn y"]


def test_deleted_task_leads_no_more() -> None:
    book = fired(*chain(2), task("u", "t0", triggers=[START]))
    book.do(DeleteTask(book.task("u").id))
    assert book.exited("t0") == ["spawn t1"]


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["chain", "fan", "ladder"])
def test_three_thousand_tasks_are_started_and_run_in_seconds(shape: str) -> None:
    below: dict[str, Callable[[int], list[str]]] = {
        "chain": lambda n: [f"t{n - 1}"],
        "fan": lambda _: ["t0"],
        "ladder": lambda n: [f"t{n - 1}", f"t{n - 2}"] if n > 1 else ["t0"],
    }
    items = [task(f"t{n}", *(below[shape](n) if n else []), triggers=[START]) for n in range(3000)]
    world, now = World(), Now(1.0, 1.0)
    began = time.monotonic()
    world.step([ApplyFile(file(*items), SEED)], now)
    actions = list(world.step([FireTrigger(START, SEED)], now).actions)
    while actions:
        ended = [Exited(action.run_id, SUCCESS) for action in actions if isinstance(action, Spawn)]
        actions = [action for end in ended for action in world.step([end], now).actions]
    assert {x.phase for x in world.records.executions.values()} == {ExecutionPhase.SUCCEEDED}
    assert time.monotonic() - began < 20


def test_run_that_one_has_given_up_is_kept_as_long_as_another_shows_it() -> None:
    book = fired(*chain(3))
    run_id = book.runs["t0"]
    book.do(StopExecution(book.execution("t2").id))
    for name in ("t0", "t1"):
        book.exited(name)
    assert [state.run_id for state in book.execution("t2").current.values()] == [run_id]
    book.do(DeleteTask(book.task("t2").id))
    assert run_id not in book.discarded
    for name in ("t1", "t0"):
        book.do(DeleteTask(book.task(name).id))
    assert run_id in book.discarded


def test_run_that_lives_is_kept_when_an_edit_removes_those_that_one_follows() -> None:
    book = fired(*chain(3))
    run_id = book.runs["t0"]
    book.apply(task("t2"))
    assert {x.reference for x in book.world.records.executions.values()} == {"t2"}
    assert run_id not in book.discarded
    for name in ("t0", "t1", "t2"):
        book.exited(name)
    assert book.execution("t2").phase is ExecutionPhase.SUCCEEDED
    book.apply()
    assert run_id in book.discarded
