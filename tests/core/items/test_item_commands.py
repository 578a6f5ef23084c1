"""Items made through the API, beside those of the file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supervisor.model.command import (
    CreateService,
    CreateTask,
    DeleteService,
    DeleteTask,
    Drain,
    StartService,
    StartTask,
    StopService,
    UpdateService,
    UpdateTask,
)
from supervisor.model.errors import AlreadyExists, NotFound, Precondition
from supervisor.model.ids import item_id
from supervisor.model.phase import ExecutionPhase, ServicePhase
from supervisor.model.record import Source
from supervisor.model.spec import ServiceItem, TaskItem
from tests.core.playbook import Playbook, service, task


def create(book: Playbook, item: ServiceItem | TaskItem, *depends_on: str) -> list[str]:
    if isinstance(item, ServiceItem):
        return book.do(CreateService(item, book.stamp()))
    return book.do(CreateTask(item, tuple(map(item_id, depends_on)), book.stamp()))


def test_created_service_is_stopped_until_it_is_started() -> None:
    book = Playbook()
    assert create(book, service("web")) == []
    assert (book.service("web").phase, book.service("web").source) == (ServicePhase.STOPPED, Source.API)
    assert book.do(StartService(book.service("web").id, book.stamp())) == ["spawn web"]


def test_service_that_is_to_run_at_once_is_made_and_started_or_neither() -> None:
    book = Playbook(service("other"))
    assert book.do(CreateService(service("web"), book.stamp(), session=book.stamp())) == ["spawn web"]
    book.do(Drain(30.0))
    with pytest.raises(Precondition, match='cannot start "late": the supervisor is shutting down'):
        book.do(CreateService(service("late"), book.stamp(), session=book.stamp()))
    assert {s.item.reference for s in book.world.records.services.values()} == {"other", "web"}


@pytest.mark.parametrize("item", [service("x"), task("x")])
def test_second_item_of_a_reference_is_refused_whatever_its_kind(item: ServiceItem | TaskItem) -> None:
    book = Playbook(task("x"))
    with pytest.raises(AlreadyExists, match='cannot create "x"'):
        create(book, item)


def test_reference_is_free_again_after_the_item_was_deleted() -> None:
    book = Playbook()
    create(book, service("web"))
    book.do(DeleteService(book.service("web").id))
    create(book, service("web"))
    assert book.service("web").phase is ServicePhase.STOPPED


def test_edit_of_the_file_leaves_items_of_the_api() -> None:
    book = Playbook(service("web"))
    create(book, service("mine"))
    book.apply()
    assert [s.item.reference for s in book.world.records.services.values()] == ["mine"]


def test_file_takes_over_an_item_of_the_api_that_it_names() -> None:
    book = Playbook()
    create(book, service("web"))
    id_ = book.service("web").id
    book.apply(service("web", start="other"))
    web = book.service("web")
    assert (web.id, web.source, web.item.spec.start) == (id_, Source.FILE, "other")
    book.apply()
    assert book.world.records.services == {}


def test_spec_of_a_running_service_is_not_changed_but_its_name_is() -> None:
    book = Playbook(service("web"))
    web = book.service("web")
    book.do(StartService(web.id, book.stamp()))
    with pytest.raises(Precondition, match='cannot change what service "web" runs: it is starting'):
        book.do(UpdateService(web.id, service("web", start="other")))
    assert book.do(UpdateService(web.id, replace(web.item, name="Web"))) == []
    assert book.service("web").item.name == "Web"


def test_changed_spec_is_what_the_next_session_runs() -> None:
    book = Playbook(service("web"))
    web = book.service("web")
    book.do(UpdateService(web.id, service("web", start="other")))
    book.do(StartService(web.id, book.stamp()))
    assert book.outcome.actions[0].script == "other"  # type: ignore[union-attr]
    assert book.service("web").spec_version == 2


def test_update_that_changes_nothing_is_no_change() -> None:
    book = Playbook(service("web"), task("a"))
    book.do(UpdateService(book.service("web").id, service("web")))
    book.do(UpdateTask(book.task("a").id, task("a"), ()))
    assert book.outcome.changed == ()


def test_created_task_runs_what_it_depends_on_by_id() -> None:
    book = Playbook(task("build"))
    create(book, task("mine"), book.task("build").id)
    assert book.task("mine").item.depends_on == ("build",)
    assert book.do(StartTask(book.task("mine").id, book.stamp())) == ["spawn build"]
    assert book.exited("build") == ["spawn mine"]


def test_dependency_on_an_unknown_id_is_refused() -> None:
    with pytest.raises(NotFound, match='depend on "nobody"'):
        create(Playbook(), task("a"), "nobody")


def test_dependencies_that_would_be_a_cycle_are_refused_with_the_path() -> None:
    book = Playbook(task("a"))
    create(book, task("b"), book.task("a").id)
    with pytest.raises(Precondition, match="a -> b -> a"):
        book.do(UpdateTask(book.task("a").id, task("a"), (book.task("b").id,)))
    assert book.task("a").depends_on == ()


def test_execution_that_runs_keeps_its_plan_when_its_task_is_updated() -> None:
    book = Playbook(task("a"))
    book.do(StartTask(book.task("a").id, book.stamp()))
    book.do(UpdateTask(book.task("a").id, task("a", command="other"), ()))
    assert book.execution("a").plan[0][0].spec.command == "work"  # type: ignore[union-attr]


def test_task_whose_dependency_the_file_removed_fails_with_its_name() -> None:
    book = Playbook(task("build"))
    create(book, task("mine"), book.task("build").id)
    book.apply()
    assert book.do(StartTask(book.task("mine").id, book.stamp())) == []
    execution = book.execution("mine")
    assert (execution.phase, execution.reason) == (
        ExecutionPhase.FAILED,
        'depends on "build", which was deleted',
    )


def test_service_that_a_task_depends_on_is_not_deleted() -> None:
    book = Playbook(service("db"))
    create(book, task("mine"), book.service("db").id)
    with pytest.raises(Precondition, match='task "mine" depends on it'):
        book.do(DeleteService(book.service("db").id))
    book.do(DeleteTask(book.task("mine").id))
    book.do(DeleteService(book.service("db").id))


def test_stop_of_a_service_that_is_being_deleted_is_refused_as_unknown() -> None:
    book = Playbook(service("web"))
    web = book.service("web").id
    book.do(StartService(web, book.stamp()))
    book.do(DeleteService(web))
    with pytest.raises(NotFound):
        book.do(StopService(web))
