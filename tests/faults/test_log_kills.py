"""Kills of those who look after output cost no byte; `python -m tests.faults.log_kills --kills 200`: for long."""

from __future__ import annotations

import os
import random
import signal
from itertools import pairwise
from pathlib import Path

import pytest

from tests.faults import killed_shim
from tests.faults.log_kills import VICTIMS, LogKills
from tests.faults.scene import Scene, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

KILLS = 6


@pytest.mark.parametrize("victims", VICTIMS)
def test_kills_lose_and_double_no_byte(
    scene: Scene, victims: str, dice: random.Random, request: pytest.FixtureRequest
) -> None:
    kills = KILLS * 10 if request.config.getoption("--all-faults") else KILLS

    compared = LogKills(scene, victims, dice).compared(kills)

    assert compared.kills == kills
    assert compared.compared_bytes > 0
    assert (compared.lost_bytes, compared.doubled_bytes, compared.other_bytes) == (0, 0, 0)


ALL = """
services:
  mortal:
    name: x
    triggeredBy: [postEnvironmentStart]
    commands: {start: 'i=0; while :; do echo number $((i+=1)); sleep 0.01; done'}
  stubborn:
    name: x
    triggeredBy: [postEnvironmentStart]
    commands:
      start: |
        trap '' PIPE
        i=0; while :; do echo number $((i+=1)) || touch refused; sleep 0.01; done 2>/dev/null
"""
MISSING = "supervisor: output may be missing here: all processes that move it into the log were killed"


def test_all_killed_at_once_is_a_broken_pipe_and_the_log_says_so(scene: Scene) -> None:
    scene.project.write(ALL)
    scene.start()
    logs = {
        name: scene.state / "runs" / f"{service['id']}.1" / "log"
        for name, service in scene.services().items()
    }
    until(lambda: all(log.exists() and log.stat().st_size > 200 for log in logs.values()), "output")
    until(scene.project.keepers, "the keeper")
    for pid in scene.project.shims() + scene.project.keepers():
        os.kill(pid, signal.SIGKILL)
    scene.kill()
    until((scene.folder / "refused").exists, "a broken pipe of the one that ignores SIGPIPE")
    until(lambda: len(scene.machine()) == 1, "the end of the one that does not")

    scene.start()
    until(lambda: scene.phases() == {"mortal": "failed", "stubborn": "running"}, "the services")
    until(lambda: logs["stubborn"].read_text().partition(MISSING)[2].count("number") > 20, "output")
    for name, log in logs.items():
        before, said, after = log.read_text().partition(f"{MISSING}\n")
        assert said, name
        assert MISSING not in after
        assert numbers(before) == list(range(1, len(numbers(before)) + 1))
    # What was in its FIFO is still there, since it had that open all the time.
    found = numbers(logs["stubborn"].read_text())
    assert found == sorted(set(found))
    assert sum(later - earlier > 1 for earlier, later in pairwise(found)) == 1
    scene.end()


def numbers(text: str) -> list[int]:
    return [int(line.split()[1]) for line in text.splitlines() if line.startswith("number ")]


FIRST = """
tasks:
  t:
    name: x
    triggeredBy: [postEnvironmentStart]
    command: seq 100000
"""


@pytest.mark.parametrize("point", [name for name in killed_shim.NAMES if "listen" not in name])
def test_first_command_loses_nothing_when_its_shim_dies_before_there_is_a_keeper(
    scene: Scene, point: str
) -> None:
    scene.project.write(FIRST)
    scene.start(entry=(Path(killed_shim.__file__), point, "1", str(scene.project.home / "died")))
    until(lambda: not scene.client().status()["executions"], "the end of the task")

    (log,) = scene.state.glob("runs/*/log")
    assert (scene.project.home / "died").exists()
    assert log.read_text() == "".join(f"{number}\n" for number in range(1, 100_001))
    scene.end()
