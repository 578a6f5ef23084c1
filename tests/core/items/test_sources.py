"""Items have two sources: what the file brings and what the API adds, and neither takes away what is the other's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supervisor.core.items.diff import Changes, edit, upsert
from supervisor.model.command import (
    DeleteService,
    DeleteTask,
    StartService,
    UpdateService,
    UpdateTask,
    UpsertFile,
)
from supervisor.model.errors import AlreadyExists
from supervisor.model.fact import EnvironmentStarted
from supervisor.model.ids import EnvironmentId
from supervisor.model.record import Service, Source, Task
from supervisor.model.spec import ServiceItem, TaskItem, Trigger
from tests.core.playbook import SEED, Playbook, file, service, task


def started(*items: ServiceItem | TaskItem) -> Playbook:
    """An environment whose file has these items."""
    book = Playbook()
    book.do(EnvironmentStarted(EnvironmentId(SEED), begins=True))
    book.apply(*items)
    return book


def add(book: Playbook, *items: ServiceItem | TaskItem, replace: bool = False) -> list[str]:
    return book.do(UpsertFile(file(*items), book.stamp(), replace))


def sources(book: Playbook) -> dict[str, Source]:
    records = book.world.records
    found: list[Service | Task] = [*records.services.values(), *records.tasks.values()]
    return {record.item.reference: record.source for record in found}


def test_upsert_adds_and_changes_and_removes_nothing() -> None:
    book = started(service("web"), task("build"))
    add(book, task("mine"), task("build", command="other"))
    assert sources(book) == {"web": Source.FILE, "build": Source.FILE, "mine": Source.API}
    assert book.task("build").item.spec.command == "other"


def test_edit_of_one_item_leaves_what_the_api_added_and_what_it_made_of_the_others() -> None:
    book = started(service("web"), task("build"), task("gone"))
    add(book, task("mine"), task("build", command="other"))
    book.do(UpdateService(book.service("web").id, service("web", triggers=(Trigger.MANUAL,))))
    book.apply(service("web"), task("build"), task("new"))
    assert sources(book) == dict.fromkeys(("web", "build", "new"), Source.FILE) | {"mine": Source.API}
    assert book.task("build").item.spec.command == "other", "its text in the file is what it was"
    assert book.service("web").item.triggers == (Trigger.MANUAL,)

    book.apply(service("web"), task("build", command="third"), task("new"))
    assert book.task("build").item.spec.command == "third"


def test_edit_does_not_restart_a_service_whose_text_is_what_it_was() -> None:
    book = started(service("web"))
    book.do(StartService(book.service("web").id, book.stamp()))
    book.started("web")
    assert add(book, service("web", start="other")) == ["terminate web"]
    assert book.exited("web") == ["spawn web"]
    book.started("web")
    assert book.apply(service("web"), task("new")) == []
    assert book.apply(service("web", name="Web"), task("new")) == ["terminate web"], "the file says it anew"


def test_upsert_that_replaces_removes_what_is_the_apis_alone() -> None:
    book = started(task("build"))
    add(book, task("one"), task("two"))
    add(book, task("two"), task("three"), replace=True)
    assert sources(book) == {"build": Source.FILE, "two": Source.API, "three": Source.API}


def test_file_that_no_longer_has_an_item_removes_it_whatever_the_api_made_of_it() -> None:
    book = started(task("build"))
    add(book, task("build", command="other"))
    book.apply()
    assert sources(book) == {}


def test_item_that_the_api_deleted_stays_deleted_until_the_file_says_something_else_of_it() -> None:
    book = started(service("web"), task("build"))
    book.do(DeleteService(book.service("web").id))
    book.apply(service("web"), task("build", command="other"))
    assert list(sources(book)) == ["build"]
    book.apply(service("web", start="other"), task("build"))
    assert list(sources(book)) == ["web", "build"]


def test_deleted_item_that_a_changed_task_depends_on_comes_back_with_what_it_needs() -> None:
    book = started(service("db"), task("below", "db"), task("build", "below"))
    for name in ("build", "below"):
        book.do(UpdateTask(book.task(name).id, replace(book.task(name).item, depends_on=()), ()))
    book.do(DeleteTask(book.task("below").id))
    book.do(DeleteService(book.service("db").id))
    book.apply(service("db"), task("below", "db"), task("build", "below", command="other"))
    assert book.task("build").depends_on == (book.task("below").id,)
    assert book.task("below").depends_on == (book.service("db").id,)


def test_task_whose_text_is_what_it_was_depends_on_the_new_item_of_a_reference() -> None:
    book = started(service("x"), task("build", "x"))
    records = book.world.records
    new = file(task("x"), task("build", "x"))
    assert edit(new, records) == Changes(added=("x",), removed=("x",), updated=("build",))
    book.apply(task("x"), task("build", "x"))
    assert book.task("build").depends_on == (book.task("x").id,)


def test_start_runs_what_its_file_says_and_keeps_what_the_api_added() -> None:
    book = started(service("web"), task("build"))
    add(book, task("mine"), task("build", command="other"))
    book.do(DeleteService(book.service("web").id))
    book.do(EnvironmentStarted(EnvironmentId(SEED), begins=True))
    book.apply(service("web"), task("build"))
    assert sources(book) == {"web": Source.FILE, "build": Source.FILE, "mine": Source.API}
    assert book.task("build").item.spec.command == "work"


def test_same_version_and_same_upsert_again_change_nothing() -> None:
    book = started(service("web"), task("build", "web"))
    book.apply(service("web"), task("build", "web"))
    assert book.outcome.changed == ()
    add(book, task("mine"))
    add(book, task("mine"))
    assert book.outcome.changed == ()


@pytest.mark.parametrize("replaces", [False, True])
def test_upsert_of_the_other_kind_is_refused_and_changes_nothing(replaces: bool) -> None:
    book = started(service("web"))
    with pytest.raises(AlreadyExists, match='cannot make task "web": there is a service with this reference'):
        add(book, task("new"), task("web"), replace=replaces)
    assert list(sources(book)) == ["web"]


def test_diff_of_an_upsert_is_what_it_does() -> None:
    book = started(service("web"), task("build"))
    add(book, task("one"), task("two"))
    records = book.world.records
    new = file(service("web"), task("build", command="other"), task("three"))
    assert upsert(new, records, replace=True) == Changes(
        added=("three",), removed=("one", "two"), updated=("build",), unchanged=("web",)
    )


def test_records_of_an_older_version_are_the_files_and_are_compared_item_by_item() -> None:
    """It did not note what the file said of each."""
    book = started(service("web"), task("build"))
    environment = book.world.records.environment
    assert environment is not None
    book.world.records.environments[EnvironmentId(SEED)] = replace(environment, file_items={})
    book.apply(service("web"), task("new"))
    assert list(sources(book)) == ["web", "new"]
    assert book.service("web").spec_version == 1
