"""Trees that are hard to end: processes that only fork and leave, and such as no signal reaches."""

import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.host.runs import tree_ending
from supervisor.model.action import Kill, RunKind
from supervisor.model.exit import ExitSignal
from supervisor.model.ids import RunId
from tests.host.runs.harness import bench, until

pytestmark = pytest.mark.anyio

FREEZER = "/sys/fs/cgroup/freezer"


@pytest.fixture
def freezer() -> Iterator[Path]:
    """A control group, version 1, that freezes: what is in it is in state D, and SIGKILL waits like all signals."""
    group = Path(FREEZER, f"supervisor-test-{uuid.uuid4().hex[:8]}")
    try:
        group.mkdir()
    except OSError:
        pytest.skip("there is no freezer of control groups, version 1")
    yield group
    (group / "freezer.state").write_text("THAWED")
    group.rmdir()


async def test_processes_that_only_fork_and_leave_are_caught(tmp_path: Path) -> None:
    hop = tmp_path / "hop"
    hop.write_text(f"#!/bin/sh\n{hop} &\n")
    hop.chmod(0o755)
    async with bench(tmp_path) as it:
        it.spawn("for i in 1 2 3 4; do ../hop; done; echo ready; sleep 60")
        await it.words(1)
        it.machine.perform(Kill(RunId("run")))
        assert (await it.exited()).survivors == ()
        assert it.members() == []


async def test_a_storm_of_forks_is_ended(tmp_path: Path) -> None:
    # Eight lines of processes that live for less than a millisecond each.
    storm = (
        "import os\nfor _ in range(8):\n if os.fork() == 0:\n  while True:\n   if os.fork(): os._exit(0)\n"
        "import signal; os.write(1, b'ready'); signal.pause()"
    )
    (tmp_path / "storm.py").write_text(storm)
    async with bench(tmp_path) as it:
        it.spawn(f"exec {sys.executable} -I -S ../storm.py")
        await it.words(1)
        it.machine.perform(Kill(RunId("run")))
        assert (await it.exited()).survivors == ()
        assert it.members() == []


async def test_a_process_that_waits_for_a_child_amid_its_fork(tmp_path: Path) -> None:
    # vfork(2): the parent sleeps uninterruptibly until its child executes, and that one waits for a FIFO.
    (tmp_path / "workspace").mkdir()
    os.mkfifo(tmp_path / "workspace" / "fifo")
    fork = "import os; os.posix_spawn('/bin/true', ['true'], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 0, 'fifo', 0, 0)])"
    async with bench(tmp_path) as it:
        it.spawn(f'exec {sys.executable} -I -S -c "{fork}"')
        await until(lambda: state(it.main().pid) == "D")
        it.machine.perform(Kill(RunId("run")))
        assert isinstance((await it.exited()).exit, ExitSignal)
        assert it.members() == []


@pytest.mark.parametrize("kind", [RunKind.START, RunKind.OPERATION])
async def test_what_sigkill_does_not_end_is_named_with_its_state(
    tmp_path: Path, freezer: Path, monkeypatch: pytest.MonkeyPatch, kind: RunKind
) -> None:
    monkeypatch.setattr(tree_ending, "KILL_BOUND_S", 0.5)
    async with bench(tmp_path) as it:
        it.spawn("exec sleep 60", kind=kind)
        await until(lambda: it.folder().facts().started is not None)
        pid = it.main().pid
        await until(lambda: name(pid) == "sleep")
        (freezer / "cgroup.procs").write_text(str(pid))
        (freezer / "freezer.state").write_text("FROZEN")
        await until(lambda: state(pid) == "D")
        it.machine.perform(Kill(RunId("run")))
        end = await it.exited()
        assert [str(survivor) for survivor in end.survivors] == [f"{pid} (sleep, state D)"]
        said = it.output()[1].decode() if kind is RunKind.OPERATION else it.log()
        assert kind is RunKind.START or end.written == (0, len(said))
        (said,) = said.splitlines()
        assert said.startswith(f"supervisor: SIGKILL does not end {pid} (sleep, state D)")
        assert [survivor.pid for survivor in await it.machine.sweep(0.0)] == [pid], "nor does the sweep hang"
        (freezer / "freezer.state").write_text("THAWED")
        await until(lambda: not os.path.exists(f"/proc/{pid}"))


def name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""
