"""kill -9 between store, publish and act: whatever the instant, the next supervisor ends where no death would have.

The same story is told each time: an environment starts, requests come, everything is stopped. A supervisor that dies in
it is followed by another, which is not killed, and a request that got no answer is made again, as a client would. What
must come out is what comes out undisturbed: the same commands ran, each once, with the same ends, and nothing is left.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from supervisor.cli.remote.discovery import NotRunning
from supervisor.cli.remote.responses import RequestRefused
from supervisor.model.errors import SupervisorError
from supervisor.model.phase import ServicePhase
from tests.e2e.harness import Project
from tests.faults import killed, killed_shim
from tests.faults.scene import Scene, read_errors, until, until_or_last

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

MARK = "echo $SUPERVISOR_RUN_ID >>marks/{}"
FILE = f"""
services:
  web:
    name: Web
    triggeredBy: [postDevcontainerStart]
    commands:
      start: {MARK.format("web")}; exec sleep 1000
      ready: '[ -s marks/web ]'
  bye:
    name: Has a stop command
    triggeredBy: [postMachineStart]
    commands:
      start: {MARK.format("bye")}; exec sleep 1000
      stop: {MARK.format("bye-stop")}
tasks:
  a: {{name: A, triggeredBy: [postMachineStart], command: {MARK.format("a")}}}
  b: {{name: B, triggeredBy: [postEnvironmentStart], dependsOn: [a], command: {MARK.format("b")}}}
  c: {{name: C, triggeredBy: [postEnvironmentStart], dependsOn: [web, b], command: {MARK.format("c")}}}
  d: {{name: D, triggeredBy: [postDevcontainerStart], command: '{MARK.format("d")}; exit 7'}}
