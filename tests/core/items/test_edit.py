"""Edits of the file while things run: what is added, removed, restarted, left alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from supervisor.core.items.diff import Changes, edit
from supervisor.core.records import Records
from supervisor.model.command import StartService, StartTask
from supervisor.model.phase import ServicePhase
from supervisor.model.record import Source
from supervisor.model.spec import Trigger
from tests.core.playbook import Playbook, file, service, task


def running(reference: str = "web", **fields: Any) -> Playbook:
    book = Playbook(service(reference, **fields))
    book.do(StartService(book.service(reference).id, book.stamp()))
    book.started(reference)
    return book


def test_new_item_appears_and_is_not_started() -> None:
    book = Playbook()
    assert book.apply(service("web", triggers=(Trigger.POST_ENVIRONMENT_START,)), task("a")) == []
    assert book.service("web").phase is ServicePhase.STOPPED


def test_same_file_again_changes_nothing() -> None:
    book = running()
    book.apply(service("web"))
    assert book.outcome.changed == ()


def test_removed_service_is_stopped_and_deleted() -> None:
    book = running()
    assert book.apply() == ["terminate web"]
    book.exited("web")
    assert book.world.records.services == {}


def test_removed_task_stops_its_execution_and_is_deleted() -> None:
    book = Playbook(task("a"))
    book.do(StartTask(book.task("a").id, book.stamp()))
    assert book.apply() == ["terminate a"]
    book.exited("a", 1)
    assert book.world.records.tasks == {}


def test_running_service_whose_command_changed_is_restarted() -> None:
    book = running()
    assert book.apply(service("web", start="other")) == ["terminate web"]
    assert book.exited("web") == ["spawn web"]
    assert book.outcome.actions[0].script == "other"  # type: ignore[union-attr]


def test_running_service_is_left_alone_when_only_its_name_and_triggers_changed() -> None:
    book = running()
    item = replace(service("web"), name="Web", description="d", triggers=(Trigger.PREBUILD,))
    assert book.apply(item) == []
    assert (book.service("web").phase, book.service("web").item.name) == (ServicePhase.RUNNING, "Web")


def test_stopped_service_whose_command_changed_stays_stopped() -> None:
    book = Playbook(service("web"))
    assert book.apply(service("web", start="other")) == []
    assert book.service("web").item.spec.start == "other"


def test_failed_service_whose_command_changed_stays_failed_until_asked() -> None:
    book = running()
    book.exited("web", 1)
    assert book.apply(service("web", start="other")) == []


def test_second_edit_during_a_restart_starts_the_newest_command_once() -> None:
    book = running()
    book.apply(service("web", start="second"))
    assert book.apply(service("web", start="third")) == []
    assert book.exited("web") == ["spawn web"]
    assert book.outcome.actions[0].script == "third"  # type: ignore[union-attr]
    book.started("web")
    assert book.after(10) == []


def test_edit_and_edit_back_during_a_restart_still_starts_again() -> None:
    book = running()
    book.apply(service("web", start="second"))
    book.apply(service("web"))
    assert book.exited("web") == ["spawn web"]
    assert book.outcome.actions[0].script == "serve"  # type: ignore[union-attr]


def test_reference_that_turns_from_service_to_task_is_a_new_item() -> None:
    book = running("x")
    assert book.apply(task("x")) == ["terminate x"]
    book.exited("x")
    assert book.world.records.services == {}
    assert book.task("x").item.spec.command == "work"


def test_item_that_comes_back_while_it_is_being_deleted_is_a_new_item() -> None:
    book = running()
    old = book.service("web").id
    book.apply()
    book.apply(service("web"))
    book.exited("web")
    assert book.service("web").id != old


def test_specification_version_grows_with_changes_only() -> None:
    book = Playbook(task("a"), service("web"))
    book.apply(task("a"), service("web", start="other"))
    assert (book.task("a").spec_version, book.service("web").spec_version) == (1, 2)


def test_diff_says_what_an_edit_would_do() -> None:
    book = Playbook(service("web"), service("db"), task("a"), task("b"), task("c"))
    book.do(StartService(book.service("web").id, book.stamp()))
    new = file(
        service("web", start="other"), service("db", start="other"), task("a"), task("b", "a"), task("d")
    )
    records = book.world.records
    assert edit(new, records) == Changes(
        added=("d",), removed=("c",), restarted=("web",), updated=("db", "b"), unchanged=("a",)
    )


def test_diff_leaves_items_of_the_api_alone_unless_the_file_names_them() -> None:
    book = Playbook(service("web"), task("a"))
    records = Records(
        [replace(book.service("web"), source=Source.API), replace(book.task("a"), source=Source.API)]
    )
    assert edit(file(), records) == Changes()
    assert edit(file(service("web", start="other")), records) == Changes(updated=("web",))
