"""A machine that is short of something: commands wait, and logs say what they may miss."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from supervisor.host.runs.spawn import pending_start
from supervisor.model.action import RunKind, Terminate
from supervisor.model.exit import SUCCESS, NotStarted
from supervisor.model.ids import RunId
from tests.host.runs.harness import Bench, bench, until
from tests.small_disk import small_disk

pytestmark = pytest.mark.anyio


@contextmanager
def no_descriptors(it: Bench) -> Iterator[None]:
    """The process that starts commands may open nothing more."""
    pid = it.shim.pid
    assert pid is not None
    it.shim.runs()  # it is there, and has opened what it opens at its start
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")), before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


async def waits(it: Bench) -> None:
    await until(lambda: bool(it.problems))
    [(what, why)] = it.problems
    assert what == "commands"
    assert "too many open files" in why


async def test_a_command_waits_for_what_the_machine_lacks(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        with no_descriptors(it):
            it.spawn("echo done", "one")
            it.spawn("echo done", "two")
            await waits(it)
            assert it.facts == []

        for run_id in ("one", "two"):
            assert (await it.exited(run_id)).exit == SUCCESS
            assert it.log(run_id) == "done\n"
        assert it.problems[1:] == [("commands", "")]


async def test_a_command_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending_start, "_PATIENCE_S", 0.2)
    async with bench(tmp_path) as it:
        with no_descriptors(it):
            it.spawn("echo done")
            end = (await it.exited()).exit

        assert isinstance(end, NotStarted)
        assert end.why == f"cannot write the log {it.folder().log}: too many open files"
        assert it.problems[-1] == ("commands", "")


@pytest.mark.parametrize("kind", [RunKind.TASK, RunKind.START])
async def test_a_command_that_waits_can_be_stopped(tmp_path: Path, kind: RunKind) -> None:
    async with bench(tmp_path) as it:
        with no_descriptors(it):
            it.spawn("echo done", kind=kind)
            await waits(it)
            it.machine.perform(Terminate(RunId("run")))
            end = (await it.exited()).exit

        assert isinstance(end, NotStarted)
        assert end.why.endswith("too many open files; it was to stop before it could start")


@pytest.fixture
def full_soon(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    with small_disk(tmp_path / "disk", "1m"):
        yield tmp_path / "disk"


async def test_a_full_disk_is_noticed_and_the_logs_say_what_they_may_miss(full_soon: Path) -> None:
    async with bench(full_soon, log_pipes=False) as it:
        script = "set +e; echo begun; while [ ! -e ../go ]; do echo lost; sleep 0.05; done 2>/dev/null; echo on; exit 3"
        it.spawn(script)
        await it.words(1)
        with pytest.raises(OSError, match="No space left"):
            (full_soon / "fill").write_bytes(bytes(1 << 21))
        await until(lambda: bool(it.problems))
        assert it.problems == [("disk", "no space left on it")]

        (full_soon / "fill").unlink()
        await until(lambda: len(it.problems) == 2)
        assert it.problems[1] == ("disk", "")
        (full_soon / "go").touch()
        await it.exited()
        note = next(line for line in it.log().splitlines() if "supervisor:" in line)
        assert "supervisor: the disk was full for " in note
        assert it.log().endswith("on\n")
