"""Work for as long as one likes, and nothing grows: memory, descriptors, threads, processes, files."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from tests.faults.scene import Scene, until

pytestmark = [pytest.mark.slow]

FILE = """
services:
  web: {name: Web, commands: {start: 'while :; do echo more; sleep 0.1; done', ready: 'true'}}
  api: {name: Api, commands: {start: exec sleep 1000, stop: 'true'}}
tasks:
  build: {name: Build, command: 'echo built'}
  test: {name: Test, command: 'exit 3', dependsOn: [build]}
"""
MEMORY_SLACK = 1.15
"""What a garbage-collected heap may differ by between two moments."""
MEMORY_SLACK_MB = 6.0
WARM_UP_S = 60.0
"""Until caches and pools are full."""
POOL_SLACK = 4
"""Worker threads that wait for work a while before they end."""


@dataclass(frozen=True)
class Size:
    """How large the supervisor and its shim are, at rest."""

    memory_mb: float
    shim_mb: float
    descriptors: int
    shim_descriptors: int
    threads: int
    processes: int


def size(scene: Scene) -> Size:
    (shim,) = scene.shims()
    pid = scene.supervisor.pid
    return Size(
        memory_mb(pid),
        memory_mb(shim),
        len(os.listdir(f"/proc/{pid}/fd")),
        len(os.listdir(f"/proc/{shim}/fd")),
        len(os.listdir(f"/proc/{pid}/task")),
        len(scene.project.processes()),
    )


def memory_mb(pid: int) -> float:
    """The resident memory that is its own alone."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def work(scene: Scene, seconds: float, dice: random.Random) -> int:
    """Everything that people do, for so long; returns how often. At its end everything is at rest."""
    client = scene.client()
    services = {reference: service["id"] for reference, service in scene.services().items()}
    tasks = scene.tasks()
    deeds: list[Callable[[], object]] = [
        *(lambda id_=id_: client.call("StartService", id=id_) for id_ in services.values()),
        *(lambda id_=id_: client.call("StopService", id=id_) for id_ in services.values()),
        *(lambda id_=id_: client.call("StartTask", id=id_) for id_ in tasks.values()),
        lambda: client.pages("ListServices", "services"),
        lambda: client.status(),
        lambda: read_log(scene, services["web"]),
        lambda: watch(scene),
        lambda: client.control("token", scope="logs"),
        lambda: client.control("update", content=FILE, dryRun=True),
    ]
    done, deadline = 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        dice.choice(deeds)()
        done += 1
        time.sleep(dice.random() / 50)  # as people and programs come, and not as a flood
    for id_ in services.values():
        client.call("StopService", id=id_)
    until(lambda: not scene.client().status()["executions"], "the end of the tasks")
    until(lambda: set(scene.phases().values()) == {"stopped"}, "the end of the services")
    return done


def read_log(scene: Scene, service_id: str) -> None:
    with scene.client().log(f"services/{service_id}", follow=False) as pieces:
        for _ in pieces:
            pass


def watch(scene: Scene) -> None:
    """A client that hears one event and goes away."""
    client = scene.client()
    with client.watch() as events:
        client.call("StartTask", id=scene.tasks()["build"])
        next(iter(events))


@pytest.mark.timeout(4000)
def test_nothing_grows(scene: Scene, dice: random.Random, request: pytest.FixtureRequest) -> None:
    seconds = float(request.config.getoption("--soak-seconds"))
    scene.project.write(FILE)
    scene.start("--trigger", "beforeSnapshot")
    work(scene, min(seconds / 2, WARM_UP_S), dice)
    before = settled(scene)

    done = work(scene, seconds, dice)

    after = settled(scene)
    print(f"\nsoak: {done} deeds in {seconds:g} s; before {before}, after {after}")
    for field in fields(Size):
        was, now = getattr(before, field.name), getattr(after, field.name)
        most = was * MEMORY_SLACK + MEMORY_SLACK_MB if field.name.endswith("_mb") else was
        if field.name == "threads":
            most += POOL_SLACK
        assert now <= most, f"{field.name} grew from {was} to {now} over {done} deeds"
    scene.in_agreement()
    scene.end()


def settled(scene: Scene) -> Size:
    """The size once two looks agree: a connection takes a moment to be let go, a worker thread to end."""
    last = size(scene)

    def same() -> Size | None:
        nonlocal last
        now, last = size(scene), size(scene)
        counts = [field.name for field in fields(Size) if not field.name.endswith("_mb")]
        return last if all(getattr(now, name) == getattr(last, name) for name in counts) else None

    return until(same, "rest", every_s=0.5)
