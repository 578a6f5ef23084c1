"""Whole trees by control group: what session, marker and parents do not show."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.host.proc import cgroups
from supervisor.host.proc.cgroups import Cgroups
from supervisor.model.action import Discard, Kill, RunKind, Terminate
from supervisor.model.exit import ExitCode, ExitSignal
from supervisor.model.fact import MainExited, Started
from supervisor.model.ids import RunId
from tests.host.runs.harness import Bench, bench, inherited, leave, until
from tests.host.runs.test_machine_tree import is_gone
from tests.shim.test_shim import reaped, shim_of

pytestmark = pytest.mark.anyio

HIDDEN = "(setsid env -i sh -c 'echo $$; exec sleep 60' &)\n"
"""A double fork into a session of its own, without a marker; says its pid."""


@pytest.fixture
def groups(tmp_path: Path) -> Iterator[Cgroups]:
    found = Cgroups.of(tmp_path)
    if found is None:
        pytest.skip("there is no tree of control groups that is ours")
    yield found
    assert not os.path.exists(found.folder), "the machine removes it"


async def test_a_command_is_in_a_group_of_its_own_and_the_shim_is_not(
    tmp_path: Path, groups: Cgroups
) -> None:
    async with bench(tmp_path, cgroups=groups) as it:
        it.spawn("grep ^0:: /proc/self/cgroup; sleep 60", kind=RunKind.START)
        await it.words(1)
        assert it.log().strip().endswith(f"/{os.path.basename(groups.folder)}/run")
        facts = it.folder().facts().started
        assert facts is not None
        assert facts.cgroup == f"{groups.folder}/run"
        shim, *keeper = cgroups.processes(groups.shims)
        assert (shim, len(keeper)) == (it.shim.pid, 1)
        it.machine.perform(Kill(RunId("run")))
        assert (await it.exited()).exit == ExitSignal(signal.SIGKILL)
        await until(lambda: groups.runs() == [])
        it.spawn("exit 3", "next")
        assert (await it.exited("next")).exit == ExitCode(3), "the shim was not in it"


@pytest.mark.parametrize("ask", [Terminate, Kill])
async def test_what_nothing_else_shows_is_ended(
    tmp_path: Path, groups: Cgroups, ask: type[Terminate | Kill]
) -> None:
    async with bench(tmp_path, cgroups=groups) as it:
        it.spawn(f"{HIDDEN} sleep 60", kind=RunKind.START)
        it.spawn("sleep 60", "other")
        (pid,) = await it.words(1)
        assert pid not in {str(ref.pid) for ref in it.members()}
        it.machine.perform(ask(RunId("run")))
        await it.exited()
        assert is_gone(pid)
        assert [type(fact) for fact in it.of("other")] == [Started]


async def test_a_service_that_leaves_a_hidden_daemon_is_over_once_that_ended(
    tmp_path: Path, groups: Cgroups
) -> None:
    async with bench(tmp_path, cgroups=groups) as it:
        it.spawn(f"{HIDDEN} exit 3", kind=RunKind.START)
        await it.main_exited()
        (pid,) = await it.words(1)
        assert not is_gone(pid)
        it.machine.perform(Terminate(RunId("run")))
        assert (await it.exited()).exit == ExitCode(3)
        assert is_gone(pid)
        assert len([fact for fact in it.facts if isinstance(fact, MainExited)]) == 1


async def test_a_hidden_daemon_of_a_task_lives_on_until_the_sweep(tmp_path: Path, groups: Cgroups) -> None:
    async with bench(tmp_path, cgroups=groups) as it:
        it.spawn(HIDDEN)
        assert (await it.exited()).exit == ExitCode(0)
        (pid,) = await it.words(1)
        assert not is_gone(pid)
        assert groups.runs() == [f"{groups.folder}/run"]
        assert await it.machine.sweep(5.0) == ()
        assert is_gone(pid)


async def test_the_group_of_a_discarded_run_goes_once_nothing_lives_in_it(
    tmp_path: Path, groups: Cgroups
) -> None:
    async with bench(tmp_path, cgroups=groups) as it:
        it.spawn(HIDDEN)
        await it.exited()
        (pid,) = await it.words(1)
        os.kill(int(pid), signal.SIGKILL)
        await until(lambda: not cgroups.populated(f"{groups.folder}/run"))
        it.machine.perform(Discard((RunId("run"),)))
        await until(lambda: groups.runs() == [])


async def test_groups_that_a_command_makes_go_with_it(tmp_path: Path, groups: Cgroups) -> None:
    own = f"{groups.folder}/run"
    async with bench(tmp_path, cgroups=groups) as it:
        it.spawn(f"mkdir -p {own}/one/two; echo $$ >{own}/one/two/cgroup.procs; echo in; exec sleep 60")
        await it.words(1)
        it.machine.perform(Terminate(RunId("run")))
        await it.exited()
        await until(lambda: groups.runs() == [])


async def test_processes_that_only_fork_and_leave_are_caught(tmp_path: Path, groups: Cgroups) -> None:
    # Each hop is a new process in a new session without a marker, and lives for a few milliseconds.
    hop = tmp_path / "hop"
    hop.write_text(f"#!/bin/sh\nsetsid env -i PATH=$PATH {hop} &\n")
    hop.chmod(0o755)
    async with bench(tmp_path, cgroups=groups) as it:
        it.spawn("for i in 1 2 3 4; do ../hop; done; echo ready; sleep 60")
        await it.words(1)
        it.machine.perform(Kill(RunId("run")))
        assert (await it.exited()).survivors == ()
        await until(lambda: groups.runs() == [])


async def test_hidden_daemons_of_a_run_that_no_record_names_are_ended(
    tmp_path: Path, groups: Cgroups
) -> None:
    async with bench(tmp_path, cgroups=groups) as it:
        it.spawn(f"{HIDDEN} exit 0")
        await it.exited()
        (pid,) = await it.words(1)
        assert it.machine.clear(()) == 1
        assert is_gone(pid)


async def test_a_group_that_cannot_be_made_costs_no_run(tmp_path: Path, groups: Cgroups) -> None:
    async with bench(tmp_path, cgroups=groups) as it:
        (Path(groups.folder) / "cgroup.max.descendants").write_text("1")
        it.spawn("sleep 60 & exit 3", kind=RunKind.START)
        await it.main_exited()
        it.machine.perform(Terminate(RunId("run")))
        assert (await it.exited()).exit == ExitCode(3)


async def test_a_group_that_cannot_be_entered_costs_no_run(tmp_path: Path, groups: Cgroups) -> None:
    async with bench(tmp_path, cgroups=groups) as it:
        groups.make("run")
        (Path(groups.folder) / "run" / "cgroup.type").write_text("threaded")
        it.spawn("sleep 60 & exit 3", kind=RunKind.START)
        await it.main_exited()
        it.machine.perform(Terminate(RunId("run")))
        assert (await it.exited()).exit == ExitCode(3)


async def test_an_adopted_run_keeps_its_group(tmp_path: Path, groups: Cgroups) -> None:
    first = Bench(tmp_path, cgroups=groups)
    first.spawn(f"{HIDDEN} sleep 60", kind=RunKind.START)
    (pid,) = await first.words(1)
    shim = shim_of(first)
    await leave(first)
    async with bench(tmp_path, cgroups=Cgroups.of(tmp_path)) as it:
        it.machine.adopt([inherited("run", RunKind.START)])
        it.machine.perform(Terminate(RunId("run")))
        await it.exited()
        assert is_gone(pid)
    await reaped(shim)


async def test_many_runs_leave_no_group_behind(tmp_path: Path, groups: Cgroups) -> None:
    async with bench(tmp_path, cgroups=groups) as it:
        for number in range(50):
            it.spawn(f"exit {number}", str(number))
        for number in range(50):
            assert (await it.exited(str(number))).exit == ExitCode(number)
        await until(lambda: groups.runs() == [])


async def test_an_operation_is_ended_with_what_nothing_else_shows_and_leaves_it_if_it_ends_by_itself(
    tmp_path: Path, groups: Cgroups
) -> None:
    async with bench(tmp_path, cgroups=groups) as it:
        it.operation(f"{HIDDEN} sleep 60")
        it.operation(HIDDEN, "left")
        assert (await it.exited("left")).exit == ExitCode(0)
        await until(lambda: len(it.output("run")[0].split()) == 1 and len(it.output("left")[0].split()) == 1)
        hidden, left = (it.output(name)[0].decode().strip() for name in ("run", "left"))
        it.machine.perform(Terminate(RunId("run")))
        assert (await it.exited()).exit == ExitSignal(signal.SIGTERM)
        assert is_gone(hidden)
        assert not is_gone(left)
        await until(lambda: groups.runs() == [f"{groups.folder}/left"])
