"""Which runs are kept, what each was for, whether it lives."""

from __future__ import annotations

import pytest

from supervisor.core import kept_runs
from supervisor.model.command import FireTrigger, StartService, StartTask, StopService
from supervisor.model.errors import NotFound
from supervisor.model.exit import ExitCode
from supervisor.model.ids import RunId
from supervisor.model.record import Service, Task
from supervisor.model.spec import Trigger
from tests.core.playbook import Playbook, service, task

START = Trigger.POST_ENVIRONMENT_START


def listed(book: Playbook, reference: str = "") -> list[tuple[str, str, bool]]:
    """Reference, kind and whether it lives, of each run of one item, or of all."""
    item_id = ""
    if reference:
        items: list[Service | Task] = [
            *book.world.records.services.values(),
            *book.world.records.tasks.values(),
        ]
        item_id = next(item.id for item in items if item.item.reference == reference)
    found = kept_runs.records_of_runs(book.world.records, item_id).runs(item_id)
    return sorted((run.reference, run.kind.value, run.lives) for run in found)


def test_runs_of_a_service_are_told_apart_by_what_they_are_for() -> None:
    book = Playbook(service("web", ready="probe", stop="stop"))
    book.do(StartService(book.service("web").id, book.stamp()))
    book.started("web")
    assert listed(book, "web") == [("web", "ready", True), ("web", "start", True)]

    book.exited("web.ready")
    book.do(StopService(book.service("web").id))
    assert listed(book, "web") == [("web", "ready", False), ("web", "start", True), ("web", "stop", True)]
    book.exited("web")
    book.exited("web.stop")
    assert listed(book, "web") == [("web", "ready", False), ("web", "start", False), ("web", "stop", False)]


def test_start_run_that_is_over_has_the_exit_of_the_record() -> None:
    book = Playbook(service("web"))
    book.do(StartService(book.service("web").id, book.stamp()))
    book.started("web")
    book.exited("web", 3)

    (run,) = kept_runs.records_of_runs(book.world.records).runs()
    assert (run.lives, run.exit) == (False, ExitCode(3))


def test_runs_that_executions_share_are_listed_once() -> None:
    book = Playbook(task("a", triggers=[START]), task("b", "a", triggers=[START]))
    book.do(FireTrigger(START, book.stamp()))
    assert listed(book) == [("a", "task", True)]
    book.exited("a")
    assert listed(book) == [("a", "task", False), ("b", "task", True)]
    book.exited("b", 7)

    assert listed(book) == [("a", "task", False), ("b", "task", False)]
    assert listed(book, "a") == [("a", "task", False)]


def test_each_execution_of_a_task_has_a_run_of_its_own() -> None:
    book = Playbook(task("a"))
    for _ in range(3):
        book.do(StartTask(book.task("a").id, book.stamp()))
        book.exited("a")

    assert listed(book, "a") == [("a", "task", False)] * 3


def test_owner_of_a_run_is_the_record_whose_changes_decide() -> None:
    book = Playbook(service("web"), task("a"))
    book.do(StartService(book.service("web").id, book.stamp()))
    book.do(StartTask(book.task("a").id, book.stamp()))
    web, a = book.runs["web"], book.runs["a"]
    records = book.world.records

    assert kept_runs.owner(records, web) == book.service("web").id
    assert kept_runs.owner(records, a) == a
    assert kept_runs.lives(records, web)
    assert kept_runs.lives(records, a)
    book.exited("web")
    book.exited("a")
    assert kept_runs.owner(records, a) == a
    assert not kept_runs.lives(records, web)
    assert not kept_runs.lives(records, a)


def test_what_names_no_run_is_not_found() -> None:
    book = Playbook(service("web"), task("a"))
    book.do(StartService(book.service("web").id, book.stamp()))
    service_id = book.service("web").id
    for run_id in ("", "..", "x", service_id, f"{service_id}.9", book.task("a").id):
        with pytest.raises(NotFound, match="cannot find run"):
            kept_runs.owner(book.world.records, RunId(run_id))
    with pytest.raises(NotFound, match='cannot find service or task "x"'):
        kept_runs.records_of_runs(book.world.records, "x")
