"""State files that were cut off, overwritten or planted: the next supervisor starts, says so, and what lives goes on.

A file is hurt while no supervisor runs and the commands do. Whatever was in it, the next supervisor serves, nothing is
started twice, and it can end everything.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor.host.runs.run_directory import RunDir
from tests.faults.scene import Scene, until, until_or_last

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

FILE = """
services:
  web:
    name: Web
    triggeredBy: [postEnvironmentStart]
    commands: {start: 'echo $SUPERVISOR_RUN_ID >>marks/web; exec sleep 1000'}
tasks:
  build:
    name: Build
    triggeredBy: [postEnvironmentStart]
    command: 'echo $SUPERVISOR_RUN_ID >>marks/build; until [ -e go ]; do sleep 0.02; done; exit 7'
"""


def begun(scene: Scene) -> int:
    """A supervisor with everything under way is killed; returns the pid of the service."""
    scene.project.write(FILE)
    scene.start()
    until(lambda: scene.phases() == {"web": "running"} and len(scene.marks()) == 2, "both commands")
    scene.kill()
    return web(scene)


def web(scene: Scene) -> int:
    (pid,) = (pid for pid, command in scene.project.processes().items() if command == "sleep 1000")
    return pid


def run_dir(scene: Scene, reference: str) -> Path:
    (mark,) = scene.marks()[reference]
    return scene.state / "runs" / mark


def until_noted(scene: Scene, reference: str) -> None:
    """Wait until the end of a run is written down."""
    folder = run_dir(scene, reference)
    until(lambda: RunDir(folder.parent, folder.name).facts().exit, f"the end of {reference}")


def truncated(path: Path, dice: random.Random) -> None:
    os.truncate(path, dice.randrange(path.stat().st_size) if path.stat().st_size else 0)


def emptied(path: Path, _dice: random.Random) -> None:
    os.truncate(path, 0)


def overwritten(path: Path, dice: random.Random) -> None:
    """Some bytes in the middle are others."""
    data = bytearray(path.read_bytes())
    for _ in range(min(len(data), 200)):
        data[dice.randrange(len(data))] = dice.randrange(256)
    path.write_bytes(data)


def replaced(path: Path, dice: random.Random) -> None:
    path.write_bytes(dice.randbytes(5000))


Hurt = Callable[[Path, random.Random], None]
HURTS: list[Hurt] = [truncated, emptied, overwritten, replaced]
drawn = pytest.mark.parametrize("hurt", [pytest.param(hurt, id=hurt.__name__) for hurt in HURTS])
SMALL = ["lock", "workspace", "token.key", "run-facts"]


@drawn
@pytest.mark.parametrize("name", SMALL)
def test_hurt_file_costs_nothing_that_runs(scene: Scene, name: str, hurt: Hurt, dice: random.Random) -> None:
    service = begun(scene)
    hurt(scene.state / name, dice)

    scene.start()

    assert web(scene) == service
    assert scene.phases() == {"web": "running"}
    (scene.folder / "go").touch()
    until(lambda: not scene.client().status()["executions"], "the end of the task")
    (execution,) = scene.client().pages("ListTaskExecutions", "taskExecutions")
    assert scene.client().execution(execution["id"])["reason"] == 'step "build" exited 7'
    scene.in_agreement()
    scene.end()


@drawn
def test_hurt_facts_are_no_exit_status(scene: Scene, hurt: Hurt, dice: random.Random) -> None:
    begun(scene)
    (scene.folder / "go").touch()
    until_noted(scene, "build")
    hurt(scene.state / "run-facts", dice)

    scene.start()

    until(lambda: not scene.client().status()["executions"], "the end of the task")
    (execution,) = scene.client().pages("ListTaskExecutions", "taskExecutions")
    reason = scene.client().execution(execution["id"])["reason"]
    assert reason in ('step "build" exited 7', 'step "build" ended, exit status unknown')
    scene.in_agreement()
    scene.end()


@pytest.mark.parametrize("shim", ["lives", "is killed"])
def test_removed_facts_cost_an_exit_status_at_most(scene: Scene, shim: str) -> None:
    service = begun(scene)
    (scene.state / "run-facts").unlink()
    if shim == "is killed":
        for pid in scene.project.shims():
            os.kill(pid, signal.SIGKILL)

    scene.start()

    assert web(scene) == service
    assert scene.phases() == {"web": "running"}
    (scene.folder / "go").touch()
    until(lambda: not scene.client().status()["executions"], "the end of the task")
    (execution,) = scene.client().pages("ListTaskExecutions", "taskExecutions")
    end = "exited 7" if shim == "lives" else "ended, exit status unknown"
    assert scene.client().execution(execution["id"])["reason"] == f'step "build" {end}'
    until((scene.state / "run-facts").exists, "a new journal")
    scene.in_agreement()
    scene.end()


@drawn
@pytest.mark.parametrize("name", ["state.db", "state.db-wal"])
def test_hurt_database_is_set_aside_and_nothing_runs_twice(
    scene: Scene, name: str, hurt: Hurt, dice: random.Random
) -> None:
    begun(scene)
    hurt(scene.state / name, dice)

    scene.start()
    until(lambda: scene.phases().get("web") == "running", "the service")

    # What of the records was lost is run again, with nothing of it left from before.
    (scene.folder / "go").touch()
    until(lambda: not scene.client().status()["executions"], "the end of the tasks")
    # Not that no id ran twice: where only the last records were lost, the same firing gives the same ids again.
    assert until_or_last(scene.disagreements, lambda said: not said) == []
    assert [command for command in scene.project.processes().values() if command == "sleep 1000"] == [
        "sleep 1000"
    ]
    scene.end()


@pytest.mark.parametrize("name", ["shim.sock", "api.sock"])
@pytest.mark.parametrize("by", ["nothing", "a file", "a folder"])
def test_lost_socket_costs_nothing_that_runs(scene: Scene, name: str, by: str) -> None:
    service = begun(scene)
    path = scene.state / name
    path.unlink()
    if by == "a file":
        path.write_text("no socket")
    elif by == "a folder":
        path.mkdir()
    if name == "api.sock" and by != "nothing":
        refused(scene, f"cannot listen on the socket {path}: there is a file that is not a socket")
        path.unlink() if path.is_file() else path.rmdir()

    scene.start()

    assert web(scene) == service
    (scene.folder / "go").touch()
    until(lambda: not scene.client().status()["executions"], "the end of the task")
    (execution,) = scene.client().pages("ListTaskExecutions", "taskExecutions")
    assert scene.client().execution(execution["id"])["reason"] == 'step "build" exited 7'
    scene.in_agreement()
    scene.end()


def refused(scene: Scene, sentence: str) -> None:
    """A supervisor cannot begin, and says so in one line."""
    program = scene.launch()
    assert program.process.wait(60) == 1
    assert program.process.stderr is not None
    (line,) = program.process.stderr.read().decode().splitlines()
    assert sentence in line


def test_removed_run_directory_is_a_run_that_never_began(scene: Scene) -> None:
    """Nothing tells it from one that was stored and not begun: the command runs, again or not, and its end is right."""
    service = begun(scene)
    folder = run_dir(scene, "build")
    (scene.folder / "go").touch()
    until_noted(scene, "build")
    shutil.rmtree(folder)
    (scene.state / "run-facts").unlink()

    scene.start()

    until(lambda: not scene.client().status()["executions"], "the end of the task")
    (execution,) = scene.client().pages("ListTaskExecutions", "taskExecutions")
    assert scene.client().execution(execution["id"])["reason"] == 'step "build" exited 7'
    assert web(scene) == service
    scene.end()
