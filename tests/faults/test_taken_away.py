"""What a supervisor relies on is removed or replaced while it runs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from supervisor.model.sysexits import EXIT_FAILED
from tests.faults.scene import Scene, read_errors, until
from tests.removal import remove

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

FILE = """
services:
  web: {name: Web, triggeredBy: [postEnvironmentStart], commands: {start: echo hello; exec sleep 1000}}
tasks:
  build: {name: Build, command: echo built}
"""


def answers(scene: Scene) -> bool:
    from supervisor.cli.remote.discovery import NotRunning
    from supervisor.model.errors import SupervisorError

    try:
        return bool(scene.client(2.0).status()["pid"] == scene.supervisor.pid)
    except (NotRunning, SupervisorError):
        return False


@pytest.mark.parametrize("transport", ["file", "pipe"])
def test_state_directory_that_is_removed_is_made_again_and_nothing_is_lost(
    scene: Scene, transport: str
) -> None:
    scene.project.write(FILE)
    scene.start(SUPERVISOR_LOG_TRANSPORT=transport)
    until(lambda: scene.phases() == {"web": "running"}, "the service")
    main = scene.project.processes()

    remove(scene.state)
    second = scene.project.program("run", "--listen", "none")
    assert second.process.wait(60) == 4, read_errors(second)
    assert scene.supervisor.process.poll() is None

    until(lambda: answers(scene), "an answer on the socket")
    assert scene.phases() == {"web": "running"}
    execution = scene.client().call("StartTask", id=scene.tasks()["build"])["taskExecution"]["id"]
    until(lambda: scene.client().execution(execution)["exitStatus"] == 0, "the task")
    log = scene.state / "runs" / f"{scene.services()['web']['id']}.1" / "log"
    if transport == "pipe":
        until(lambda: b": it was removed" in read(log), "the word about the log")
        until(lambda: not scene.client().status()["troubles"], "the end of the trouble")
    else:
        until(lambda: b"the log was removed" in read(log), "the word about the log")
        (trouble,) = scene.client().status()["troubles"]
        assert (trouble["what"], "it was removed" in trouble["why"]) == ("logs", True)
    for name in ("lock", "workspace", "state.db", "api.sock", "shim.sock", "runs"):
        until((scene.state / name).exists, name)

    scene.kill()
    scene.start()
    assert scene.phases() == {"web": "running"}
    assert {pid for pid, command in scene.project.processes().items() if "sleep" in command} == {
        pid for pid, command in main.items() if "sleep" in command
    }
    scene.end()


@pytest.mark.parametrize("name", ["lock", "api.sock", "shim.sock", "state.db", "runs"])
def test_each_piece_that_is_removed_is_there_again(scene: Scene, name: str) -> None:
    scene.project.write(FILE)
    scene.start()
    until(lambda: scene.phases() == {"web": "running"}, "the service")
    path = scene.state / name
    remove(path) if path.is_dir() else path.unlink()

    until(path.exists, "the piece")
    until(lambda: answers(scene), "an answer")
    scene.kill()
    scene.start()
    assert scene.phases() == {"web": "running"}
    scene.end()


def test_what_cannot_be_put_right_is_in_the_status_and_in_the_exit_status(
    scene: Scene, tmp_path: Path
) -> None:
    scene.project.write(FILE)
    program = scene.start()
    (scene.state / "state.db").rename(scene.state / "mine.db")
    (scene.state / "state.db").write_text("somebody's")

    (trouble,) = until(lambda: scene.client().status()["troubles"] or None, "the trouble")
    assert trouble["what"] == "state"
    assert "another file is in the place of the database" in trouble["why"]
    program.send(signal.SIGTERM)
    assert program.process.wait(60) == EXIT_FAILED
    assert (scene.state / "state.db").read_text() == "somebody's"


COUNTS = """
services:
  counts:
    name: x
    triggeredBy: [postEnvironmentStart]
    commands: {start: 'i=0; while :; do echo number $((i+=1)) $PADDING; sleep 0.01; done', ready: 'true'}
"""


def numbers(log: Path) -> list[int]:
    """What the service has counted, as far as its log has it."""
    try:
        lines = log.read_bytes().lstrip(b"\0").decode().splitlines()
    except FileNotFoundError:
        return []
    return [int(line.split()[1]) for line in lines if line.startswith("number ")]


@pytest.mark.parametrize("what", ["log", "fifo", "folder", "state"])
@pytest.mark.parametrize("hurt", ["nobody", "shim", "both"])
def test_output_goes_on_when_its_log_is_taken_away(scene: Scene, what: str, hurt: str) -> None:
    """Also when those who move it are killed afterwards: the FIFO has no name any more."""
    scene.project.write(COUNTS.replace("$PADDING", "x" * 2000))
    scene.start()
    run = scene.state / "runs" / f"{scene.services()['counts']['id']}.1"
    log = run / "log"
    until(lambda: len(numbers(log)) > 5, "some output")
    match what:
        case "log" | "fifo":
            (run / what).unlink()
        case "folder":
            remove(run)
        case _:
            remove(scene.state)
    if what != "fifo":
        until(lambda: b"the log is a new one" in read(log), "the log anew")

    if hurt != "nobody":
        shims = scene.shims()
        if hurt == "both":
            scene.kill()
        for pid in shims:
            os.kill(pid, signal.SIGKILL)
        if hurt == "both":
            scene.start()
        until(lambda: scene.shims() not in ([], shims), "another shim")
    last = numbers(log)[-1]
    until(lambda: numbers(log)[-1] > last + 200, "more than a FIFO holds")
    found = numbers(log)
    assert found == list(range(found[0], found[-1] + 1))
    assert scene.phases() == {"counts": "running"}
    scene.end()


def read(log: Path) -> bytes:
    try:
        return log.read_bytes()
    except FileNotFoundError:
        return b""