"""
CALL = f"{MARK.format('call')}; echo out; echo err >&2; exit 3"
LONG = f"{MARK.format('long')}; exec sleep 1000"
OPS = "supervisor.v1.EnvironmentOpsService"
DRIVER = Path(killed.__file__)


@dataclass(frozen=True)
class Ending:
    """What came of the story."""

    runs: dict[str, int]
    """How often each command ran."""
    executions: dict[tuple[str, str, str], int]
    """`{(reference, started by, phase): how many}`"""
    stopped: ServicePhase
    """The phase of the service with a stop command; one whose end nobody knows has failed."""
    answer: dict[str, Any]
    """What the client of an operation got."""


class Story:
    """Tells the story to a supervisor that may die in it."""

    def __init__(self, scene: Scene, point: str, number: int, driver: Path = DRIVER) -> None:
        """`driver`: the script that lets it die."""
        self.scene = scene
        self.note = scene.project.home / "note"
        self.deaths = 0
        self.answer: dict[str, Any] = {}
        scene.project.write(FILE)
        scene.launch(entry=(driver, point, str(number), str(self.note)))

    def told(self) -> Ending:
        self._until(self._is_up)
        self._until(lambda: self._start_or_stop("StopService", "web"))
        self._until(lambda: self.scene.phases()["web"] == "stopped")
        self._until(lambda: self._start_or_stop("StartService", "web"))
        self._until(lambda: self.scene.phases()["web"] == "running")
        self._until(lambda: self._start_or_stop("StopService", "bye"))
        self._until(lambda: self.scene.phases()["bye"] in ("stopped", "failed"))
        self._until(self._calls)
        self._until(self._leaves_what_runs_long)
        self.scene.in_agreement()
        records = self.scene.records()
        executions = Counter(
            (execution.reference, execution.started_by, execution.phase.value)
            for execution in records.executions.values()
        )
        (bye,) = (one for one in records.services.values() if one.item.reference == "bye")
        runs = {name: len(lines) for name, lines in self.scene.marks().items()}
        self._end()
        return Ending(runs, dict(executions), bye.phase, self.answer)

    def _is_up(self) -> bool:
        status = self.scene.client().status()
        phases = self.scene.phases()
        return not status["executions"] and phases == {"web": "running", "bye": "running"}

    def _start_or_stop(self, method: str, reference: str) -> bool:
        self.scene.client().call(method, id=self.scene.services()[reference]["id"])
        return True

    def _calls(self) -> bool:
        """Have a command run; who got no answer asks again under the same operation id."""
        try:
            self.answer = self.scene.client().call("Exec", OPS, operationId="call", command=CALL)
        except RequestRefused as refused:
            if refused.code != "aborted":
                raise
            self.answer = {"code": refused.code}
        return True

    def _leaves_what_runs_long(self) -> bool:
        """Have a command run that the end of all ends, and wait for it no longer than until it runs."""
        if not self.scene.marks().get("long"):
            self.scene.client(0.2).call("Exec", OPS, operationId="long", command=LONG)
        return True

    def _end(self) -> None:
        """Have it end; one that dies on the way is followed by another that has to.

        If the first had noted that it was done, the other one begins anew: what that runs is not counted.
        """
        supervisor = self.scene.supervisor
        supervisor.interrupt()
        if supervisor.process.wait(60) < 0:
            self._succeed()
            self._until(lambda: bool(self.scene.client().status()))
            supervisor = self.scene.supervisor
            supervisor.interrupt()
            assert supervisor.process.wait(60) == 130
        assert read_errors(supervisor) == ""
        assert until_or_last(self.scene.project.left, lambda left: not left) == []

    def _until(self, condition: Callable[[], bool]) -> None:
        until(lambda: self._request(condition), "the next part of the story", every_s=0.03)

    def _request(self, request: Callable[[], bool]) -> bool:
        while True:
            try:
                return request()
            except (SupervisorError, NotRunning, KeyError):
                supervisor = self.scene.supervisor
                if supervisor.process.poll() is None:
                    return False  # it does not serve yet, or its end is not known yet
                self._succeed()

    def _succeed(self) -> None:
        supervisor = self.scene.supervisor
        assert supervisor.process.poll() == -9, read_errors(supervisor)
        supervisor.close()
        self.deaths += 1
        self.scene.launch()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Ending, dict[str, int]]]:
    """What comes out if nobody is killed, and how often each point is passed on the way."""
    project = Project(tmp_path_factory.mktemp("u"))
    story = Story(Scene(project), "nowhere", 0)
    ending = story.told()
    yield ending, json.loads(story.note.read_text())
    project.close()


def test_undisturbed_story_is_as_written(undisturbed: tuple[Ending, dict[str, int]]) -> None:
    ending, passages = undisturbed

    assert ending.runs == {
        "a": 1,
        "b": 1,
        "bye": 1,
        "bye-stop": 1,
        "c": 1,
        "d": 1,
        "web": 2,
        "call": 1,
        "long": 1,
    }
    assert ending.executions == {
        ("a", "postMachineStart", "succeeded"): 1,
        ("b", "postEnvironmentStart", "succeeded"): 1,
        ("c", "postEnvironmentStart", "succeeded"): 1,
        ("d", "postDevcontainerStart", "failed"): 1,
    }
    assert ending.stopped is ServicePhase.STOPPED
    assert ending.answer == {"exitCode": 3, "stdout": "out\n", "stderr": "err\n"}
    assert set(passages) == set(killed.NAMES), "every point is passed"


@pytest.mark.parametrize("point", killed.NAMES)
def test_death_at_a_point_changes_nothing(
    tmp_path: Path,
    point: str,
    undisturbed: tuple[Ending, dict[str, int]],
    dice: random.Random,
    request: pytest.FixtureRequest,
) -> None:
    ending, passages = undisturbed
    every = range(1, passages[point] + 1)
    for number in every if request.config.getoption("--all-faults") else [dice.choice(every)]:
        folder = tmp_path / str(number)
        folder.mkdir()
        project = Project(folder)
        try:
            story = Story(Scene(project), point, number)
            assert story.told() == ending, f"killed {point}, passage {number} of {passages[point]}"
            assert story.deaths <= 1
        finally:
            project.close()


@pytest.mark.parametrize("point", killed_shim.NAMES)
def test_death_of_the_shim_at_a_point_costs_exit_statuses_at_most(
    tmp_path: Path,
    point: str,
    undisturbed: tuple[Ending, dict[str, int]],
    dice: random.Random,
    request: pytest.FixtureRequest,
) -> None:
    """Nothing is started twice, nothing is left, and services go on; a task may have ended nobody knows how."""
    ending, _ = undisturbed
    for number in range(1, 9) if request.config.getoption("--all-faults") else {1, dice.randrange(1, 5)}:
        folder = tmp_path / str(number)
        folder.mkdir()
        project = Project(folder)
        try:
            story = Story(Scene(project), point, number, Path(killed_shim.__file__))
            told = story.told()
            where = f"killed {point}, passage {number}, {'died' if story.note.exists() else 'lived'}"
            if not story.note.exists():
                assert number > 1, "every point is passed"
                assert told == ending, where
            for name, count in told.runs.items():
                assert count <= ending.runs[name], where
            assert {key[:2] for key in told.executions} == {key[:2] for key in ending.executions}, where
            assert told.answer in (ending.answer, {"code": "aborted"}), where
            assert {key[2] for key in told.executions} <= {"succeeded", "failed"}, where
            assert story.deaths == 0, where
        finally:
            project.close()
