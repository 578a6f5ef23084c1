"""Operations, from a client's wish to the end of their results, as histories."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from supervisor.core import operations, queries
from supervisor.core.recovery import RESTARTED, inherited, known_runs
from supervisor.core.state_machines.operation import note
from supervisor.core.world import World
from supervisor.model.action import RunKind, Spawn
from supervisor.model.command import Drain, FireTrigger, StartTask
from supervisor.model.errors import AlreadyExists, Draining, Exhausted
from supervisor.model.exit import Exit, ExitCode, ExitSignal, ExitUnknown, NotStarted
from supervisor.model.fact import Exited, MachineRestarted, Started
from supervisor.model.ids import OperationId, RunId, derived
from supervisor.model.operation_record import (
    CancelOperation,
    EndReason,
    ForgetOperations,
    Operation,
    OperationEnded,
    RunOperation,
    digest_of,
)
from supervisor.model.record import Record
from supervisor.model.spec import Trigger
from tests.core.playbook import SEED, Playbook, service, task

GIB = 1 << 30
NO_FOLDER = NotStarted("there is no folder of this name", errno=2)


def cancel(book: Playbook, name: str) -> list[str]:
    return book.do(CancelOperation(OperationId(name)))


def kinds(records: Iterable[Record]) -> list[type]:
    return [type(record) for record in records]


def answer(book: Playbook, name: str) -> tuple[int | None, str]:
    """What the callers of an operation that is over get: the exit code and the last line of stderr."""
    operation = book.operation(name)
    assert operation is not None
    return operation.status, note(operation)


def test_an_operation_costs_two_changes_of_one_record() -> None:
    book = Playbook()
    assert book.operate("call", "make") == ["spawn call"]
    assert kinds(book.outcome.changed) == [Operation]
    assert book.started("call") == []
    assert kinds(book.outcome.changed) == [], "that it runs is nothing to write down"
    assert book.exited("call", 3, written=(5, 7), lost=(0, 2)) == []
    assert kinds(book.outcome.changed) == [Operation]
    assert answer(book, "call") == (3, "")
    assert kinds(book.outcome.removed) == []
    operation = book.operation("call")
    assert operation is not None
    assert operation.state == OperationEnded(ExitCode(3), book.mono_s + 1e9, "", (5, 7), (0, 2))


def test_its_run_is_started_as_its_client_says() -> None:
    book = Playbook()
    book.do(RunOperation(OperationId("../call\n"), "make", "/src", 0.0, book.stamp()))
    (spawn,) = book.outcome.actions
    assert isinstance(spawn, Spawn)
    assert (spawn.kind, spawn.script, spawn.working_directory) == (RunKind.OPERATION, "make", "/src")
    assert spawn.run_id == derived(SEED, "1"), "what a client says names no directory"


@pytest.mark.parametrize(
    ("end", "code"),
    [(ExitCode(0), 0), (ExitCode(255), 255), (ExitSignal(9), 137), (ExitUnknown(), None)],
)
def test_callers_get_the_exit_code_of_the_command(end: Exit, code: int | None) -> None:
    book = Playbook()
    book.operate("call")
    book.exited("call", end)
    assert answer(book, "call") == (code, "")


@pytest.mark.parametrize("end", [ExitCode(137, out_of_memory=True), ExitSignal(9, out_of_memory=True)])
def test_a_lack_of_memory_is_said(end: Exit) -> None:
    book = Playbook()
    book.operate("call")
    (said,) = book.exited("call", end)
    assert said == f"note call: {answer(book, 'call')[1]}"
    assert "memory" in said
    assert answer(book, "call")[0] == 137


def test_one_that_takes_longer_than_its_limit_is_ended() -> None:
    book = Playbook()
    book.operate("call", limit_s=1.5)
    assert book.after(1.4) == []
    assert book.after(0.1) == ["terminate call"]
    assert book.after(9.9) == []
    assert book.after(0.1) == ["kill call"]
    assert book.exited("call", 0) == ["note call: ended because its limit of 1.5 s was over"]
    assert answer(book, "call") == (124, "ended because its limit of 1.5 s was over")


def test_one_that_is_cancelled_ends_with_130_whatever_it_makes_of_it() -> None:
    book = Playbook()
    book.operate("call", limit_s=1.0)
    assert cancel(book, "call") == ["terminate call"]
    assert cancel(book, "call") == []
    assert book.after(9.9) == []
    assert book.after(0.1) == ["kill call"]
    assert book.exited("call", 7) == ["note call: ended because a client cancelled it"]
    assert answer(book, "call")[0] == 130
    assert cancel(book, "call") == []


def test_to_cancel_what_nobody_knows_is_no_error() -> None:
    book = Playbook()
    assert cancel(book, "call") == []
    assert book.operate("call") == ["spawn call"], "one that came before its operation has no effect"


def test_one_whose_shell_had_ended_before_it_was_asked_to_has_ended_by_itself() -> None:
    book = Playbook()
    book.operate("call", limit_s=1.0)
    assert book.after(1.0) == ["terminate call"]
    assert book.exited("call", 0, unasked=True) == []
    assert answer(book, "call") == (0, "")


def test_an_id_is_used_once() -> None:
    book = Playbook()
    book.operate("call")
    with pytest.raises(AlreadyExists):
        book.operate("call")
    book.exited("call")
    with pytest.raises(AlreadyExists):
        book.operate("call")


def test_one_that_could_not_be_started_says_why_and_uses_up_nothing() -> None:
    book = Playbook()
    book.operate("call")
    first = book.runs["call"]
    assert book.exited("call", NO_FOLDER) == []
    (last,) = book.outcome.changed
    assert isinstance(last, Operation)
    assert last.exit == NO_FOLDER
    assert book.outcome.removed == (last,)
    assert book.operation("call") is None
    assert book.discarded == [first]

    assert book.operate("call") == ["spawn call"]
    assert book.runs["call"] != first, "its directory may still be being removed"


@pytest.mark.parametrize("why", [EndReason.CANCEL, EndReason.LIMIT])
def test_one_that_was_ended_before_it_could_start_is_answered_as_such(why: str) -> None:
    book = Playbook()
    book.operate("call", limit_s=1.0)
    assert (cancel(book, "call") if why == EndReason.CANCEL else book.after(1.0)) == ["terminate call"]
    assert book.exited("call", NotStarted("it was stopped before it could start")) == []
    assert answer(book, "call")[0] == (130 if why == EndReason.CANCEL else 124)


def test_more_than_256_are_not_run_at_a_time() -> None:
    book = Playbook()
    calls = [
        RunOperation(OperationId(str(number)), "work", "", 0.0, book.stamp())
        for number in range(operations.MOST_RUNNING)
    ]
    book.do(*calls)
    with pytest.raises(Exhausted, match="256"):
        book.operate("one more")
    assert book.operation("one more") is None
    cancel(book, "0")
    with pytest.raises(Exhausted):
        book.operate("one more")
    book.exited("0")
    assert book.operate("one more") == ["spawn one more"]


# Drain


def test_a_drain_ends_operations_with_executions_and_before_services() -> None:
    start = Trigger.POST_ENVIRONMENT_START
    book = Playbook(service("web", triggers=(start,)), task("build"))
    book.do(FireTrigger(start, book.stamp()))
    book.started("web")
    book.do(StartTask(book.task("build").id, book.stamp()))
    book.operate("call")
    assert sorted(book.do(Drain(30.0))) == ["terminate build", "terminate call"]
    assert book.exited("build") == []
    assert not queries.is_at_rest(book.world.records)
    assert book.exited("call", ExitSignal(15)) == ["terminate web"]
    assert answer(book, "call") == (143, "")
    assert book.exited("web") == []
    assert queries.is_at_rest(book.world.records)
    with pytest.raises(Draining):
        book.operate("another")


def test_a_drain_gives_no_more_than_its_own_grace() -> None:
    book = Playbook()
    book.operate("call")
    book.operate("cancelled")
    cancel(book, "cancelled")
    assert book.do(Drain(2.0)) == ["terminate call"]
    assert book.after(1.9) == []
    assert sorted(book.after(0.1)) == ["kill call", "kill cancelled"]
    book.exited("call", ExitSignal(9))
    book.exited("cancelled", ExitSignal(9))
    assert answer(book, "call") == (137, "")
    assert answer(book, "cancelled")[0] == 130, "the first reason counts"


def test_a_drain_leaves_no_trace_of_what_never_began() -> None:
    book = Playbook()
    book.operate("call")
    book.do(Drain(2.0))
    book.exited("call", NotStarted("it was stopped before it could start"))
    assert book.operation("call") is None
    assert queries.is_at_rest(book.world.records)


# Keeping


def test_of_a_command_that_is_over_the_beginning_is_kept() -> None:
    book = Playbook()
    book.operate("call", "x" * 4_000_000)
    book.exited("call")
    operation = book.operation("call")
    assert operation is not None
    assert operation.command == "x" * 200
    assert operation.digest == digest_of("x" * 4_000_000, "") != digest_of("x" * 200, "")
    assert digest_of("x", "a") != digest_of("x", "b")


def test_the_oldest_results_go_when_all_are_too_large() -> None:
    book = Playbook()
    for name in "abcdef":
        book.operate(name)
    for name in "fedcba":
        book.exited(name, 0, written=(GIB, GIB))  # of each stream 128 MiB are kept
    assert [name for name in "abcdef" if book.operation(name)] == ["a", "b", "c", "d"]
    assert book.discarded == [book.runs["f"], book.runs["e"]]


def kept(number: int) -> Operation:
    ended = OperationEnded(ExitCode(0), ended_s=float(number))
    run_id = RunId(derived(SEED, "kept", str(number)))
    return Operation(run_id, OperationId(f"kept {number}"), "", "", "", 0.0, 0.0, ended, number, number)


def test_the_oldest_result_goes_when_there_are_too_many() -> None:
    book = Playbook()
    book.world = World(map(kept, range(1, operations.KEPT_RESULTS + 1)), operations.KEPT_RESULTS)
    book.operate("one more")
    assert kinds(book.outcome.removed) == []
    book.exited("one more")
    assert [record.id for record in book.outcome.removed] == [kept(1).id]
    assert book.operation("kept 2")
    assert book.operation("one more")


def test_results_that_are_too_old_are_forgotten() -> None:
    book = Playbook()
    for name in ("old", "new", "running"):
        book.operate(name)
    book.exited("old")
    book.after(10.0)
    book.exited("new")
    book.do(ForgetOperations(book.mono_s + 1e9 - 5.0))
    assert [book.operation(name) is not None for name in ("old", "new", "running")] == [False, True, True]
    assert book.discarded == [book.runs["old"]]


def test_removed_results_tell_the_store_which_ids_are_used() -> None:
    book = Playbook()
    for name, end in (("began", ExitCode(1)), ("never", NO_FOLDER)):
        book.operate(name)
        book.exited(name, end)
    book.operate("cancelled")
    cancel(book, "cancelled")
    book.exited("cancelled", NO_FOLDER)
    book.do(ForgetOperations(book.mono_s + 2e9))
    gone = [record for record in book.outcome.removed if isinstance(record, Operation)]
    assert [(one.operation_id, one.uses_up_id, one.status) for one in gone] == [
        ("began", True, 1),
        ("cancelled", True, 130),
    ]


# After a supervisor ended


def again(book: Playbook) -> None:
    """Another supervisor takes over the records."""
    old = book.world.records
    records: list[Record] = list(queries.everything(old))
    book.world = World(records, old.revision)


def left(book: Playbook) -> list[tuple[str, bool, str]]:
    return [
        (one.spawn.reference, one.wanted, type(one.ending).__name__ if one.ending else "")
        for one in inherited(book.world.records)
    ]


def test_what_is_inherited_of_an_operation_from_its_start_to_its_end() -> None:
    book = Playbook()
    book.operate("call", limit_s=5.0)
    again(book)
    assert left(book) == [("call", True, "")]
    book.started("call")
    book.after(5.0)
    again(book)
    assert left(book) == [("call", False, "Terminate")]
    book.after(10.0)
    again(book)
    assert left(book) == [("call", False, "Kill")]
    book.exited("call")
    again(book)
    assert left(book) == []
    assert known_runs(book.world.records) == {book.runs["call"]}, "its result is kept"
    assert answer(book, "call")[0] == 124


def test_a_limit_counts_while_no_supervisor_is_there() -> None:
    book = Playbook()
    book.operate("call", limit_s=60.0)
    book.started("call")
    book.mono_s += 61.0
    again(book)
    assert book.after(0.0) == ["terminate call"]


def test_results_are_in_the_order_of_their_ends_for_the_next_supervisor_too() -> None:
    book = Playbook()
    for name in "abc":
        book.operate(name)
    for name in "cab":
        book.exited(name, 0, written=(GIB, 1))
    again(book)
    assert list(book.world.records.results) == [book.runs[name] for name in "cab"]
    book.after(0.0)


def test_what_a_restart_of_the_machine_ended_is_not_run_again() -> None:
    book = Playbook()
    for name in ("lost", "noted", "ending"):
        book.operate(name, limit_s=5.0)
        book.started(name)
    cancel(book, "ending")
    book.mono_s += 100.0  # the boots' clocks cannot be compared
    again(book)
    book.do(MachineRestarted())
    assert [(name, wanted) for name, wanted, _ in left(book)] == [
        ("lost", True),
        ("noted", True),
        ("ending", False),
    ]
    ends: dict[str, Exit] = {
        "lost": ExitUnknown(RESTARTED),
        "noted": ExitCode(4),
        "ending": ExitUnknown(RESTARTED),
    }
    book.do(*(Exited(book.runs[name], end) for name, end in ends.items()))
    assert [answer(book, name)[0] for name in ends] == [None, 4, 130]
    with pytest.raises(AlreadyExists):
        book.operate("lost")
    assert book.world.deadline() is None


def test_facts_of_an_operation_that_is_over_change_nothing() -> None:
    book = Playbook()
    book.operate("call")
    book.exited("call", 1)
    before = book.operation("call")
    book.do(Exited(book.runs["call"], ExitCode(2)), Started(book.runs["call"], 7))
    assert book.operation("call") == before
