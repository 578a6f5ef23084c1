"""Histories of executions: plans, groups, failures, stops, shared runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supervisor.core import queries
from supervisor.core.state_machines.execution import decide, live_steps
from supervisor.core.state_machines.step_outcome import View
from supervisor.model.command import (
    DeleteTask,
    Drain,
    FireTrigger,
    StartTask,
    StopExecution,
    StopService,
)
from supervisor.model.errors import NotFound, Precondition
from supervisor.model.exit import ExitCode, ExitSignal, NotStarted
from supervisor.model.fact import Exited
from supervisor.model.ids import ExecutionId
from supervisor.model.moment import Now
from supervisor.model.phase import ExecutionPhase, ServicePhase
from supervisor.model.spec import Trigger
from tests.core.playbook import SESSION, STATES, Playbook, service, task

PENDING, RUNNING = ExecutionPhase.PENDING, ExecutionPhase.RUNNING
SUCCEEDED, FAILED, STOPPED = ExecutionPhase.SUCCEEDED, ExecutionPhase.FAILED, ExecutionPhase.STOPPED


def start(book: Playbook, reference: str) -> list[str]:
    return book.do(StartTask(book.task(reference).id, book.stamp()))


def stop(book: Playbook, reference: str) -> list[str]:
    return book.do(StopExecution(book.execution(reference).id))


def fire(book: Playbook, trigger: Trigger) -> list[str]:
    return book.do(FireTrigger(trigger, book.stamp()))


# Order


def test_task_runs_and_succeeds() -> None:
    book = Playbook(task("build"))
    assert start(book, "build") == ["spawn build"]
    assert book.execution("build").phase is RUNNING
    book.started("build")
    book.exited("build", output={"ARTIFACT": "a.tar"})
    execution = book.execution("build")
    assert execution.phase is SUCCEEDED
    assert next(iter(execution.steps.values())).output == {"ARTIFACT": "a.tar"}
    assert execution.ended_s is not None


def test_dependencies_come_first_and_each_once() -> None:
    book = Playbook(task("d"), task("b", "d"), task("c", "d"), task("a", "b", "c"))
    assert start(book, "a") == ["spawn d"]
    assert book.exited("d") == ["spawn b", "spawn c"]
    assert book.exited("c") == []
    assert book.exited("b") == ["spawn a"]
    book.exited("a")
    assert book.execution("a").phase is SUCCEEDED


def test_dependencies_run_again_at_every_execution() -> None:
    book = Playbook(task("b"), task("a", "b"))
    start(book, "a")
    book.exited("b")
    book.exited("a")
    assert start(book, "a") == ["spawn b"]


def test_two_executions_started_by_hand_share_nothing() -> None:
    book = Playbook(task("b"), task("a", "b"))
    assert start(book, "a") == ["spawn b"]
    assert start(book, "a") == ["spawn b"]


def test_execution_keeps_the_plan_and_specs_of_its_start() -> None:
    book = Playbook(task("b"), task("a", "b", command="old"))
    start(book, "a")
    book.apply(task("a", command="new"))
    assert [step.reference for group in book.execution("a").plan for step in group] == ["b", "a"]
    book.exited("b")
    spawn = book.outcome.actions[0]
    assert spawn.script == "old"  # type: ignore[union-attr]


# Failure


def test_failing_step_stops_the_others_of_its_group_and_starts_nothing_more() -> None:
    book = Playbook(task("b"), task("c"), task("a", "b", "c"))
    start(book, "a")
    assert book.exited("b", 7, tail="no space left\n") == ["terminate c"]
    assert book.execution("a").phase is RUNNING
    book.exited("c", ExitSignal(15))
    execution = book.execution("a")
    assert (execution.phase, execution.reason) == (FAILED, 'step "b" exited 7')
    assert (execution.tail, execution.exit) == ("no space left\n", ExitCode(7))
    assert book.phases("a") == {"b": "failed", "c": "stopped", "a": "stopped"}


def test_first_of_several_failures_is_the_one_that_is_named() -> None:
    book = Playbook(task("b"), task("c"), task("a", "b", "c"))
    start(book, "a")
    book.exited("c", 1)
    book.exited("b", 2)
    assert book.execution("a").reason == 'step "c" exited 1'


def test_task_that_cannot_start_fails_its_execution() -> None:
    book = Playbook(task("a"))
    start(book, "a")
    book.exited("a", NotStarted("cannot run bash: no such file"))
    assert book.execution("a").reason == 'step "a" could not start: cannot run bash: no such file'


# Service steps


def test_service_that_a_step_needs_is_started_and_waited_for() -> None:
    book = Playbook(service("db", ready="probe"), task("a", "db"))
    assert start(book, "a") == ["spawn db"]
    assert book.started("db") == ["spawn db.ready"]
    assert book.exited("db.ready") == ["spawn a"]
    book.exited("a")
    assert book.execution("a").phase is SUCCEEDED
    assert book.service("db").phase is ServicePhase.RUNNING


def test_service_that_runs_already_satisfies_a_step_at_once() -> None:
    book = Playbook(service("db"), task("a", "db"), task("b", "db"))
    start(book, "a")
    book.started("db")
    assert start(book, "b") == ["spawn b"]


def test_service_that_failed_before_is_started_again_for_a_step() -> None:
    book = Playbook(service("db"), task("a", "db"))
    start(book, "a")
    book.exited("db", 1)
    assert book.execution("a").reason == 'step "db" exited 1'
    assert start(book, "a") == ["spawn db"]
    assert book.execution("a").phase is RUNNING


@pytest.mark.parametrize(("end", "reason"), [(1, "exited 1"), (0, "exited 0 before it was ready")])
def test_service_that_ends_before_it_is_ready_fails_the_step(end: int, reason: str) -> None:
    book = Playbook(service("db", ready="probe"), task("a", "db"))
    start(book, "a")
    book.exited("db", end, tail="port in use\n")
    execution = book.execution("a")
    assert (execution.phase, execution.reason) == (FAILED, f'step "db" {reason}')
    assert (execution.tail, execution.exit) == ("port in use\n", ExitCode(end))
    db = book.service("db")
    assert (db.reason, db.tail) == (reason, "port in use\n")


def test_service_that_somebody_stops_fails_the_step_that_waits() -> None:
    book = Playbook(service("db", ready="probe"), task("a", "db"))
    start(book, "a")
    book.do(StopService(book.service("db").id))
    assert book.execution("a").reason == 'step "db" was stopped'


def test_service_that_the_file_no_longer_has_fails_the_step_that_waits() -> None:
    book = Playbook(service("db", ready="probe"), task("a", "db"))
    start(book, "a")
    book.apply(task("a"))
    assert book.execution("a").reason == 'step "db" was deleted'


def test_service_outlives_the_execution_that_started_it() -> None:
    book = Playbook(service("db"), task("a", "db"))
    start(book, "a")
    book.started("db")
    assert stop(book, "a") == ["terminate a"]
    assert book.service("db").phase is ServicePhase.RUNNING


# Stopping


def test_stop_terminates_live_steps_and_the_execution_is_stopped() -> None:
    book = Playbook(task("b"), task("a", "b"))
    start(book, "a")
    assert stop(book, "a") == ["terminate b"]
    assert stop(book, "a") == []
    book.exited("b", ExitSignal(15))
    assert book.execution("a").phase is STOPPED
    assert book.phases("a") == {"b": "stopped", "a": "stopped"}


def test_step_that_ignores_sigterm_is_killed_after_10_s_and_fails_the_execution() -> None:
    book = Playbook(task("a"))
    start(book, "a")
    stop(book, "a")
    assert book.after(9.9) == []
    assert book.after(0.1) == ["kill a"]
    book.exited("a", ExitSignal(9))
    execution = book.execution("a")
    assert execution.phase is FAILED
    assert execution.reason == 'step "a" did not end within 10 s of SIGTERM and was killed'


def test_stop_that_comes_before_the_last_success_wins() -> None:
    book = Playbook(task("a"))
    start(book, "a")
    book.do(StopExecution(book.execution("a").id), Exited(book.runs["a"], ExitCode(0)))
    assert book.execution("a").phase is STOPPED


def test_stop_that_comes_after_the_last_success_finds_it_succeeded() -> None:
    book = Playbook(task("a"))
    start(book, "a")
    book.do(Exited(book.runs["a"], ExitCode(0)), StopExecution(book.execution("a").id))
    assert book.execution("a").phase is SUCCEEDED


def test_stop_of_an_execution_that_is_over_changes_nothing() -> None:
    book = Playbook(task("a"))
    start(book, "a")
    book.exited("a")
    assert stop(book, "a") == []
    assert book.outcome.changed == ()


def test_stop_of_an_unknown_execution_is_refused() -> None:
    with pytest.raises(NotFound):
        Playbook().do(StopExecution(ExecutionId("nobody")))


# Triggers and shared runs

START = Trigger.POST_ENVIRONMENT_START


def shared() -> Playbook:
    """`a` and `b` both depend on `install`; one trigger starts both."""
    book = Playbook(
        task("install"), task("a", "install", triggers=[START]), task("b", "install", triggers=[START])
    )
    assert fire(book, START) == ["spawn install"]
    return book


def test_trigger_starts_what_names_it_and_nothing_else() -> None:
    book = Playbook(
        service("web", triggers=(START,)), service("other"), task("a", triggers=[START]), task("b")
    )
    assert fire(book, START) == ["spawn web", "spawn a"]
    assert book.execution("a").started_by == "postEnvironmentStart"


def test_manual_trigger_starts_nothing() -> None:
    assert fire(Playbook(task("a", triggers=[Trigger.MANUAL])), Trigger.MANUAL) == []


def test_trigger_leaves_a_running_service_and_starts_tasks_again() -> None:
    book = Playbook(service("web", triggers=(START,)), task("a", triggers=[START]))
    fire(book, START)
    book.started("web")
    assert fire(book, START) == ["spawn a"]


def test_executions_of_one_firing_share_the_runs_they_have_in_common() -> None:
    book = shared()
    assert book.exited("install") == ["spawn a", "spawn b"]


def test_task_that_is_started_and_depended_upon_by_one_firing_runs_once() -> None:
    book = Playbook(task("install", triggers=[START]), task("a", "install", triggers=[START]))
    assert fire(book, START) == ["spawn install"]
    assert book.exited("install") == ["spawn a"]
    assert book.execution("install").phase is SUCCEEDED


def test_two_firings_share_nothing() -> None:
    book = shared()
    assert fire(book, START) == ["spawn install"]


def test_failure_of_a_shared_run_fails_all_its_executions() -> None:
    book = shared()
    book.exited("install", 1)
    assert book.execution("a").phase is FAILED
    assert book.execution("b").phase is FAILED


def test_result_of_a_shared_run_holds_for_an_execution_that_comes_to_it_later() -> None:
    book = Playbook(
        task("install"), task("slow"), task("mid", "slow"), task("late", "install", "mid", triggers=[START]),
        task("early", "install", triggers=[START]),
    )  # fmt: skip
    fire(book, START)
    assert book.exited("install") == ["spawn early"]
    assert book.exited("slow") == ["spawn mid"]
    assert book.exited("mid") == ["spawn late"]


def test_stop_of_one_execution_leaves_a_shared_run_to_the_other() -> None:
    book = shared()
    assert stop(book, "a") == []
    assert book.execution("a").phase is STOPPED
    assert book.exited("install") == ["spawn b"]


def test_shared_run_is_stopped_when_the_last_execution_gives_it_up() -> None:
    book = shared()
    stop(book, "a")
    assert stop(book, "b") == ["terminate install"]
    book.exited("install", ExitSignal(15))
    assert book.execution("b").phase is STOPPED
    assert book.world.records.runs == {}


def test_run_that_was_stopped_is_run_again_for_an_execution_that_comes_to_it_later() -> None:
    book = Playbook(
        task("fetch"), task("slow"), task("install", "fetch"),
        task("early", "install", triggers=[START]), task("late", "install", "slow", triggers=[START]),
    )  # fmt: skip
    assert fire(book, START) == ["spawn fetch", "spawn slow"]
    assert book.exited("fetch") == ["spawn install"]
    assert stop(book, "early") == ["terminate install"]
    book.exited("install", ExitSignal(15))
    assert book.execution("early").phase is STOPPED
    assert book.exited("slow") == ["spawn install"]
    assert book.exited("install") == ["spawn late"]


# Deleting, draining, history


def test_deleted_task_stops_its_executions_and_is_forgotten_with_them() -> None:
    book = Playbook(task("a"))
    start(book, "a")
    assert book.do(DeleteTask(book.task("a").id)) == ["terminate a"]
    run = book.runs["a"]
    book.exited("a", ExitSignal(15))
    assert (book.world.records.tasks, book.world.records.executions) == ({}, {})
    assert book.discarded == [run]


def test_task_that_another_depends_on_is_not_deleted() -> None:
    book = Playbook(task("b"), task("a", "b"))
    with pytest.raises(Precondition, match='cannot delete task "b": task "a" depends on it'):
        book.do(DeleteTask(book.task("b").id))


def test_drain_stops_executions_first_and_services_after_them() -> None:
    book = Playbook(service("db"), task("a", "db"))
    start(book, "a")
    book.started("db")
    assert book.do(Drain(30.0)) == ["terminate a"]
    assert book.exited("a", ExitSignal(15)) == ["terminate db"]
    book.exited("db")
    assert queries.is_at_rest(book.world.records)


def test_drain_leaves_a_step_no_longer_than_its_deadline() -> None:
    book = Playbook(task("a"))
    start(book, "a")
    book.do(Drain(3.0))
    assert book.after(3.0) == ["kill a"]


def test_history_beyond_a_thousand_executions_forgets_the_oldest() -> None:
    book = Playbook(task("a"))
    start(book, "a")
    first = book.runs["a"]
    book.exited("a")
    for _ in range(1000):
        start(book, "a")
        book.exited("a")
    assert len(book.world.records.executions) == 1000
    assert book.discarded == [first]


def test_runs_that_another_execution_still_shows_are_kept() -> None:
    book = shared()
    book.exited("install")
    book.exited("a")
    book.exited("b")
    install, a = book.runs["install"], book.runs["a"]
    book.do(DeleteTask(book.task("a").id))
    assert book.discarded == [a]
    book.do(DeleteTask(book.task("b").id))
    assert install in book.discarded


# Cells that the world's order of settling hides


def test_execution_that_is_over_is_never_decided_again() -> None:
    book = Playbook(task("a"))
    start(book, "a")
    book.exited("a")
    over = book.execution("a")
    assert decide(over, View({}, {}), Now(0.0, 0.0)) == (over, ())


@pytest.mark.parametrize(
    ("phase", "then"),
    [
        (ServicePhase.RUNNING, ExecutionPhase.SUCCEEDED),
        (ServicePhase.STOPPED, ExecutionPhase.FAILED),
        (ServicePhase.FAILED, ExecutionPhase.FAILED),
    ],
)
def test_what_became_of_an_earlier_session_says_nothing_of_the_one_a_step_waits_for(
    phase: ServicePhase, then: ExecutionPhase
) -> None:
    book = Playbook(service("db"), task("a", "db"))
    start(book, "a")
    waiting = book.execution("a")
    ((step, _),) = live_steps(waiting)
    for wanted, expected in (("another", ExecutionPhase.RUNNING), (SESSION.id, then)):
        db = replace(book.service("db"), state=STATES[phase], session=wanted)
        decided, _ = decide(waiting, View({db.id: db}, {}, unobserved=(step,)), Now(0.0, 0.0))
        assert decided.steps[step.id].phase is expected


def test_second_report_of_an_end_changes_nothing() -> None:
    book = Playbook(task("b"), task("a", "b"))
    start(book, "a")
    book.exited("b", 0)
    assert book.exited("b", 1) == []
    assert book.outcome.changed == ()


def test_step_that_had_to_be_killed_after_another_failed_is_not_what_is_blamed() -> None:
    book = Playbook(task("b"), task("c"), task("a", "b", "c"))
    start(book, "a")
    book.exited("b", 7)
    assert book.after(10) == ["kill c"]
    book.exited("c", ExitSignal(9))
    assert book.execution("a").reason == 'step "b" exited 7'
    assert book.phases("a") == {"b": "failed", "c": "failed", "a": "stopped"}


def test_trigger_that_fires_during_a_drain_starts_nothing() -> None:
    book = Playbook(service("web", triggers=(START,)), task("a", triggers=[START]))
    start(book, "a")
    book.do(Drain(30.0))
    assert fire(book, START) == []
    assert book.exited("a", ExitSignal(15)) == []
    assert queries.is_at_rest(book.world.records)
