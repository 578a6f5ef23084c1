"""A random storm over one supervisor: requests, edits, kills and faults in any order, and a model of what must be.

After every few deeds the supervisor's word, its database with all invariants of the core, and what the machine really
runs are compared with the model. A failure prints the deeds; `--seed` repeats them, as far as timing lets it.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from supervisor.cli.remote.responses import ConnectionLost
from supervisor.host.runs.run_facts import WrittenFacts
from supervisor.model.ids import ExecutionId
from tests.e2e.harness import Project
from tests.faults import skewed
from tests.faults.model import Life, World
from tests.faults.scene import Scene, until, until_or_last
from tests.small_disk import small_disk

pytestmark = [pytest.mark.slow]

MARK = ": version {version}; echo $SUPERVISOR_RUN_ID >>marks/{name}; "
COMMANDS = {
    "plain": {"start": MARK + "exec sleep 1000"},
    "ready": {"start": MARK + "exec sleep 1000", "ready": "[ -s marks/{name} ]"},
    "stop": {"start": MARK + "sleep 1000", "stop": "kill $(pgrep -s 0 sleep) 2>/dev/null; exit 0"},
    "forks": {"start": MARK + "setsid sleep 1000 & sleep 1000 & exec sleep 1000"},
    "traps": {"start": "trap 'exit 3' TERM; " + MARK + "while :; do sleep 0.1; done"},
    "writes": {"start": MARK + "while :; do echo $RANDOM; sleep 0.05; done"},
}
TASKS = {
    "short": ("echo $SUPERVISOR_RUN_ID >>marks/short", {"succeeded"}),
    "bad": ("echo $SUPERVISOR_RUN_ID >>marks/bad; exit 7", {"failed"}),
    "long": ("echo $SUPERVISOR_RUN_ID >>marks/long; exec sleep 1000", {"running"}),
}
DEADLY = [signal.SIGKILL, signal.SIGSEGV, signal.SIGUSR1, signal.SIGABRT]
DAY_S = 86400.0


class Storm:
    """Does deeds, and knows what must come of them."""

    def __init__(self, scene: Scene, dice: random.Random) -> None:
        self.scene = scene
        self.dice = dice
        self.world = World({name: Life() for name in COMMANDS})
        self.deeds: list[str] = []
        self.clock = scene.project.home / "clock"
        self.clock.write_text("0")
        self._write()
        self._begin()
        self.ids = {name: service["id"] for name, service in scene.services().items()}
        self.tasks = scene.tasks()

    def rage(self, seconds: float, extra: tuple[Callable[[Storm], None], ...] = ()) -> None:
        """Do deeds for so long, and compare after every few."""
        likely = [self.start, self.stop, self.restart, self.execute, self.kill_main, self.edit]
        rare = [
            self.end_execution,
            self.kill_supervisor,
            self.kill_shim,
            self.kill_both,
            self.stall,
            self.jump,
            self.upgrade,
        ]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for _ in range(self.dice.randrange(1, 8)):
                self.dice.choice(
                    [*likely, *likely, *rare, *(lambda deed=deed: deed(self) for deed in extra)]
                )()
            self.compare()

    # Requests

    def start(self) -> None:
        name = self._draw("start")
        self._call("StartService", id=self.ids[name])
        self.world.services[name].start()

    def stop(self) -> Life:
        name = self._draw("stop")
        self._call("StopService", id=self.ids[name])
        life = self.world.services[name]
        life.stop()
        return life

    def restart(self) -> None:
        name = self._draw("restart")
        self.scene.client().control("restart", id=self.ids[name])
        self.world.services[name].start_anew()

    def execute(self) -> None:
        name = self._draw("execute", tuple(TASKS))
        id_ = self._call("StartTask", id=self.tasks[name])["taskExecution"]["id"]
        self.world.executions[id_] = set(TASKS[name][1])
        if name == "long":
            self.world.running.add(id_)

    def end_execution(self) -> None:
        if self.world.running:
            id_ = self._draw("end execution", tuple(sorted(self.world.running)))
            self._call("StopTaskExecution", id=id_)
            self.world.running.discard(id_)
            self.world.executions[id_] = {"stopped"}

    def edit(self) -> None:
        """A changed command; now and then the supervisor dies before it has looked."""
        name = self._draw("edit")
        life = self.world.services[name]
        life.version += 1
        self._write()
        if self.dice.random() < 0.3:
            self.kill_supervisor()
        if life.up:
            life.start_anew()
        until(lambda: self._stored_version(name) == life.version, f"the edit of {name}")

    # Faults

    def kill_main(self, may_be_away: bool = True) -> None:
        """End the main process of a service that runs, the supervisor there or, now and then, away."""
        names = [name for name, life in self.world.services.items() if life.up]
        if not names:
            return
        name = self._draw("kill main", tuple(names))
        number = self.dice.choice(DEADLY)
        main = until(lambda: self._main(name), f"the main process of {name}")
        away = may_be_away and self.dice.random() < 0.2
        self._end_main(name, number, main, away)

    def await_mains(self) -> None:
        """Wait until each service that is to run has its main process."""
        for name in [name for name, life in self.world.services.items() if life.up]:
            until(partial(self._main, name), f"the main process of {name}")

    def _end_main(self, name: str, number: signal.Signals, main: int, away: bool) -> None:
        if away:
            self._kill_supervisor()
        os.kill(main, number)
        if away:
            self._begin()
        self.world.services[name].killed(f"was killed by {number.name}")
        until(lambda: self.scene.phases()[name] == "failed", f"the failure of {name}")

    def kill_supervisor(self) -> None:
        self.deeds.append("kill supervisor")
        self._kill_supervisor()
        self._begin()

    def kill_shim(self) -> None:
        self.deeds.append("kill shim")
        self._await_starts()
        self._kill_shims()
        self.world.blinded()
        until(lambda: not self._links_lost(), "another shim")

    def kill_both(self) -> None:
        """The shim goes first or last."""
        self.deeds.append("kill both")
        self._await_starts()
        first, last = self.dice.sample([self._kill_supervisor, self._kill_shims], 2)
        first()
        last()
        self.world.blinded()
        self._begin()

    def upgrade(self) -> None:
        """The program on the disk, the same one, takes the place of the running one."""
        self.deeds.append("upgrade")
        client = self.scene.client()
        before = client.status()["instance"]
        client.control("upgrade")
        until(lambda: self._instance() not in (None, before), "the new program")

    def _instance(self) -> str | None:
        try:
            return str(self.scene.client().status()["instance"])
        except ConnectionLost:
            return None  # the old one broke off

    def stall(self) -> None:
        """The supervisor is stopped for a moment in which a service may end."""
        self.deeds.append("stall")
        self.scene.supervisor.send(signal.SIGSTOP)
        time.sleep(self.dice.random() / 2)
        self.scene.supervisor.send(signal.SIGCONT)

    def jump(self) -> None:
        """The wall clock is set, by up to a day in either direction."""
        self.deeds.append("jump")
        self.clock.write_text(str(self.dice.uniform(-DAY_S, DAY_S)))

    # The comparison

    def compare(self) -> None:
        """Wait until all is as it must be, and say what is not."""
        told = until_or_last(self._differences, lambda differences: not differences)
        assert told == [], f"after {self.deeds}"
        self.scene.in_agreement()
        for name, life in self.world.services.items():
            started = self.scene.marks().get(name, [])
            assert len(started) <= life.starts, f"{name} was started too often after {self.deeds}"
            assert not life.up or started, f"{name} was never started after {self.deeds}"

    def _differences(self) -> list[str]:
        services = self.scene.services()
        differences = []
        for name, life in self.world.services.items():
            status = services[name]["status"]
            phase = status["phase"].removeprefix("SERVICE_PHASE_").lower()
            reason = status.get("failureMessage", "").partition("\n")[0]
            if phase == "failed" and not life.up and life.may_fail_to_stop(reason):
                continue
            if phase != life.phase or (life.ends and reason not in life.ends):
                differences.append(f"{name} is {phase} ({reason}) and must be {life.phase} {life.ends or ''}")
        client = self.scene.client()
        for id_, phases in self.world.executions.items():
            execution = client.execution(id_)
            if execution["phase"] not in phases:
                differences.append(f"execution {execution} must be {phases}")
        return differences

    # Parts

    def _draw(self, deed: str, names: tuple[str, ...] = tuple(COMMANDS)) -> str:
        name = self.dice.choice(names)
        self.deeds.append(f"{deed} {name}")
        return name

    def _call(self, method: str, **request: object) -> dict[str, dict[str, str]]:
        return self.scene.client().call(method, **request)

    def _write(self) -> None:
        text = "services:\n"
        for name, commands in COMMANDS.items():
            version = self.world.services[name].version
            text += f"  {name}:\n    name: x\n    commands:\n"
            for key, command in commands.items():
                text += f"      {key}: |\n        {command.format(name=name, version=version)}\n"
        text += "tasks:\n"
        for name, (command, _) in TASKS.items():
            text += f"  {name}: {{name: x, command: '{command}'}}\n"
        self.scene.project.write(text)

    def _begin(self) -> None:
        self.scene.start("--trigger", "beforeSnapshot", entry=(Path(skewed.__file__), str(self.clock)))

    def _kill_supervisor(self) -> None:
        self.scene.kill()

    def _kill_shims(self) -> None:
        for pid in self.scene.shims():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # one that was about to end

    def _links_lost(self) -> bool:
        """Whether the supervisor has not seen yet that its shim is gone: a zombie tells it."""
        children = Path(f"/proc/{self.scene.supervisor.pid}/task/{self.scene.supervisor.pid}/children")
        return any(map(_is_zombie, children.read_text().split()))

    def _await_starts(self) -> None:
        """Wait until what is to run has begun: of a command that was just being started when its shim died nobody can
        tell whether it ran, and it counts as ended. `test_killed_between` looks at that.
        """
        for name, life in self.world.services.items():
            if life.up:
                until(lambda name=name: self._main(name), f"the start of {name}")  # type: ignore[misc]
        for id_ in self.world.running:
            until(lambda id_=id_: self._has_begun(id_), f"the start of execution {id_}")  # type: ignore[misc]

    def _has_begun(self, execution_id: str) -> bool:
        """Whether the shim has noted the start of an execution's command."""
        steps = self.scene.records().executions[ExecutionId(execution_id)].steps.values()
        written = WrittenFacts(self.scene.state / "runs")
        begun = [written.of(step.run_id).started for step in steps if step.run_id is not None]
        return bool(begun) and all(begun)

    def _stored_version(self, name: str) -> int:
        command: str = self.scene.services()[name]["spec"]["commands"]["start"]
        return int(command.partition(": version ")[2].partition(";")[0])

    def _main(self, name: str) -> int | None:
        """The pid of the start command of a service, once it has said that it runs."""
        service = self.scene.records().services[self.ids[name]]
        if service.start is None or service.start not in self.scene.marks().get(name, []):
            return None
        if service.phase.value != "running":
            return None
        return min(self.scene.machine().get(service.start, []), default=None)


