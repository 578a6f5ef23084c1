"""A workspace whose supervisor is hurt: started, killed, started again, and compared with what the machine really runs.

Three witnesses are asked, which know nothing of each other: the API (what the supervisor says), the database (what it
has stored, with the invariants of the core), and /proc (what lives, by the markers in the environment).
"""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from supervisor.cli.remote.client import Client
from supervisor.cli.remote.discovery import NotRunning
from supervisor.core.invariants import violations
from supervisor.core.records import Records
from supervisor.host.proc.process import RUN_MARKER, RUNS_MARKER
from supervisor.host.state.state_path import default_path
from supervisor.host.state.store import Store
from supervisor.model.errors import SupervisorError
from supervisor.model.phase import RunPhase
from tests.e2e.harness import ENTRY, Program, Project

PATIENCE_S = 60.0
T = TypeVar("T")


class Scene:
    """A project, the supervisor that runs for it, and what it left in the folder `marks`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.folder = project.folder
        self.marks_folder = project.folder / "marks"
        self.marks_folder.mkdir()
        self.state = default_path(str(project.folder), project.env)
        self.printed = project.home / "printed"
        self._supervisor: Program | None = None

    # The supervisor

    @property
    def supervisor(self) -> Program:
        """The one that was started last."""
        assert self._supervisor is not None
        return self._supervisor

    def start(self, *arguments: str, entry: tuple[Path | str, ...] = ENTRY, **env: str) -> Program:
        """Start `supervisor run` and wait until it serves."""
        program = self.launch(*arguments, entry=entry, **env)
        self.serving(program)
        return program

    def launch(self, *arguments: str, entry: tuple[Path | str, ...] = ENTRY, **env: str) -> Program:
        """Start `supervisor run`; what it prints goes into the file `printed`."""
        given = ("run", "--listen", "none", *arguments)
        with self.printed.open("ab") as printed:
            program = Program(given, self.folder, self.project.env | env, printed.fileno(), entry=entry)
        self.project.adopt(program)
        self._supervisor = program
        return program

    def serving(self, program: Program) -> float:
        """Wait until it answers; returns when it did, on the monotonic clock."""

        def answers() -> float | None:
            assert program.process.poll() is None, f"it ended: {read_errors(program)}"
            try:
                assert self.client(1.0).status()["pid"] == program.pid
            except (NotRunning, SupervisorError):
                return None
            return time.monotonic()

        return until(answers, "an answer of the supervisor", every_s=0.002)

    def kill(self) -> None:
        """kill -9."""
        self.supervisor.send(signal.SIGKILL)
        self.supervisor.process.wait(PATIENCE_S)
        self.supervisor.close()

    def end(self) -> None:
        """End the supervisor in the ordinary way; nothing may be left of all that was started."""
        self.supervisor.interrupt()
        status = self.supervisor.process.wait(PATIENCE_S)
        errors = read_errors(self.supervisor)
        assert (status, errors) == (130, ""), errors
        left = until_or_last(self.project.left, lambda left: not left)
        assert left == [], "left behind"

    def shims(self) -> list[int]:
        """The pids of the shims."""
        return self.project.shims()

    def client(self, timeout_s: float = PATIENCE_S) -> Client:
        return Client(str(self.state / "api.sock"), timeout_s)

    # What it says

    def services(self) -> dict[str, dict[str, Any]]:
        """`{reference: service}`, as the API has it."""
        listed = self.client().pages("ListServices", "services")
        return {service["metadata"]["reference"]: service for service in listed}

    def phases(self) -> dict[str, str]:
        """`{reference: phase}` of the services."""
        return {
            reference: service["status"]["phase"].removeprefix("SERVICE_PHASE_").lower()
            for reference, service in self.services().items()
        }

    def tasks(self) -> dict[str, str]:
        """`{reference: id}`."""
        return {
            task["metadata"]["reference"]: task["id"] for task in self.client().pages("ListTasks", "tasks")
        }

    # What it has stored

    def records(self) -> Records:
        """The records as the database has them, at one moment."""
        copy = self.project.home / f"copy-{time.monotonic_ns()}.db"
        try:
            with (
                closing(sqlite3.connect(f"file:{self.state}/state.db?mode=ro", uri=True)) as there,
                closing(sqlite3.connect(copy)) as here,
            ):
                there.backup(here)
            with closing(Store(copy)) as store:
                return Records(*store.load())
        finally:
            for path in copy.parent.glob(f"{copy.name}*"):
                path.unlink()

    # What the machine runs

    def machine(self) -> dict[str, list[int]]:
        """`{run id: pids}` of what lives, zombies left out, of the runs of this state directory."""
        found: dict[str, list[int]] = {}
        for pid, environment in environments():
            if environment.get(RUNS_MARKER) == str(self.state / "runs"):
                found.setdefault(environment[RUN_MARKER], []).append(pid)
        return found

    def marks(self) -> dict[str, list[str]]:
        """`{name: lines}` of the files that commands append to."""
        return {path.name: path.read_text().splitlines() for path in sorted(self.marks_folder.iterdir())}

    # Both

    def disagreements(self) -> list[str]:
        """Sentences about what the records and the machine do not agree on, or what breaks a rule."""
        records, machine = self.records(), self.machine()
        said = list(violations(records))
        stored = {service.start for service in records.services.values() if service.start}
        stored |= {
            run for service in records.services.values() for run in (service.probe, service.stop) if run
        }
        stored |= {run.id for run in records.runs.values() if run.phase is not RunPhase.ENDED}
        stored |= records.live_operations.keys()
        probes = {service.probe for service in records.services.values() if service.probe}
        said += [f"run {run} lives, and no record knows it" for run in machine.keys() - stored]
        # A probe that has just ended, or is just beginning, is no disagreement.
        said += [f"run {run} is recorded as live, and is gone" for run in stored - machine.keys() - probes]
        return said

    def started_twice(self) -> list[str]:
        """The runs that a command was started for more than once: each appends its run id to a file of `marks`."""
        lines = Counter(line for lines in self.marks().values() for line in lines)
        return [f"{line}: {count} times" for line, count in lines.items() if count > 1]

    def in_agreement(self) -> None:
        """Wait until records and machine agree; fails with what they differ in."""
        left = until_or_last(self.disagreements, lambda said: not said)
        assert left == []
        assert self.started_twice() == []


def environments() -> Iterator[tuple[int, Mapping[str, str]]]:
    """`(pid, environment)` of every live process whose environment can be read."""
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            raw = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue  # gone by now
        pairs = (entry.partition(b"=") for entry in raw.split(b"\0") if entry)
        yield int(pid), {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def read_errors(program: Program) -> str:
    """What an ended program has printed on its standard error."""
    assert program.process.stderr is not None
    return "" if program.process.stderr.closed else program.process.stderr.read().decode(errors="replace")


def until(look: Callable[[], T | None], what: str, every_s: float = 0.02) -> T:
    """Wait for what nothing announces; returns it. None and False: not yet."""
    deadline = time.monotonic() + PATIENCE_S
    while (value := look()) is None or value is False:
        assert time.monotonic() < deadline, f"{what} did not come in time"
        time.sleep(every_s)
    return value


def until_or_last(look: Callable[[], T], good: Callable[[T], bool]) -> T:
    """Look until what is seen is good, or time is up; returns what was seen last."""
    deadline = time.monotonic() + PATIENCE_S / 2
    while not good(value := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return value
