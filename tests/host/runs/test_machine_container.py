"""Commands in containers, with a container engine that only writes down what it was asked."""

import os
from pathlib import Path

import pytest

from supervisor.model.action import Kill, RunKind, Spawn, Terminate
from supervisor.model.exit import ExitSignal, NotStarted
from supervisor.model.ids import RunId, item_id
from supervisor.model.spec import Docker, EnvVar
from tests.host.runs.harness import bench

pytestmark = pytest.mark.anyio

ENGINE = """#!/bin/sh
echo "$@" >>"${0%/*}/asked"
[ "$1" = run ] && echo ready && exec sleep 60
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the engine was asked, one line each."""
    engine = tmp_path / "bin" / "docker"
    engine.parent.mkdir()
    engine.write_text(ENGINE)
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{engine.parent}:{os.environ['PATH']}")
    return engine.parent / "asked"


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


SPAWN = Spawn(
    RunId("run"), RunKind.TASK, item_id("id"), "run", "make", Docker("debian"), (EnvVar("MINE", "1"),)
)


@pytest.mark.parametrize(("ask", "signal"), [(Kill(RunId("run")), 9), (Terminate(RunId("run")), 15)])
async def test_a_stopped_container_is_removed(
    tmp_path: Path, asked: Path, ask: Kill | Terminate, signal: int
) -> None:
    async with bench(tmp_path, {"PATH": os.environ["PATH"], "MINE": "1"}) as it:
        it.machine.perform(SPAWN)
        assert it.folder().in_container
        await it.words(1)
        it.machine.perform(ask)
        assert (await it.exited()).exit == ExitSignal(signal)
        run, removed = lines(asked)
        assert "--env MINE" in run
        assert "debian" in run
        assert run.endswith("make -e")
        assert removed.startswith("rm --force")


async def test_no_container_engine(tmp_path: Path) -> None:
    async with bench(tmp_path, {"PATH": "/nowhere"}) as it:
        it.machine.perform(SPAWN)
        assert (await it.exited()).exit == NotStarted('cannot run docker: not found on PATH "/nowhere"')
