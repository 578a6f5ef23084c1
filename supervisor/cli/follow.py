"""Follows the hub and the logs for a printer."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol

from supervisor.boot import Supervisor
from supervisor.cli.printer import Printer
from supervisor.host import logs
from supervisor.host.rundir import RunDir
from supervisor.hub import Change, Resync
from supervisor.model.phase import RunPhase
from supervisor.model.record import Service, TaskRun

READ_BYTES = 256 * 1024
TICK_S = 0.1
"""How often logs are looked at: a log file tells nobody that it grew."""


class Sink(Protocol):
    """Where one run's output goes."""

    def write(self, data: bytes) -> None:
        """More of it, as it was written."""

    def end(self) -> None:
        """That was all."""


MakeSink = Callable[[str], Sink]
"""From a run's name to the sink for its output."""


class Lines:
    """A sink that gives out whole lines of text with the name of their run."""

    def __init__(self, name: str, write_line: Callable[[str, str], None]) -> None:
        """`write_line` gets name and line."""
        self._name = name
        self._write_line = write_line
        self._follower = logs.LineFollower()

    def write(self, data: bytes) -> None:
        for line in self._follower.feed(data):
            self._write_line(self._name, line)

    def end(self) -> None:
        for line in self._follower.flush():
            self._write_line(self._name, line)


class Log:
    """One run's log, as far as it was given out."""

    def __init__(self, path: str, sink: Sink, offset: int = 0) -> None:
        """Begin at `offset`, in bytes."""
        self.sink = sink
        self._path = path
        self._offset = offset

    def give_new(self) -> None:
        """Give out what was written since the last call."""
        while True:
            try:
                chunk = logs.read(self._path, self._offset, READ_BYTES)
            except OSError:
                return
            if chunk.dropped:
                self.sink.write(b"[%d bytes are gone: the log is larger than its limit]\n" % chunk.dropped)
            self._offset = chunk.end
            if not chunk.data:
                return
            self.sink.write(chunk.data)


class Follower:
    """Prints changes, and output if there is a sink for it, in the order in which they belong together."""

    def __init__(self, supervisor: Supervisor, printer: Printer, sinks: MakeSink | None) -> None:
        """Follow from now on: what runs that live already have written before is not given out."""
        self._supervisor = supervisor
        self._printer = printer
        self._sinks = sinks
        self._wake: Callable[[], None] = lambda: None
        self._changes = supervisor.engine.hub.subscribe(lambda: self._wake(), limit=100_000)
        self._logs: dict[str, Log] = {}
        records = supervisor.engine.world.records
        for record in (*records.services.values(), *records.runs.values()):
            for run_id, name in _runs(record).items():
                self._begin(run_id, name, at_end=True)

    def flush(self) -> None:
        """Print all that has happened."""
        for change in self._changes.take():
            if isinstance(change, Resync):
                self._printer.notice("too much happened at once: some changes are not shown")
            else:
                self._follow_runs(change)
                self._printer.change(change)
        for log in self._logs.values():
            log.give_new()

    async def run(self) -> None:
        """Print until cancelled."""
        import anyio

        while True:
            wake = anyio.Event()
            self._wake = wake.set
            self.flush()
            waits = self._printer.waiting(self._supervisor.engine.world.records)
            # While nothing is waited for and no log is followed, only a change gives something to print.
            with anyio.move_on_after(TICK_S if self._logs else 1.0 if waits else None):
                await wake.wait()

    def _follow_runs(self, change: Change) -> None:
        """Begin with the logs of runs that began, end with those of runs that ended."""
        before, after = _runs(change.before), _runs(change.after)
        for run_id in after.keys() - before.keys():
            self._begin(run_id, after[run_id])
        for run_id in before.keys() - after.keys():
            if (log := self._logs.pop(run_id, None)) is not None:
                log.give_new()
                log.sink.end()

    def _begin(self, run_id: str, name: str, at_end: bool = False) -> None:
        if self._sinks is None:
            return
        path = RunDir(self._supervisor.state.runs, run_id).log
        offset = os.path.getsize(path) if at_end and os.path.exists(path) else 0
        self._logs[run_id] = Log(path, self._sinks(name), offset)


def _runs(record: object) -> dict[str, str]:
    """`{run id: name}` of the live runs of a record whose output people want to see."""
    match record:
        case Service():
            slots = ((record.start, record.item.reference), (record.stop, f"{record.item.reference} stop"))
            return {run_id: name for run_id, name in slots if run_id is not None}
        case TaskRun() if record.phase is not RunPhase.ENDED:
            return {record.id: record.reference}
        case _:
            return {}
