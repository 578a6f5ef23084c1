"""Questions about the records, each asked of a world in which it has an answer worth asking for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from supervisor.core import queries
from supervisor.model.command import DeleteService, DeleteTask, Drain, FireTrigger, StartService, StartTask
from supervisor.model.errors import NotFound
from supervisor.model.exit import ExitCode, ExitSignal
from supervisor.model.fact import EnvironmentStarted
from supervisor.model.ids import EnvironmentId, ExecutionId, ServiceId, StepId, TaskId
from supervisor.model.phase import ExecutionPhase, ServicePhase
from supervisor.model.record import Execution
from supervisor.model.spec import Trigger
from tests.core.playbook import SEED, Playbook, service, task

START = Trigger.POST_ENVIRONMENT_START
NOBODY = "11111111-1111-4111-8111-111111111111"


def run(book: Playbook, reference: str) -> Execution:
    book.do(StartTask(book.task(reference).id, book.stamp()))
    return book.execution(reference)


def test_what_has_no_such_id_is_not_found() -> None:
    records = Playbook().world.records
    asked: list[tuple[Callable[[], object], str]] = [
        (lambda: queries.service(records, ServiceId(NOBODY)), "service"),
        (lambda: queries.present_service(records, ServiceId(NOBODY)), "service"),
        (lambda: queries.present_task(records, TaskId(NOBODY)), "task"),
        (lambda: queries.execution(records, ExecutionId(NOBODY)), "task execution"),
    ]
    for ask, kind in asked:
        with pytest.raises(NotFound, match=f'cannot find {kind} "{NOBODY}": there is none with this id'):
            ask()


def test_service_that_is_being_deleted_is_there_and_not_present() -> None:
    book = Playbook(service("web"))
    web = book.service("web")
    book.do(StartService(web.id, book.stamp()))
    book.do(DeleteService(web.id))
    assert queries.service(book.world.records, web.id).phase is ServicePhase.STOPPING
    with pytest.raises(NotFound):
        queries.present_service(book.world.records, web.id)
    assert queries.items(book.world.records) == {}


def test_task_that_was_deleted_is_not_there_although_its_execution_runs() -> None:
    book = Playbook(task("a"))
    a, execution = book.task("a"), run(book, "a")
    book.do(DeleteTask(a.id))
    with pytest.raises(NotFound):
        queries.present_task(book.world.records, a.id)
    assert queries.present_tasks(book.world.records) == []
    assert queries.execution(book.world.records, execution.id).reference == "a"


def test_environment_has_one_id_and_none_before_it_started() -> None:
    book = Playbook()
    with pytest.raises(NotFound, match="it has not started yet"):
        queries.environment(book.world.records, EnvironmentId(SEED))
    book.do(EnvironmentStarted(EnvironmentId(SEED)))
    assert queries.environment(book.world.records, EnvironmentId(SEED)).id == SEED
    with pytest.raises(NotFound, match=f"this is {SEED}"):
        queries.environment(book.world.records, EnvironmentId(NOBODY))


def test_step_is_found_with_the_index_of_its_group() -> None:
    book = Playbook(task("a"), task("b", "a"))
    execution = run(book, "b")
    last = execution.plan[1][0]
    assert queries.step(execution, last.id) == (1, last)
    with pytest.raises(NotFound, match="none with this id in the execution"):
        queries.step(execution, StepId(NOBODY))


def test_file_is_awaited_once_the_environment_began_and_until_a_good_version() -> None:
    book = Playbook()
    assert not queries.file_is_awaited(book.world.records)
    book.do(EnvironmentStarted(EnvironmentId(SEED), begins=True))
    assert queries.file_is_awaited(book.world.records)
    book.apply(task("a"))
    assert not queries.file_is_awaited(book.world.records)


def test_services_that_start_and_stop_are_waited_for_and_one_that_runs_is_not() -> None:
    book = Playbook(service("web", ready="probe"))
    records = book.world.records
    assert (list(queries.waits(records)), queries.is_done(records), queries.is_at_rest(records)) == (
        [],
        True,
        True,
    )
    book.do(StartService(book.service("web").id, book.stamp()))
    book.started("web")
    book.probed("web", 1)
    [wait] = queries.waits(records)
    assert isinstance(wait, queries.ServiceWait)
    assert (wait.until, wait.why) == ("to be ready", "probe exited 1")
    assert not queries.is_done(records)
    book.exited("web.ready")
    assert (list(queries.waits(records)), queries.is_done(records), queries.is_at_rest(records)) == (
        [],
        True,
        False,
    )
    book.main_exited("web")
    [wait] = queries.waits(records)
    assert isinstance(wait, queries.ServiceWait)
    assert (wait.until, wait.why) == ("to end", "to end")


def test_an_operation_is_waited_for_only_in_a_drain() -> None:
    book = Playbook()
    book.operate("call \n" + "x" * 100)
    records = book.world.records
    assert list(queries.waits(records)) == []
    assert queries.is_done(records), "the work of the file is"
    assert not queries.is_at_rest(records)
    book.do(Drain(30.0))
    [wait] = queries.waits(records)
    assert isinstance(wait, queries.OperationWait)
    assert wait.operation.name == "call " + "x" * 55 + "..."


def test_execution_that_follows_waits_for_the_steps_of_its_leader() -> None:
    book = Playbook(task("a"), task("b", "a", triggers=[START]), task("c", "b", triggers=[START]))
    book.do(FireTrigger(START, book.stamp()))
    leads, follows = queries.waits(book.world.records)
    assert isinstance(leads, queries.ExecutionWait)
    assert isinstance(follows, queries.ExecutionWait)
    assert (leads.follows, follows.follows) == (False, True)
    assert [step.reference for step in leads.steps] == ["a"]
    assert follows.steps == leads.steps
    assert queries.executions_by_phase(book.world.records) == {ExecutionPhase.RUNNING: 2}


def test_failed_task_is_one_whose_last_execution_failed() -> None:
    book = Playbook(task("a"))
    run(book, "a")
    book.exited("a", 3)
    [(found, execution)] = queries.failed_tasks(book.world.records)
    assert (found.item.reference, queries.exit_status(execution)) == ("a", 3)
    run(book, "a")
    assert list(queries.failed_tasks(book.world.records)) == []


def test_task_that_ran_last_as_a_step_of_another_is_told_with_it() -> None:
    book = Playbook(task("a"), task("b", "a"))
    execution = run(book, "b")
    [(task_id, found, step_id)] = queries.steps_run_for_others(book.world.records)
    assert (task_id, found.id, step_id) == (book.task("a").id, execution.id, execution.plan[0][0].id)
    book.exited("a")
    run(book, "a")
    assert list(queries.steps_run_for_others(book.world.records)) == []


@pytest.mark.parametrize(
    ("end", "status"), [(ExitCode(0), 0), (ExitCode(7), 7), (ExitSignal(9), 137)], ids=["0", "7", "SIGKILL"]
)
def test_exit_status_is_that_of_the_step_that_failed(end: ExitCode | ExitSignal, status: int) -> None:
    book = Playbook(task("a"))
    assert queries.exit_status(run(book, "a")) is None
    book.exited("a", end)
    assert queries.exit_status(book.execution("a")) == status
