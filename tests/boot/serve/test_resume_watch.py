"""What a resume does: a real engine on a fake clock."""

from __future__ import annotations

from collections.abc import Iterable

import anyio
import pytest

from supervisor.boot.serve import resume_watch
from supervisor.boot.serve.resume_watch import ResumeWatch
from supervisor.core.world import World
from supervisor.engine import Engine
from supervisor.host.proc import clock
from supervisor.hub import Hub
from supervisor.model.action import Action, Spawn
from supervisor.model.command import ApplyFile, Drain
from supervisor.model.fact import Started
from supervisor.model.ids import fresh
from supervisor.model.moment import Now
from supervisor.model.record import Record
from supervisor.model.spec import Trigger
from tests.boot.notices import Notices
from tests.core.playbook import file, service, task


class Scene:
    """An environment on a machine whose clocks move when the test says so."""

    def __init__(self) -> None:
        self.mono_s, self.asleep_s = 100.0, 0.0
        self.spawned: list[str] = []
        self.report = Notices()
        self.engine = Engine(World(), self, Hub(), self)
        self.engine.performer = self
        self.resume = ResumeWatch(self.engine, self.report, self)
        triggers = (Trigger.POST_ENVIRONMENT_START,)
        items = (
            service("web", triggers=triggers),
            task("hello", triggers=triggers),
            task("build", triggers=(Trigger.POST_DEVCONTAINER_START, Trigger.POST_MACHINE_START)),
        )
        self.engine.submit(ApplyFile(file(*items), fresh()))

    def sleep(self, for_s: float) -> None:
        """Suspend the machine, and look once it is back."""
        self.asleep_s += for_s
        self.mono_s += 0.1
        self.resume.look()

    # Clock, SuspendClock, Performer and RecordStore

    def now(self) -> Now:
        return Now(self.mono_s, 1e9 + self.mono_s + self.asleep_s)

    def ahead_s(self) -> float:
        return self.asleep_s

    def perform(self, action: Action) -> None:
        if isinstance(action, Spawn):
            self.spawned.append(action.reference)
            self.engine.post(Started(action.run_id, 1))

    def save(self, changed: Iterable[Record], removed: Iterable[Record]) -> None:
        pass


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_resume_starts_what_postEnvironmentStart_starts_and_nothing_else(scene: Scene) -> None:
    scene.sleep(7200)

    assert scene.spawned == ["web", "hello"]
    assert scene.report.texts == ["the machine was suspended for 7200 s: firing postEnvironmentStart"]


def test_the_next_resume_leaves_running_services_alone(scene: Scene) -> None:
    scene.sleep(60)
    scene.mono_s += 600
    scene.sleep(60)

    assert scene.spawned == ["web", "hello", "hello"]


def test_resume_that_is_seen_and_reported_fires_once(scene: Scene) -> None:
    scene.sleep(60)
    assert not scene.resume.on_report()
    scene.resume.look()

    assert scene.spawned == ["web", "hello"]


def test_reported_resume_fires(scene: Scene) -> None:
    assert scene.resume.on_report()

    assert scene.spawned == ["web", "hello"]


def test_no_resume_fires_while_everything_is_being_stopped(scene: Scene) -> None:
    scene.engine.submit(Drain(1.0))
    scene.sleep(60)

    assert (scene.spawned, scene.report.texts) == ([], [])


def test_a_day_asleep_makes_no_deadline_come_due(scene: Scene) -> None:
    scene.engine.submit(ApplyFile(file(service("db", ready="check", readiness_timeout_s=60.0,
                                               triggers=(Trigger.POST_ENVIRONMENT_START,))), fresh()))  # fmt: skip
    scene.resume.on_report()
    at = scene.engine.world.deadline()
    spawned = list(scene.spawned)
    scene.sleep(86400)
    scene.engine.turn()

    assert scene.engine.world.deadline() == at
    assert scene.spawned == spawned


def test_the_clocks_are_looked_at_while_it_watches(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resume_watch, "LOOK_S", 0.001)

    async def watch() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(scene.resume.run)
            scene.asleep_s += 100
            with anyio.fail_after(20):
                await scene.engine.until(lambda records: bool(records.live))
            group.cancel_scope.cancel()

    anyio.run(watch)
    assert scene.spawned == ["web", "hello"]


def test_this_machine_is_not_asleep_while_it_tests() -> None:
    first_s, second_s = clock.ahead_s(), clock.ahead_s()

    assert first_s >= -0.001
    assert abs(second_s - first_s) < 1.0
