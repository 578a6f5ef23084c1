"""Probes: what the machine reports of a ready command that a shim runs again and again, and what becomes of them."""

import os
import shutil
import signal
from pathlib import Path

import anyio
import pytest

from supervisor.model.action import Discard, Kill, RunKind, Spawn, Terminate
from supervisor.model.exit import SUCCESS, ExitCode, NotStarted
from supervisor.model.fact import Exited, ProbeEnded, Started
from supervisor.model.ids import RunId, ServiceId
from supervisor.model.spec import EnvVar, SecretRef
from tests.host.runs.harness import Bench, bench, inherited, leave, until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_shim_left")]
ID = RunId("web.2")
DAEMON = "setsid sleep 1000 >/dev/null 2>&1 &"


def probe(it: Bench, script: str) -> None:
    it.spawn(script, ID, RunKind.READY)


async def probed(it: Bench, count: int = 1) -> list[ProbeEnded]:
    """Wait until so many ends of probes were reported."""
    await until(lambda: len(ends(it)) >= count)
    return ends(it)


def ends(it: Bench) -> list[ProbeEnded]:
    return [fact for fact in it.of(ID) if isinstance(fact, ProbeEnded)]


def runs(it: Bench) -> int:
    """How many probes began, of those that note it in a file."""
    file = it.workspace / "runs"
    return file.read_text().count(".") if file.exists() else 0


