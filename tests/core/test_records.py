"""The indexes: nothing stays in them that is not live or kept."""

from __future__ import annotations

from collections.abc import Mapping

from supervisor.core import operations, queries, settle
from supervisor.core.deadlines import Deadlines
from supervisor.core.plans.leaders import Leaders
from supervisor.core.records import Records
from supervisor.core.uses import PassedRuns, Uses
from supervisor.core.world import World
from supervisor.model.command import (
    CreateService,
    CreateTask,
    DeleteService,
    DeleteTask,
    FireTrigger,
    StartTask,
    StopExecution,
    UpdateTask,
)
from supervisor.model.exit import NotStarted
from supervisor.model.ids import ExecutionId, OperationId, ServiceId, TaskId
from supervisor.model.operation_record import CancelOperation
from supervisor.model.spec import Trigger
from tests.core.playbook import Playbook, service, task

START = Trigger.POST_ENVIRONMENT_START


def sizes(owner: object, name: str = "") -> dict[str, int]:
    """{attribute: how much it holds} of every index, those of parts too."""
    found: dict[str, int] = {}
    for attribute, value in vars(owner).items():
        if isinstance(value, Deadlines | Leaders | PassedRuns | Uses):
            found |= sizes(value, f"{attribute}.")
        elif isinstance(value, dict | list | set):
            inner = value.values() if isinstance(value, Mapping) else value
            found[name + attribute] = len(value) + sum(
                len(item) for item in inner if isinstance(item, dict | list | set)
            )
    return found


def reloaded(records: Records) -> Records:
    return World(queries.everything(records), records.revision).records


def test_indexes_hold_what_is_live_or_kept_and_no_more(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(settle, "KEPT_EXECUTIONS", 10)
    book = Playbook(
        service("db"),
        service("slow", ready="probe"),
        task("w", "slow"),
        task("a", "db"),
        task("b", "a", triggers=[START]),
        task("c", "b", triggers=[START]),
    )
    seen = []
    for number in range(60):
        if number % 3 == 0:
            book.do(FireTrigger(START, book.stamp()))
            if number == 0:
                book.started("db")
            book.exited("a")
            book.exited("b", number % 2)
            if number % 2 == 0:
                book.exited("c")
        else:
            execution_id = book.stamp()
            book.do(StartTask(book.task("a").id, execution_id))
            if number % 3 == 1:
                book.exited("a")
            else:
                book.do(StopExecution(ExecutionId(execution_id)))
                book.exited("a", 143)
        waiting = book.stamp()
        book.do(StartTask(book.task("w").id, waiting))
        book.do(StopExecution(ExecutionId(waiting)))
        seen.append(sizes(book.world.records))
    assert seen[-1] == seen[-7]
    assert seen[-1] == sizes(reloaded(book.world.records))


def test_record_that_is_removed_and_made_again_in_one_step_was_changed_and_not_removed() -> None:
    book = Playbook(task("a"))
    records, made = book.world.records, book.task("a")
    records.remove(made)
    records.put(made)
    changed, removed, _ = records.take()
    assert [record.id for record in changed] == [made.id]
    assert removed == ()


def test_indexes_forget_items_that_come_and_go(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """Also a task that is deleted while an execution of another one is still to run it as a step."""
    monkeypatch.setattr(settle, "KEPT_EXECUTIONS", 3)
    book = Playbook(task("top"))
    seen = []
    for number in range(12):
        service_id, first, then = ServiceId(book.stamp()), TaskId(book.stamp()), TaskId(book.stamp())
        book.do(CreateService(service(f"s{number}"), service_id, session=book.stamp()))
        book.do(CreateTask(task(f"first{number}"), (), first))
        book.do(CreateTask(task(f"then{number}"), (first,), then))
        top = book.task("top")
        book.do(UpdateTask(top.id, top.item, (then,)))
        book.do(StartTask(top.id, book.stamp()))
        book.do(UpdateTask(top.id, book.task("top").item, ()))
        book.do(DeleteTask(then))
        assert then not in book.world.records.tasks
        for reference in (f"first{number}", f"then{number}", "top"):
            book.exited(reference)
        book.do(DeleteTask(first))
        book.do(DeleteService(service_id, force=True))
        book.exited(f"s{number}")
        seen.append(sizes(book.world.records))
    assert seen[-1] == seen[-2] == seen[-3]
    assert seen[-1] == sizes(reloaded(book.world.records))


def test_indexes_forget_operations_that_are_over_and_not_kept(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(operations, "KEPT_RESULTS", 3)
    book = Playbook()
    seen = []
    for number in range(12):
        ended, cancelled, never = f"ended {number}", f"cancelled {number}", f"never {number}"
        for name in (ended, cancelled, never):
            book.operate(name, limit_s=5.0)
        book.do(CancelOperation(OperationId(cancelled)))
        book.exited(never, NotStarted("no folder"))
        book.exited(cancelled, 143)
        book.exited(ended, written=(5, number))
        seen.append(sizes(book.world.records))
    assert seen[-1] == seen[-2] == seen[-3]
    assert seen[-1] == sizes(reloaded(book.world.records))
    assert len(book.world.records.deadlines) == 0
