"""An event loop that stands still is told of, with the place where it was."""

import time
from pathlib import Path

import anyio
import pytest

from supervisor.host.proc import loop_lag
from supervisor.host.proc.loop_lag import Lag
from tests.host.runs.harness import until

pytestmark = pytest.mark.anyio


def blocks_the_loop(seconds: float) -> None:
    time.sleep(seconds)


async def test_loop_that_stood_still_is_told_of_with_its_stack(tmp_path: Path) -> None:
    notices: list[str] = []
    heard: list[float] = []
    it = Lag(tmp_path / "stalls", notices.append)
    it.heard = heard.append
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(it.run, 0.01, 0.2)
        await until(lambda: len(heard) >= 2)
        blocks_the_loop(1.0)
        await until(lambda: it.stalls == 1)
        tasks.cancel_scope.cancel()
    assert it.worst_s >= 0.7
    assert notices[0].startswith("the supervisor stood still for ")
    assert notices[0].endswith(str(tmp_path / "stalls"))
    assert "in blocks_the_loop" in (tmp_path / "stalls").read_text()


async def test_loop_that_turns_writes_nothing(tmp_path: Path) -> None:
    it = Lag(tmp_path / "stalls", lambda _: None)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(it.run, 0.01, 30.0)
        await until(lambda: it.worst_s > 0)
        tasks.cancel_scope.cancel()
    assert (tmp_path / "stalls").read_text() == ""


async def test_file_of_stacks_is_begun_anew_when_it_is_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_lag, "KEPT_BYTES", 100)
    stalls = tmp_path / "stalls"
    stalls.write_bytes(bytes(101))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Lag(stalls, lambda _: None).run)
        await until(lambda: stalls.stat().st_size == 0)
        tasks.cancel_scope.cancel()


async def test_disk_that_takes_nothing_does_not_keep_it_from_measuring(tmp_path: Path) -> None:
    it = Lag(tmp_path / "no such folder" / "stalls", lambda _: None)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(it.run, 0.01, 0.1)
        await until(lambda: it.worst_s > 0)
        tasks.cancel_scope.cancel()
