"""Whole process trees: what belongs to a run, what is waited for, what is ended."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from supervisor.host.proc import process, process_tree
from supervisor.host.proc.process import ProcRef
from supervisor.model.action import Kill, RunKind, Terminate
from supervisor.model.exit import ExitCode, ExitSignal, ExitUnknown
from supervisor.model.fact import Exited, MainExited, Started
from supervisor.model.ids import RunId
from tests.host.runs.harness import Bench, bench, until

pytestmark = pytest.mark.anyio

TERM, KILL = ExitSignal(signal.SIGTERM), ExitSignal(signal.SIGKILL)
DAEMON = "(setsid sh -c 'echo $$; exec sleep 60' &)\n"
"""A double fork into a session of its own; says its pid."""


def is_gone(pid: str) -> bool:
    try:
        # X: it is being reaped at this moment.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


async def test_terminate_reaches_the_whole_tree(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn(
            f"{DAEMON} sleep 60 & echo $!; (sleep 60 & echo $!; wait) & echo $$; wait", kind=RunKind.START
        )
        pids = await it.words(4)
        it.machine.perform(Terminate(RunId("run")))
        assert (await it.exited()).exit == TERM
        assert all(map(is_gone, pids))
        assert not any(isinstance(fact, MainExited) for fact in it.facts)


async def test_kill_reaches_what_ignores_sigterm(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn(f"trap '' TERM; {DAEMON} echo $$; while :; do sleep 0.01; done")
        pids = await it.words(2)
        it.machine.perform(Terminate(RunId("run")))
        it.machine.perform(Kill(RunId("run")))
        assert (await it.exited()).exit == KILL
        assert all(map(is_gone, pids))


async def test_sigterm_does_not_end_what_ignores_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn("trap 'echo asked' TERM; echo ready; while :; do sleep 0.01; done", kind=RunKind.START)
        await it.words(1)
        it.machine.perform(Terminate(RunId("run")))
        await until(lambda: "asked" in it.log())
        assert process.alive(it.main())
        it.machine.perform(Kill(RunId("run")))
        assert (await it.exited()).exit == KILL


async def test_a_command_of_a_trap_does_its_work(tmp_path: Path) -> None:
    script = (
        "trap 'sh -c \"sleep 0.2; echo cleaned\"; exit 4' TERM; echo ready; while :; do sleep 0.01; done 2>&-"
    )
    async with bench(tmp_path) as it:
        it.spawn(script)
        await it.words(1)
        it.machine.perform(Terminate(RunId("run")))
        assert (await it.exited()).exit == ExitCode(4)
        assert it.log().split() == ["ready", "cleaned"]


async def test_a_stopped_process_acts_on_terminate(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn("trap 'exit 5' TERM; echo ready; kill -STOP $$; exit 6")
        await it.words(1)
        await until(lambda: _state(it.main().pid) == "T")
        it.machine.perform(Terminate(RunId("run")))
        assert (await it.exited()).exit == ExitCode(5)


async def test_many_that_stop_at_once_share_the_passes_over_proc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []
    census = process_tree.census

    def counted(runs: Mapping[str, ProcRef | None], *more: Any) -> process_tree.Members:
        passes.append(len(runs))
        return census(runs, *more)

    monkeypatch.setattr(process_tree, "census", counted)
    names = [f"many{number}" for number in range(40)]
    async with bench(tmp_path) as it:
        for name in names:
            it.spawn("echo up; exec sleep 60", name, RunKind.START)
        for name in names:
            await it.words(1, name)
        for name in names:
            it.machine.perform(Terminate(RunId(name)))
        for name in names:
            assert (await it.exited(name)).exit == TERM
        assert passes[0] == len(names)
        assert len(passes) < len(names), "each had two of its own"


async def test_what_is_asked_while_a_run_is_seen_out_is_done_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        for name in ("one", "two"):
            it.spawn("trap '' TERM; echo up; while :; do sleep 0.01; done", name, RunKind.START)
            await it.words(1, name)
            it.machine.perform(Terminate(RunId(name)))
        await until(lambda: it.machine._ender._endings is not None)
        it.machine.perform(Kill(RunId("one")))
        assert (await it.exited("one")).exit == KILL
        assert it.of("two")[1:] == []
        it.machine.perform(Kill(RunId("two")))
        assert (await it.exited("two")).exit == KILL
        await until(lambda: it.machine._ender._endings is None)


async def test_kill_right_after_the_spawn(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        for number in range(20):
            it.spawn("sleep 60", str(number))
            it.machine.perform(Kill(RunId(str(number))))
        for number in range(20):
            assert (await it.exited(str(number))).exit == KILL


async def test_what_a_task_leaves_in_the_background_lives_on_until_the_sweep(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn("sleep 60 & echo $!")
        assert (await it.exited()).exit == ExitCode(0)
        (pid,) = it.log().split()
        assert not is_gone(pid)
        assert await it.machine.sweep(5.0) == ()
        assert is_gone(pid)


async def test_the_sweep_finds_daemons_of_runs_long_gone_and_kills_the_stubborn(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn("(trap '' TERM; setsid sh -c 'echo $$; while :; do sleep 0.01; done' &)")
        (pid,) = await it.words(1)
        await it.exited()
        it.folder().remove()
        assert await it.machine.sweep(0.05) == ()
        assert is_gone(pid)


async def test_the_sweep_gives_no_grace_to_what_holds_logs(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn("sleep 60 & echo said")
        assert (await it.exited()).exit == ExitCode(0)
        with anyio.fail_after(10):
            assert await it.machine.sweep(60.0) == ()


async def test_the_sweep_finds_a_daemon_that_left_no_trace(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn("setsid --fork env -i sh -c 'echo $$; exec sleep 60'")
        (daemon,) = await it.words(1)
        assert (await it.exited()).exit == ExitCode(0)
        assert it.members() == []
        assert not is_gone(daemon)
        assert process_tree.strays(str(it.state / "runs")) == [], "it has no marker"

        assert await it.machine.sweep(5.0) == ()
        assert is_gone(daemon)


async def test_orphans_of_commands_are_reaped_by_the_shim(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn(
            "for i in $(seq 50); do (sh -c 'sleep 0.1; echo $PPID' &); done; exec sleep 60",
            kind=RunKind.START,
        )
        await it.words(50)
        shim = it.shim.shim_pid
        children = Path(f"/proc/{shim}/task/{shim}/children")
        await until(lambda: len(children.read_text().split()) == 2)  # the command and the keeper


async def test_the_sweep_spares_processes_of_others(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    async with bench(tmp_path / "one") as one, bench(tmp_path / "two") as two:
        one.spawn("sleep 60")
        assert await two.machine.sweep(0.0) == ()
        assert process.alive(one.main())


async def test_a_service_that_leaves_a_daemon_is_over_once_that_ended(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn(f"{DAEMON} exit 3", kind=RunKind.START)
        main = await it.main_exited()
        assert main.exit == ExitCode(3)
        (pid,) = await it.words(1)
        assert not is_gone(pid)
        it.machine.perform(Terminate(RunId("run")))
        assert (await it.exited()).exit == ExitCode(3)
        assert is_gone(pid)


async def test_a_service_alone_is_over_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn("exit 3", kind=RunKind.START)
        await it.exited()
        assert [type(fact) for fact in it.facts] == [Started, Exited]


async def test_asking_a_run_that_is_over_has_no_effect(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.spawn(":")
        await it.exited()
        before = list(it.facts)
        it.machine.perform(Terminate(RunId("run")))
        it.machine.perform(Kill(RunId("unknown")))
        it.spawn(":", "next")
        await it.exited("next")
        assert it.of("run") == before


async def test_without_pidfds_processes_are_watched_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    async with bench(tmp_path) as it:
        it.spawn(f"{DAEMON} exit 3", "service", RunKind.START)
        await it.main_exited("service")
        it.machine.perform(Terminate(RunId("service")))
        assert (await it.exited("service")).exit == ExitCode(3)
        it.spawn("sleep 60", "unseen")
        await it.fact(Started, "unseen")
        await lose_shim(it)
        it.machine.perform(Kill(RunId("unseen")))
        assert (await it.exited("unseen")).exit == ExitUnknown()


async def test_a_kernel_that_refuses_pidfds_counts_as_one_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(pid: int, flags: int = 0) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    async with bench(tmp_path) as it:
        it.spawn("sleep 60 & wait")
        it.machine.perform(Terminate(RunId("run")))
        assert (await it.exited()).exit == TERM


async def lose_shim(it: Bench) -> None:
    assert it.shim.pid is not None
    os.kill(it.shim.pid, signal.SIGKILL)
    await until(lambda: it.shim.pid is None)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
