"""The environment's own record."""

from __future__ import annotations

from supervisor.core.plans.triggers import ENVIRONMENT_START
from supervisor.model.command import CreateService, CreateTask, FireTrigger, StopService, UpdateEnvironment
from supervisor.model.fact import ActivitySeen, EnvironmentStarted, FileRead
from supervisor.model.ids import EnvironmentId
from supervisor.model.record import Environment
from supervisor.model.spec import Trigger
from tests.core.playbook import SEED, Playbook, service, task


def started() -> Playbook:
    book = Playbook()
    book.do(EnvironmentStarted(EnvironmentId(SEED)))
    return book


def record(book: Playbook) -> Environment:
    environment = book.world.records.environment
    assert environment is not None
    return environment


def test_environment_is_made_once() -> None:
    book = started()
    book.do(EnvironmentStarted(EnvironmentId(SEED)))
    assert book.outcome.changed == ()
    assert record(book).id == SEED


def test_environment_that_goes_by_another_id_keeps_what_is_known_of_it() -> None:
    book = started()
    book.do(UpdateEnvironment("name", "{}"))
    other = SEED.replace("0", "1")
    book.do(EnvironmentStarted(EnvironmentId(other)))
    assert (record(book).id, record(book).name) == (other, "name")
    assert [gone.id for gone in book.outcome.removed] == [SEED]
    assert list(book.world.records.environments) == [other]


def test_filter_lets_only_the_named_triggers_fire() -> None:
    book = Playbook()
    book.do(EnvironmentStarted(EnvironmentId(SEED), (Trigger.POST_ENVIRONMENT_START,)))
    book.apply(
        task("build", triggers=[Trigger.POST_DEVCONTAINER_START]),
        task("hello", triggers=[Trigger.POST_ENVIRONMENT_START]),
        service("web", triggers=(Trigger.POST_MACHINE_START,)),
    )
    assert [
        word for trigger in ENVIRONMENT_START for word in book.do(FireTrigger(trigger, book.stamp()))
    ] == ["spawn hello"]
    book.do(EnvironmentStarted(EnvironmentId(SEED)))
    assert book.do(FireTrigger(Trigger.POST_DEVCONTAINER_START, book.stamp())) == ["spawn build"]


START = Trigger.POST_ENVIRONMENT_START


def begun_anew() -> Playbook:
    """Items of the file and of the API, of an earlier life; nothing runs."""
    book = started()
    book.apply(service("web", triggers=(START,)), task("build", triggers=[START]))
    book.do(CreateService(service("mine", triggers=(START,)), book.stamp()))
    book.do(CreateTask(task("alone", triggers=[START]), (book.service("mine").id,), book.stamp()))
    book.do(CreateTask(task("after", triggers=[START]), (book.task("build").id,), book.stamp()))
    book.do(EnvironmentStarted(EnvironmentId(SEED), begins=True))
    return book


def test_nothing_of_the_file_of_an_earlier_life_is_started_by_a_trigger() -> None:
    book = begun_anew()
    assert book.do(FireTrigger(START, book.stamp())) == ["spawn mine"], "which no file can take back"
    assert [book.executions(name) for name in ("build", "after")] == [[], []]
    book.do(EnvironmentStarted(EnvironmentId(SEED)))
    assert record(book).file_awaited, "a supervisor that goes on still waits"


def test_first_good_version_lets_the_same_firing_start_the_rest_once() -> None:
    book = begun_anew()
    firing = book.stamp()
    book.do(FireTrigger(START, firing))
    book.started("mine")
    book.do(StopService(book.service("mine").id))
    book.exited("mine")
    book.apply(service("web", triggers=(START,)), task("build", triggers=[START]))
    assert book.do(FireTrigger(START, firing)) == ["spawn web", "spawn build"]
    assert len(book.executions("alone")) == 1
    assert book.do(FireTrigger(START, firing)) == []


def test_facts_before_the_environment_started_are_ignored() -> None:
    book = Playbook()
    book.do(ActivitySeen("VS Code", 1.0))
    assert book.world.records.environment is None


def test_what_was_read_of_the_file_is_shown() -> None:
    book = started()
    fact = FileRead("DISCOVERED", "automations.yaml", "s1", failure="automations.yaml:1:1: bad")
    book.do(fact)
    assert (record(book).file_presence, record(book).file_failure) == ("DISCOVERED", fact.failure)
    book.do(fact)
    assert book.outcome.changed == ()


def test_what_clients_set_is_kept_and_counted() -> None:
    book = started()
    book.do(UpdateEnvironment("name", "{}"))
    book.do(UpdateEnvironment("name", "{}"))
    assert book.outcome.changed == ()
    assert (record(book).name, record(book).spec_version) == ("name", 2)


def test_last_activity_is_noted() -> None:
    book = started()
    book.do(ActivitySeen("VS Code", 5.0))
    assert (record(book).active_source, record(book).active_s) == ("VS Code", 5.0)


def test_activity_of_one_source_is_written_down_once_a_minute() -> None:
    book = started()
    book.do(ActivitySeen("VS Code", 5.0))
    for at_s in (5.0, 6.0, 64.9):
        book.do(ActivitySeen("VS Code", at_s))
        assert book.outcome.changed == ()
    book.do(ActivitySeen("VS Code", 65.0))
    assert record(book).active_s == 65.0
    book.do(ActivitySeen("SSH", 66.0))
    assert (record(book).active_source, record(book).active_s) == ("SSH", 66.0)


def test_activity_after_the_wall_clock_was_set_back_is_written_down() -> None:
    book = started()
    book.do(ActivitySeen("VS Code", 5000.0))
    book.do(ActivitySeen("VS Code", 1000.0))
    assert record(book).active_s == 1000.0
