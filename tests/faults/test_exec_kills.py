"""Commands of Exec run once, whoever is killed; `python -m tests.faults.exec_kills --kills 200`: for long."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from platform_wire.environmentopts_pb2 import ExecRequest, ExecResponse
from supervisor.host.state.store import Store
from tests.faults.exec_kills import ExecKills, Refused, ask, wrong
from tests.faults.scene import Scene, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
KILLS = 4
CLIENTS = 8


def test_kills_of_the_supervisor_run_nothing_twice_and_lose_no_byte(
    scene: Scene, dice: random.Random, request: pytest.FixtureRequest
) -> None:
    kills = KILLS * 10 if request.config.getoption("--all-faults") else KILLS
    exec_kills = ExecKills(scene, dice)
    counts = exec_kills.run(kills, CLIENTS)
    assert counts.kills == kills
    assert counts.commands > kills
    assert wrong(counts) == 0, exec_kills.said


class Call:
    """An Exec that is asked for beside what a test does."""

    def __init__(self, path: Path, request: ExecRequest) -> None:
        self.answer: ExecResponse | None = None
        self.error = ""
        self._thread = threading.Thread(target=self._ask, args=(path, request))
        self._thread.start()

    def end(self) -> ExecResponse | None:
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.answer

    def _ask(self, path: Path, request: ExecRequest) -> None:
        try:
            self.answer = ask(path, request)
        except Refused as refused:
            self.error = str(refused)
        except Exception as error:
            self.error = repr(error)


def begun(scene: Scene, name: str) -> Callable[[], bool]:
    return (scene.marks_folder / name).exists


def test_lost_shim_is_told_and_nothing_is_run_again(scene: Scene) -> None:
    scene.start()
    path = scene.state / "api.sock"
    command = "echo ran >>marks/lost; echo out; until [ -e go ]; do sleep 0.02; done"
    request = ExecRequest(operation_id="lost", command=command)
    call = Call(path, request)
    until(begun(scene, "lost"), "the command")
    for pid in scene.shims():
        os.kill(pid, signal.SIGKILL)
    (scene.folder / "go").touch()
    assert call.end() is None
    for said in (call.error, refusal(path, request)):
        error = json.loads(said)
        assert error["code"] == "aborted"
        assert "nobody knows how the command ended" in error["message"]
        assert "it is not run again" in error["message"]
        (stdout,) = (word for word in error["message"].split() if word.endswith("/stdout"))
        assert Path(stdout).read_text() == "out\n"
    assert scene.marks()["lost"] == ["ran"]
    scene.end()


def test_restart_of_the_machine_is_told_and_nothing_is_run_again(scene: Scene) -> None:
    scene.start()
    path = scene.state / "api.sock"
    request = ExecRequest(operation_id="booted", command="echo ran >>marks/booted; sleep 1000")
    call = Call(path, request)
    until(begun(scene, "booted"), "the command")
    for pid in scene.shims():
        os.kill(pid, signal.SIGKILL)
    scene.kill()
    call.end()
    for pids in scene.machine().values():
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
    with closing(Store(scene.state / "state.db")) as store:
        store.put("boot", "another")
    scene.start()
    error = json.loads(refusal(path, request))
    assert error["code"] == "aborted"
    assert scene.marks()["booted"] == ["ran"]
    scene.end()


def refusal(path: Path, request: ExecRequest) -> str:
    with pytest.raises(Refused) as refused:
        ask(path, request)
    return str(refused.value)
