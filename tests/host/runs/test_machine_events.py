"""Events of a shim in, facts out: no process and no event loop."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.model.action import Kill, RunKind, Terminate
from supervisor.model.exit import ExitCode, ExitSignal, NotStarted
from supervisor.model.fact import Exited, Started
from supervisor.model.ids import RunId
from supervisor.shim.protocol import (
    Bye,
    CommandExited,
    ExitStatus,
    RunsListed,
    ShimTrouble,
    SpawnFailed,
    SpawnRequest,
)
from tests.host.runs.scripted_shim import Stage


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.close()


def backlog(it: Stage) -> list[str]:
    """The names of what waits for the event loop."""
    return [work.__name__ for work, _ in it.machine._work.backlog]


def test_a_spawn_is_one_request_with_all_that_the_command_is_to_see(it: Stage) -> None:
    it.spawn(script=": | :")
    [request] = it.shim.requests()
    assert isinstance(request, SpawnRequest)
    assert request.run_id == "run"
    assert Path(request.argv[-1]).read_text() == ": | :"
    assert (request.log, request.dir) == (it.folder().log, it.folder().path)
    assert request.env["SUPERVISOR_RUN_ID"] == "run"
    assert request.env["GITPOD_OUTPUT"] == it.folder().output(RunKind.TASK, "run")
    assert it.posted == []


def test_a_task_starts_and_ends_in_one_turn(it: Stage) -> None:
    it.spawn()
    started = it.started()
    assert it.turn(started, it.exited(3)) == [
        Started(RunId("run"), started.pid),
        Exited(RunId("run"), ExitCode(3), output={}),
    ]
    assert len(it.folded) == 1, "both facts are folded together"


def test_a_turn_without_events_folds_no_facts(it: Stage) -> None:
    it.spawn()
    assert it.turn() == []


def test_a_command_that_cannot_start_says_why(it: Stage) -> None:
    it.spawn()
    [fact] = it.turn(SpawnFailed("run", "chdir", errno.ENOENT))
    assert isinstance(fact, Exited)
    assert isinstance(fact.exit, NotStarted)
    assert fact.exit.why.startswith("cannot enter the workspace")


def test_the_rest_of_a_service_is_seen_out_by_the_loop(it: Stage) -> None:
    it.spawn(kind=RunKind.START)
    assert [type(fact) for fact in it.turn(it.started(), it.exited(0))] == [Started]
    assert "_see_out" in backlog(it)


@pytest.mark.parametrize("action", [Terminate(RunId("run")), Kill(RunId("run"))])
def test_what_is_asked_before_the_answer_is_done_once_it_lives(it: Stage, action: Terminate | Kill) -> None:
    it.spawn()
    it.machine.perform(action)
    assert "_see_out" not in backlog(it)
    it.turn(it.started())
    assert backlog(it).count("_see_out") == 1


def test_the_exit_of_another_run_with_the_same_id_is_not_taken_for_this_one(it: Stage) -> None:
    it.spawn()
    assert it.turn(it.exited(9)) == []
    assert [type(fact) for fact in it.turn(it.started(), it.exited(3))] == [Started, Exited]


def test_events_of_runs_that_are_not_known_are_ignored(it: Stage) -> None:
    assert it.turn(it.started("x"), it.exited(1, "x"), SpawnFailed("x", "exec", errno.ENOENT)) == []


def test_answers_that_come_too_late_are_ignored(it: Stage) -> None:
    assert it.turn(RunsListed({}, {}, 3), Bye(1)) == []


def test_an_exit_is_reported_once(it: Stage) -> None:
    it.spawn()
    assert len(it.turn(it.started(), it.exited(0), it.exited(1))) == 2


def test_an_exit_of_another_process_is_that_of_an_earlier_run_with_this_id(it: Stage) -> None:
    it.spawn()
    started = it.started()
    earlier = CommandExited("run", ExitStatus(1), started.pid + 1)
    assert [type(fact) for fact in it.turn(started, earlier)] == [Started]
    assert it.machine._runs["run"].exit is None


def test_a_kill_that_nobody_asked_for_is_explained_in_the_loop(it: Stage) -> None:
    it.spawn()
    killed = CommandExited("run", ExitStatus(9, by_signal=True))
    assert [type(fact) for fact in it.turn(it.started(), killed)] == [Started]
    assert "_explain" in backlog(it)


def test_a_kill_that_was_asked_for_needs_no_explanation(it: Stage) -> None:
    it.spawn()
    it.turn(it.started())
    it.machine.perform(Kill(RunId("run")))
    it.turn(CommandExited("run", ExitStatus(9, by_signal=True)))
    assert "_explain" not in backlog(it)
    assert it.machine._runs["run"].exit == ExitSignal(9)


def test_a_shortage_is_reported_once_and_its_end_too(it: Stage) -> None:
    short = [SpawnFailed(name, "fork", errno.EAGAIN) for name in ("one", "two")]
    it.spawn("one")
    it.spawn("two")
    assert it.turn(*short) == []
    [(kind, reason)] = it.problems
    assert kind == "commands"
    assert "too many processes" in reason
    assert backlog(it).count("_retry") == 1

    it.machine._settle(it.machine._spawner.retry(it.machine._spawner.retry_at_s() + 1.0))
    assert it.shim.spawns() == ["one", "two", "one", "two"]
    assert len(it.turn(it.started("one"))) == 1
    assert len(it.problems) == 1, "another one still waits"
    it.turn(it.started("two"))
    assert it.problems[1:] == [("commands", "")]


def test_what_a_shim_complains_of_waits_for_the_log(it: Stage) -> None:
    it.turn(ShimTrouble("OSError()"))
    it.shim.write({"began": "run"})
    assert it.turn() == []
    assert [arguments for _, arguments in it.machine._work.backlog[-2:]] == [
        ("the process that holds commands had trouble: OSError()",),
        ("the process that holds commands had trouble: unknown event with the fields began",),
    ]


def test_an_answer_to_a_request_that_was_given_up_changes_nothing(it: Stage) -> None:
    it.spawn()
    spawner, client = it.machine._spawner, it.shim.client
    now_s = spawner._pending["run"][1].answer_by_s + 1.0
    assert spawner.overdue(now_s) == {client}
    it.machine._settle(spawner.give_up(client, now_s))
    [fact] = it.posted
    assert isinstance(fact, Exited)
    assert not it.machine._shims.is_current(client), "another shim takes the next command"
    assert it.turn(it.started(), it.exited(0)) == []


def test_a_start_behind_others_is_not_late_before_they_had_their_time(it: Stage) -> None:
    for number in range(3):
        it.spawn(str(number))
    requests = [request for request in it.shim.requests() if isinstance(request, SpawnRequest)]
    before = [request.before for request in requests]
    assert before[0] + 0.1 <= before[1] <= before[2] - 0.1


def test_the_starts_of_a_lost_shim_are_settled_by_what_is_found(it: Stage) -> None:
    it.spawn("began")
    it.spawn("never")
    spawner = it.machine._spawner
    runs = spawner.lose(it.shim.client)
    assert [run.run_id for run in runs] == ["began", "never"]
    assert all(run.run_id in spawner and run.shim is None for run in runs)
    assert it.turn(it.started("began")) == [], "no answer counts while it is found out"
    [(run, _)] = spawner.find(runs, runs[:1], 0.0)
    assert run.run_id == "began"
    assert it.shim.spawns() == ["began", "never", "never"], "the other is asked for again"