def _is_zombie(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False  # reaped meanwhile


def seconds(request: pytest.FixtureRequest) -> float:
    return float(request.config.getoption("--storm-seconds"))


@pytest.mark.timeout(4000)
def test_storm_leaves_everything_as_it_must_be(
    scene: Scene, dice: random.Random, request: pytest.FixtureRequest
) -> None:
    storm = Storm(scene, dice)

    storm.rage(seconds(request))

    storm.compare()
    scene.end()


def fill(storm: Storm) -> None:
    """The disk is full for a moment in which services are stopped and end; then there is room, and all is written.

    What could not be written yet is lost with the supervisor, which is no part of this storm.
    """
    storm.await_mains()  # what starts on a full disk fails, which is another story
    storm.deeds.append("fill")
    state = storm.scene.state
    filler = state / "filler"
    fd = os.open(filler, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        while os.statvfs(state).f_bavail:
            os.write(fd, bytes(4096))
    except OSError:
        pass  # somebody else took the last block
    finally:
        os.close(fd)
    storm.stop().cramped = True
    storm.kill_main(may_be_away=False)
    filler.unlink()
    until(lambda: not storm.scene.client().status()["troubles"], "the records to be written")


@pytest.mark.timeout(4000)
def test_storm_with_a_disk_that_fills_up(
    tmp_path: Path, dice: random.Random, request: pytest.FixtureRequest
) -> None:
    with small_disk(tmp_path / "s", "24m"):
        project = Project(tmp_path)
        try:
            scene = Scene(project)
            storm = Storm(scene, dice)

            storm.rage(seconds(request) / 2, (fill,))

            storm.compare()
            scene.end()
        finally:
            project.close()