async def test_probes_run_until_one_exits_0_and_leave_nothing_on_the_disk(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        probe(it, "printf . >> runs; echo not yet; test -e ready")
        [first] = await probed(it)
        assert (first.exit, first.tail, first.output) == (ExitCode(1), "not yet\n", "not yet\n")
        (it.workspace / "ready").touch()
        assert await it.exited(ID) == Exited(ID, SUCCESS)
        last = ends(it)[-1]
        assert (last.exit, last.tail, last.output) == (SUCCESS, "", "not yet\n")
        assert os.listdir(it.state / "runs") == []
        assert not [fact for fact in it.of(ID) if isinstance(fact, Started)]
        it.machine.perform(Discard((ID,)))


async def test_a_probe_sees_what_other_commands_see(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        probe(it, 'pwd; echo "$SUPERVISOR_RUN_ID"; echo K=V >> "$GITPOD_OUTPUT"; cat "$GITPOD_OUTPUT"')
        await it.exited(ID)
        assert ends(it)[-1].output == f"{it.workspace}\nweb.2\n"


async def test_the_last_lines_are_told_and_what_is_not_utf_8_is_replaced(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        probe(it, "seq 100; printf '\\377\\n'; exit 1")
        [end] = await probed(it)
        assert end.tail.splitlines() == [*(str(number) for number in range(82, 101)), "\ufffd"]
        assert end.output.endswith("100\n\udcff\n")


async def test_what_a_probe_leaves_behind_is_killed_before_the_next_one(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        probe(
            it,
            f"printf . >> runs; {DAEMON} [ $(pgrep -c -f 'sleep 100[0]') = 1 ] || echo two >> wrong; exit 1",
        )
        await until(lambda: runs(it) >= 2)
        it.machine.perform(Kill(ID))
        await it.exited(ID)
        assert it.members(ID) == []


async def test_what_the_last_probe_leaves_behind_is_killed_before_it_is_over(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        probe(it, DAEMON)
        assert (await it.exited(ID)).exit == SUCCESS
        assert it.members(ID) == []


@pytest.mark.parametrize("action", [Kill(ID), Terminate(ID)])
async def test_probes_that_are_not_wanted_end(tmp_path: Path, action: Kill | Terminate) -> None:
    async with bench(tmp_path) as it:
        probe(it, "printf . >> runs; trap '' TERM; while :; do sleep 0.1; done")
        await until(lambda: runs(it) == 1)
        it.machine.perform(action)
        it.machine.perform(action)
        await it.exited(ID)
        assert it.members(ID) == []
        assert len([fact for fact in it.of(ID) if isinstance(fact, Exited)]) == 1


async def test_probes_end_before_the_shim_has_answered(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        probe(it, "exit 1")
        it.machine.perform(Kill(ID))
        await it.exited(ID)


async def test_probes_end_although_the_shim_does_not_answer(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        probe(it, "printf . >> runs; sleep 1000")
        await until(lambda: runs(it) == 1)
        os.kill(it.shim.shim_pid, signal.SIGSTOP)
        try:
            it.machine.perform(Kill(ID))
            await it.exited(ID)
            assert it.members(ID) == []
        finally:
            os.kill(it.shim.shim_pid, signal.SIGCONT)


async def test_probes_go_on_with_another_shim(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        probe(it, "printf . >> runs; sleep 1000 & [ -e ready ] || wait; exit 0")
        await until(lambda: runs(it) == 1)
        (it.workspace / "ready").touch()
        os.kill(it.shim.shim_pid, signal.SIGKILL)
        assert (await it.exited(ID)).exit == SUCCESS
        assert runs(it) == 2
        assert it.members(ID) == []


async def test_probes_that_are_killed_when_their_shim_is_lost_end(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        probe(it, "printf . >> runs; sleep 1000")
        await until(lambda: runs(it) == 1)
        os.kill(it.shim.shim_pid, signal.SIGKILL)
        it.machine.perform(Kill(ID))
        await it.exited(ID)
        assert it.members(ID) == []


async def test_what_keeps_probes_from_starting_is_told_once_and_they_begin_later(tmp_path: Path) -> None:
    (programs := tmp_path / "programs").mkdir()
    async with bench(tmp_path, env={"PATH": str(programs)}) as it:
        probe(it, "if true; then echo here; fi")
        [end] = await probed(it)
        assert isinstance(end.exit, NotStarted)
        assert end.exit.why.startswith("cannot run bash or sh: not found on PATH")
        (programs / "bash").symlink_to(shutil.which("bash") or "/bin/bash")
        assert (await it.exited(ID)).exit == SUCCESS
        assert [end.output for end in ends(it)] == ["", "here\n"]


async def test_a_secret_that_does_not_exist_is_a_reason(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        env = (EnvVar("S", SecretRef("x")),)
        it.machine.perform(Spawn(ID, RunKind.READY, ServiceId("web"), "web", "exit 0", None, env))
        [end] = await probed(it)
        assert isinstance(end.exit, NotStarted)
        it.machine.perform(Kill(ID))
        await it.exited(ID)


async def test_a_script_that_somebody_removed_is_made_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        probe(it, "if true; then :; fi\ntest -e ready\nexit $?")
        await probed(it)
        shutil.rmtree(it.state / "scripts", ignore_errors=True)
        await probed(it, 2)
        (it.workspace / "ready").touch()
        assert (await it.exited(ID)).exit == SUCCESS


async def test_the_next_supervisor_goes_on_with_a_probe_that_runs(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    script = "printf . >> runs; until [ -e go ]; do sleep 0.01; done; echo went"
    probe(first, script)
    await until(lambda: runs(first) == 1)
    await leave(first)
    async with bench(tmp_path) as it:
        it.machine.adopt([inherited(ID, RunKind.READY, script)])
        (it.workspace / "go").touch()
        assert (await it.exited(ID)).exit == SUCCESS
        assert runs(it) == 1
        assert ends(it)[-1].output == "went\n"


async def test_the_next_supervisor_ends_probes_that_were_to_end(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    probe(first, "printf . >> runs; sleep 1000")
    await until(lambda: runs(first) == 1)
    await leave(first)
    async with bench(tmp_path) as it:
        it.machine.adopt([inherited(ID, RunKind.READY, told=Kill)])
        await it.exited(ID)
        assert it.members(ID) == []


async def test_probes_whose_shim_and_supervisor_were_killed_begin_anew(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    script = "printf . >> runs; [ $(wc -c < runs) = 2 ] || sleep 1000"
    probe(first, script)
    await until(lambda: runs(first) == 1)
    shim = first.shim.shim_pid
    await leave(first)
    os.kill(shim, signal.SIGKILL)
    await until(lambda: os.waitpid(shim, os.WNOHANG)[0] == shim)
    async with bench(tmp_path) as it:
        it.machine.adopt([inherited(ID, RunKind.READY, script)])
        assert (await it.exited(ID)).exit == SUCCESS
        assert runs(it) == 2
        assert it.members(ID) == []


async def test_sweep_ends_what_probes_left(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        probe(it, "printf . >> runs; sleep 1000")
        await until(lambda: runs(it) == 1)
        it.machine.perform(Kill(ID))
        await it.exited(ID)
        with anyio.fail_after(20):
            assert await it.machine.sweep(0.0) == ()
