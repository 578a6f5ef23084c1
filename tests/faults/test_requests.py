"""What was answered is kept: clients ask all the time, and the supervisor is killed in the middle of it."""

from __future__ import annotations

import random
import threading
import time

import pytest

from supervisor.cli.remote.discovery import NotRunning
from supervisor.model.errors import SupervisorError
from tests.faults.scene import Scene, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CLIENTS = 4
KILLS = 4
FILE = """
tasks:
  a: {name: A, command: 'echo $SUPERVISOR_RUN_ID >>marks/a'}
services:
  web: {name: Web, commands: {start: 'echo $SUPERVISOR_RUN_ID >>marks/web; exec sleep 1000'}}
"""


def test_answered_requests_survive_kills(scene: Scene, dice: random.Random) -> None:
    scene.project.write(FILE)
    scene.start("--trigger", "beforeSnapshot")
    task, web = scene.tasks()["a"], scene.services()["web"]["id"]
    answered: list[str] = []
    asked = 0
    over = threading.Event()

    def ask() -> None:
        nonlocal asked
        while not over.is_set():
            try:
                asked += 1
                answered.append(scene.client(5.0).call("StartTask", id=task)["taskExecution"]["id"])
            except (SupervisorError, NotRunning, OSError):
                over.wait(0.01)  # it was killed: no answer, no promise

    clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        for _ in range(KILLS):
            more = len(answered) + dice.randrange(5, 40)
            until(lambda enough=more: len(answered) >= enough, "some answers")  # type: ignore[misc]
            time.sleep(dice.random() / 50)  # anywhere between one request and the next
            scene.kill()
            scene.start("--trigger", "beforeSnapshot")
            scene.client().call("StartService", id=web)
    finally:
        over.set()
        for client in clients:
            client.join()

    until(lambda: not scene.client().status()["executions"], "the end of all executions")
    executions = {
        execution["id"]: execution["status"]["phase"]
        for execution in scene.client().pages("ListTaskExecutions", "taskExecutions")
    }
    assert [id_ for id_ in answered if id_ not in executions] == [], "answered, and then lost"
    assert set(executions.values()) == {"TASK_EXECUTION_PHASE_SUCCEEDED"}
    assert len(answered) <= len(executions) <= asked
    assert len(scene.marks()["a"]) == len(executions), "each ran, and ran once"
    assert len(scene.marks()["web"]) == 1, "a service that runs is left alone"
    scene.in_agreement()
    scene.end()
