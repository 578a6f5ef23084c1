"""What a new supervisor finds of one that was killed, whatever it was doing at that moment."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from supervisor.host.proc import process, process_signals, process_tree
from supervisor.host.proc.process import ProcRef
from supervisor.host.runs import adoption
from supervisor.host.runs.run import Run
from supervisor.host.runs.run_directory import RunDir
from supervisor.host.runs.spawn import shim_client
from supervisor.model.action import Kill, RunKind, Terminate
from supervisor.model.exit import ExitCode, ExitSignal, ExitUnknown, NotStarted
from supervisor.model.fact import Exited, Started
from supervisor.model.ids import RunId
from supervisor.shim.protocol import SpawnFailed, SpawnRequest
from tests.host.runs.harness import Bench, bench, inherited, leave, reaped, until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_shim_left")]

TRAP = "trap 'exit 8' TERM; echo ready; while :; do sleep 0.01; done"


def write(folder: RunDir, name: str, data: str = "") -> None:
    Path(folder.path, name).write_text(data)


async def gone_with_its_shim(first: Bench) -> None:
    """Both die at once, and what they ran lives on."""
    assert first.shim.pid is not None
    os.kill(first.shim.pid, signal.SIGKILL)
    await until(lambda: reaped(first.shim.pid))
    await leave(first)


async def test_what_was_stored_and_never_begun_is_started_once(tmp_path: Path) -> None:
    await leave(Bench(tmp_path))
    async with bench(tmp_path) as it:
        it.folder("prepared").create()
        it.machine.adopt([inherited("stored", script="exit 4"), inherited("prepared", script="exit 5")])
        assert (await it.exited("stored")).exit == ExitCode(4)
        assert (await it.exited("prepared")).exit == ExitCode(5)
        assert [type(fact) for fact in it.facts].count(Started) == 2


async def test_what_was_stored_and_told_to_stop_is_not_started(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.machine.adopt([inherited("run", script="touch ran", told=Terminate)])
        assert (await it.exited()).exit == NotStarted("it was stopped before it could start")
        assert not (it.workspace / "ran").exists()


async def test_service_that_ran_and_whose_facts_are_gone_is_not_started_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.machine.adopt([inherited("run", RunKind.START, wanted=False)])
        assert (await it.exited()).exit == ExitUnknown()


async def test_request_that_only_half_reached_the_shim_is_made_again(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    first.folder().create()
    first.shim._stream.socket.send(b"\0\0\1\0{")
    await leave(first, answered=False)
    async with bench(tmp_path) as it:
        it.machine.adopt([inherited("run")])
        assert (await it.exited()).exit == ExitCode(3)


@pytest.mark.parametrize("answered", [True, False])
async def test_request_that_reached_the_shim_is_done_once(tmp_path: Path, answered: bool) -> None:
    """Whether it has done so when the next supervisor comes, or then drops it."""
    script = "echo once >>ran; until [ -e go ]; do sleep 0.01; done; exit 7"
    first = Bench(tmp_path)
    first.spawn(script)
    await leave(first, answered=answered)
    async with bench(tmp_path) as it:
        it.machine.adopt([inherited("run", script=script)])
        (it.workspace / "go").touch()
        assert (await it.exited()).exit == ExitCode(7)
        assert (it.workspace / "ran").read_text() == "once\n"


async def test_what_only_has_a_log_may_have_run_and_is_not_started_again(tmp_path: Path) -> None:
    """The shim was killed too, just before or just after it started the command, which has ended since."""
    first = Bench(tmp_path)
    first.folder().create()
    write(first.folder(), "log")
    await gone_with_its_shim(first)
    async with bench(tmp_path) as it:
        it.machine.adopt([inherited("run", script="touch again")])
        assert (await it.exited()).exit == ExitUnknown()
        assert not (it.workspace / "again").exists()


async def test_command_that_could_not_be_run_leaves_no_log_that_would_tell_otherwise(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    first.folder().create()
    folder = first.folder()
    request = SpawnRequest(
        "run", ("/no/such",), {}, str(first.workspace), folder.log, folder.path, before=time.monotonic() + 60
    )
    first.shim.spawn(request)
    assert first.shim.runs().runs == {}
    assert [event.stage for event in first.shim.receive() if isinstance(event, SpawnFailed)] == ["exec"]
    await leave(first)
    async with bench(tmp_path) as it:
        it.machine.adopt([inherited("run")])
        assert (await it.exited()).exit == ExitCode(3), "and it is tried again"


async def test_command_of_which_nothing_was_written_is_found_and_waited_for(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    first.spawn("until [ -e go ]; do sleep 0.01; done")
    main = first.main()
    os.unlink(first.state / "run-facts")
    await gone_with_its_shim(first)
    async with bench(tmp_path) as it:
        it.machine.adopt([inherited("run")])
        assert (await it.fact(Started)).pid == main.pid
        it.spawn("exit 0", "other")
        await it.exited("other")
        assert not [fact for fact in it.of("run") if isinstance(fact, Exited)], "it lives"
        (it.workspace / "go").touch()
        assert (await it.exited()).exit == ExitUnknown()


async def test_command_whose_exec_was_not_through_at_the_first_look_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Bench(tmp_path)
    first.spawn("exec sleep 60", kind=RunKind.START)
    main = first.main()
    os.unlink(first.state / "run-facts")
    await gone_with_its_shim(first)
    census, looks = process_tree.census, []

    def hidden_at_first(runs: dict[str, ProcRef | None]) -> dict[str, list[ProcRef]]:
        looks.append(list(runs))
        return census(runs) if len(looks) > 1 else {run_id: [] for run_id in runs}

    async with bench(tmp_path) as it:
        with monkeypatch.context() as patched:
            patched.setattr(process_tree, "census", hidden_at_first)
            it.machine.adopt([inherited("run", RunKind.START)])
        assert looks == [["run"], ["run"]]
        assert (await it.fact(Started)).pid == main.pid
        it.machine.perform(Kill(RunId("run")))
        await it.exited()


async def test_exit_file_of_an_older_shim_counts_without_its_final_name_if_it_is_whole(
    tmp_path: Path,
) -> None:
    first = Bench(tmp_path)
    for name, end in (("whole", '{"code": 9}'), ("torn", '{"code": 9')):
        first.folder(name).create()
        write(first.folder(name), "log")
        write(first.folder(name), "exit.new", end)
    await gone_with_its_shim(first)
    async with bench(tmp_path) as it:
        it.machine.adopt([inherited("whole"), inherited("torn")])
        assert (await it.exited("whole")).exit == ExitCode(9)
        assert (await it.exited("torn")).exit == ExitUnknown()


@pytest.mark.parametrize("shim", ["lives", "is gone", "cannot be met"])
async def test_signal_that_was_stored_and_never_sent_is_sent(tmp_path: Path, shim: str) -> None:
    first = Bench(tmp_path)
    first.spawn(TRAP, "service", RunKind.START)
    first.spawn("trap '' TERM; echo ready; exec sleep 60", "task")
    for name in ("service", "task"):
        await first.words(1, name)
    if shim == "cannot be met":
        (first.state / "shim.sock").unlink()
    await (gone_with_its_shim if shim == "is gone" else leave)(first)
    async with bench(tmp_path) as it:
        it.machine.adopt([inherited("service", RunKind.START, told=Terminate), inherited("task", told=Kill)])
        known = shim != "is gone"
        assert (await it.exited("service")).exit == (ExitCode(8) if known else ExitUnknown())
        assert (await it.exited("task")).exit == (ExitSignal(signal.SIGKILL) if known else ExitUnknown())


async def test_whole_tree_of_a_task_that_is_stopping_is_waited_for(tmp_path: Path) -> None:
    """Its main process ended while no supervisor was there; what it left behind has still to be told."""
    first = Bench(tmp_path)
    first.spawn("trap '' TERM; (trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done) & exit 0")
    await first.words(1)
    await until(lambda: first.folder().facts().exit is not None)
    await leave(first)
    async with bench(tmp_path) as it:
        assert it.members()
        it.machine.adopt([inherited("run", told=Terminate)])
        assert (await it.exited()).exit == ExitCode(0)
        assert it.members() == []


async def test_runs_that_no_record_names_are_ended_and_removed_before_anything_starts(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    first.spawn(TRAP, "unknown", RunKind.START)
    first.spawn(TRAP, "known", RunKind.START)
    for name in ("unknown", "known"):
        await first.words(1, name)
    first.folder("old").create()
    await leave(first)
    async with bench(tmp_path) as it:
        assert it.machine.clear({"known"}) == 1
        assert it.members("unknown") == []
        assert sorted(os.listdir(it.state / "runs")) == ["known"]
        assert it.machine.clear({"known"}) == 0
        it.machine.adopt([inherited("known", RunKind.START, told=Terminate)])
        assert (await it.exited("known")).exit == ExitCode(8)


async def test_unknown_runs_that_do_not_heed_sigterm_are_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adoption, "STRAY_GRACE_S", 0.1)
    async with bench(tmp_path) as it:
        it.spawn("trap '' TERM; echo ready; while :; do sleep 0.01; done")
        await it.words(1)
        assert adoption.end_strays(["run"], it.state / "runs", 0.1) == 1
        assert it.members() == []


async def test_after_a_restart_of_the_machine_only_exit_files_count(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn("exec sleep 60", "other")
        other = it.main("other")
        for name in ("noted", "lost"):
            folder = RunDir(it.state / "runs", name)
            folder.create()
            facts = {"pid": other.pid, "start_ticks": other.start_ticks, "boot_id": "another", "shim_pid": 1}
            write(folder, "started", json.dumps(facts))
        write(it.folder("noted"), "exit", '{"code": 5}')
        it.machine.lose([inherited(name) for name in ("noted", "lost", "never")], "ended with the machine")
        assert (await it.exited("noted")).exit == ExitCode(5)
        assert (await it.exited("lost")).exit == ExitUnknown("ended with the machine")
        assert (await it.exited("never")).exit == ExitUnknown("ended with the machine")
        assert process.alive(other)


def test_command_that_ended_before_its_shim_could_say_so_counts_as_begun(tmp_path: Path) -> None:
    begun, never = (
        Run(RunId(id_), RunKind.TASK, "a", RunDir(tmp_path, id_), False) for id_ in ("begun", "never")
    )
    for run in (begun, never):
        run.dir.create()
    write(begun.dir, "log")

    assert adoption.began_nevertheless([begun, never]) == [begun]


async def test_shim_that_does_not_answer_holds_up_a_start_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Bench(tmp_path)
    first.spawn("exec sleep 60", "live", RunKind.START)
    first.shim.runs()
    main = first.main("live")
    assert first.shim.pid is not None
    os.kill(first.shim.pid, signal.SIGSTOP)
    await leave(first, answered=False)
    monkeypatch.setattr(shim_client, "ANSWER_S", 0.3)
    began = time.monotonic()
    it = Bench(tmp_path)
    assert time.monotonic() - began < 5
    it.machine.adopt([inherited("live", RunKind.START)])
    assert [fact.pid for fact in it.of("live") if isinstance(fact, Started)] == [main.pid]
    os.kill(first.shim.pid, signal.SIGCONT)
    process_signals.kill([main])
    assert it.machine.close() == 0
