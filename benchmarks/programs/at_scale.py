"""One file of many services and tasks, through what decides and remembers. No process is started.

    PYTHON at_scale.py SHAPE NUMBER FOLDER

It is run by the Python of the version that is measured, in the folder of its code. A machine that starts nothing
stands in for the shim: it answers each action with the facts that follow, `BATCH` at a time, as they come in life. All
else is the supervisor's own: engine, store on the disk, records, hub with one reader. Prints `{phase: CPU seconds}` as
JSON, once everything that the file says has happened.
"""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from supervisor.config.load import load_bytes
from supervisor.core import queries
from supervisor.core.world import World
from supervisor.engine import Engine
from supervisor.host.state.store import Store
from supervisor.hub import Hub
from supervisor.model.action import Action, Kill, RunKind, Spawn, Terminate
from supervisor.model.command import ApplyFile, Drain, FireTrigger
from supervisor.model.exit import SUCCESS
from supervisor.model.fact import EnvironmentStarted, Exited, Fact, Started
from supervisor.model.ids import EnvironmentId, fresh
from supervisor.model.moment import Now
from supervisor.model.spec import Trigger

BATCH = 8
"""How many facts come at once: the shim is heard between two turns of the loop, when some commands have ended."""
TRIGGERED = "triggeredBy: [postEnvironmentStart]"


def services(number: int) -> str:
    """Services with a ready command and a timeout, so that each has a deadline while it starts."""
    return "services:\n" + "".join(
        f"  s{i}:\n    name: service {i}\n    {TRIGGERED}\n    commands:\n      start: serve --port {i}\n"
        f"      ready: check --port {i}\n    readinessTimeout: 300s\n"
        for i in range(number)
    )


def wide(number: int) -> str:
    """One task that depends on all others."""
    names = [f"t{i}" for i in range(number - 1)]
    tasks = "".join(f"  {name}:\n    name: {name}\n    command: work {name}\n" for name in names)
    last = (
        f"  last:\n    name: last\n    {TRIGGERED}\n    dependsOn: [{', '.join(names)}]\n    command: end\n"
    )
    return f"tasks:\n{tasks}{last}"


def chain(number: int) -> str:
    """Each task depends on the one before, and each is triggered."""
    return "tasks:\n" + "".join(
        f"  t{i}:\n    name: task {i}\n    {TRIGGERED}\n    command: work {i}\n"
        + (f"    dependsOn: [t{i - 1}]\n" if i else "")
        for i in range(number)
    )


def mixed(number: int) -> str:
    """Half services; each task is triggered and depends on a service of its own, and all on the first one."""
    half = number // 2
    return (
        services(half)
        + "tasks:\n"
        + "".join(
            f"  t{i}:\n    name: task {i}\n    {TRIGGERED}\n    command: work {i}\n    dependsOn: [s0, s{i}]\n"
            for i in range(half)
        )
    )


SHAPES: dict[str, Callable[[int], str]] = {
    "services": services,
    "wide": wide,
    "chain": chain,
    "mixed": mixed,
    "stopped": wide,
}
"""In the last one no task ends by itself: all of them run when they are told to stop."""


class StillClock:
    """Stands still, so that the engine never stops in the middle to look after something else."""

    def now(self) -> Now:
        """See `Clock`."""
        return Now(1000.0, 1000.0)


class Machine:
    """Starts nothing, and says that it did."""

    def __init__(self, tasks_end: bool) -> None:
        self.facts: deque[Fact] = deque()
        self.tasks_end = tasks_end
        self.live: set[str] = set()
        self.spawned = 0

    def perform(self, action: Action) -> None:
        """See `engine.Performer`."""
        match action:
            case Spawn(run_id, kind):
                self.spawned += 1
                self.facts.append(Started(run_id, self.spawned))
                self.live.add(run_id)
                if kind is RunKind.READY or (kind is RunKind.TASK and self.tasks_end):
                    self.live.discard(run_id)
                    self.facts.append(Exited(run_id, SUCCESS))
            case Terminate(run_id) | Kill(run_id) if run_id in self.live:
                self.live.discard(run_id)
                self.facts.append(Exited(run_id, SUCCESS))
            case _:
                pass


class Reader:
    """Takes changes when there are any, as the API does."""

    def __init__(self, hub: Hub) -> None:
        self.seen = 0
        self.waits = False
        self.subscription = hub.subscribe(self)

    def on_changes(self) -> None:
        """See `hub.ChangeReader`."""
        self.waits = True


def main(shape: str, number: int, folder: Path) -> dict[str, float]:
    """`{phase: CPU seconds}`."""
    times: dict[str, float] = {}
    began = time.process_time()

    def lap(phase: str) -> None:
        nonlocal began
        times[phase] = time.process_time() - began
        began = time.process_time()

    play(shape, number, folder, lap)
    return times


def play(shape: str, number: int, folder: Path, lap: Callable[[str], None]) -> None:
    """Have a file of `number` services and tasks happen, and call `lap` at the end of each phase."""
    text = SHAPES[shape](number).encode()
    lap("write")
    loaded = load_bytes(text)
    assert loaded.file is not None, loaded.errors
    lap("parse")
    store = Store(folder / "records.db")
    machine = Machine(tasks_end=shape != "stopped")
    hub = Hub()
    engine = Engine(World(), store, hub, StillClock())
    engine.performer = machine
    reader = Reader(hub)

    def settle() -> None:
        while machine.facts or engine._actions or engine._inbox:
            engine.fold([machine.facts.popleft() for _ in range(min(BATCH, len(machine.facts)))])
            if reader.waits:
                reader.waits = False
                reader.seen += len(reader.subscription.take())

    engine.post(EnvironmentStarted(EnvironmentId(fresh()), begins=True))
    engine.turn()
    engine.submit(ApplyFile(loaded.file, fresh()))
    lap("apply")
    engine.submit(FireTrigger(Trigger.POST_ENVIRONMENT_START, fresh()))
    lap("plan")
    settle()
    records = engine.world.records
    assert queries.is_done(records) is machine.tasks_end, queries.services_by_phase(records)
    lap("run")
    store.close()
    store = Store(folder / "records.db")
    found, revision = store.load()
    again = World(found, revision)
    assert len(again.records.services) + len(again.records.tasks) == number
    lap("load")
    engine._store = store
    engine.submit(ApplyFile(loaded.file, fresh()))
    lap("apply again")
    engine.submit(Drain(10.0))
    settle()
    assert queries.is_at_rest(records), queries.services_by_phase(records)
    lap("stop")


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))))
