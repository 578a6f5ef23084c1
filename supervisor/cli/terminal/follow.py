"""Follows the hub and the logs for a printer."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from types import MappingProxyType

from supervisor.boot import Supervisor
from supervisor.cli.terminal.output import Outlet, signals_end_us
from supervisor.cli.terminal.printer import Printer
from supervisor.host.runs.run_directory import RunDir
from supervisor.hub import Change, Resync
from supervisor.lean.typing import Protocol
from supervisor.model.phase import RunPhase
from supervisor.model.record import Service, TaskRun

READ_BYTES = 16 * 1024
"""How much of a log is given out at once: a few milliseconds of work if its lines are short."""
_NOTHING: Mapping[str, int] = MappingProxyType({})
REMEMBERED_BYTES = 8 * 1024
"""So much of each run's output is known to have been given out: more than a record keeps of it as last words."""
REMEMBERED_RUNS = 64
"""Of so many runs that have ended; the record that says why one failed comes right after its output."""
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
        from supervisor.host.runs.log_file import (
            LineFollower,  # the first command does not wait for who reads its log
        )

        self._name = name
        self._write_line = write_line
        self._follower = LineFollower()

    def write(self, data: bytes) -> None:
        for line in self._follower.feed(data):
            self._write_line(self._name, line)

    def end(self) -> None:
        for line in self._follower.flush():
            self._write_line(self._name, line)


class Log:
    """One run's log, as far as it was given out."""

    def __init__(self, path: str, sink: Sink, offset: int | None = 0) -> None:
        """Begin at an offset of the log; None: at what is its end by now."""
        self._sink = sink
        self._path = path
        self._until: int | None = None
        self._seen = -1
        """The file's size when it was last read to its end."""
        self._offset = self._end() if offset is None else offset
        self.recent = b""
        """The end of what was given out."""
        self.whole = self._offset
        """Where the line begins that was given out last and is not whole yet."""

    def give(self) -> bool:
        """Give out some of what is new. Returns whether there may be more."""
        from supervisor.host.runs import log_file

        if (size := self._size()) == self._seen:
            return False  # most logs at most times, and to read nothing takes ten system calls
        try:
            chunk = log_file.read(self._path, self._offset, READ_BYTES)
        except OSError:
            return False
        if chunk.dropped:
            self._sink.write(f"[{log_file.missing(chunk.dropped, chunk.head)}]\n".encode())
        self._offset = chunk.end
        if b"\n" in chunk.data:
            self.whole = chunk.end - len(chunk.data) + chunk.data.rindex(b"\n") + 1
        if chunk.data:
            self._sink.write(chunk.data)
            self.recent = (self.recent + chunk.data)[-REMEMBERED_BYTES:]
        elif not chunk.dropped:
            self._seen = size
            return False
        return True

    def give_rest(self) -> bool:
        """Give out some of what there was when this was first called. Returns whether that was all."""
        if self._until is None:
            self._until = self._offset if self._size() == self._seen else self._end()
        if self._offset < self._until and self.give():
            return False
        self._sink.end()
        return True

    def _size(self) -> int:
        try:
            return os.stat(self._path).st_size
        except OSError:
            return 0

    def _end(self) -> int:
        from supervisor.host.runs import log_file

        try:
            return log_file.size(self._path)
        except OSError:
            return 0


class Follower:
    """Prints changes, and output if there is a sink for it, in the order in which they belong together."""

    def __init__(
        self,
        supervisor: Supervisor,
        printer: Printer,
        sinks: MakeSink | None,
        outlet: Outlet,
        printed: Mapping[str, int] = _NOTHING,
    ) -> None:
        """Follow from now on: what runs that live already have written before is not given out.

        `outlet`: where the sinks write to. While its reader is slow, output stays in the log files. `printed`:
        `{run id: offset}`, from where on the logs of runs that live already are given out all the same.
        """
        self._supervisor = supervisor
        self._printer = printer
        self._sinks = sinks
        self._outlet = outlet
        self._wake: Callable[[], None] = lambda: None
        self._changes = supervisor.engine.hub.subscribe(lambda: self._wake(), limit=100_000)
        self._untold: deque[Change | Resync] = deque()
        self._logs: dict[str, Log] = {}
        self._ended: deque[bytes] = deque(maxlen=REMEMBERED_RUNS)
        self._printing = False
        printer.catch_up = self._catch_up
        printer.was_shown = self._was_shown
        records = supervisor.engine.world.records
        for record in (*records.services.values(), *records.runs.values()):
            for run_id, name in _runs(record).items():
                self._begin(run_id, name, printed.get(run_id))

    def finish(self) -> None:
        """Print all that has happened. For the time when nothing is supervised any more."""
        signals_end_us()
        while self._print_some() and not self._outlet.given_up:
            if self._outlet.behind:
                time.sleep(0.01)

    def pause(self) -> dict[str, int]:
        """Print what there is, if its reader takes it; returns `{run id: offset}`, from where on there is more."""
        while self._print_some() and not self._outlet.behind:
            pass
        return {run_id: log.whole for run_id, log in self._logs.items()}

    async def run(self) -> None:
        """Print until cancelled."""
        import anyio.lowlevel

        while True:
            wake = anyio.Event()
            self._wake = wake.set
            more = self._print_some()
            waits = self._printer.waiting(self._supervisor.engine.world.records)
            if more and not self._outlet.behind:
                await anyio.lowlevel.checkpoint()
            else:
                # While nothing is waited for and no log is followed, only a change gives something to print.
                with anyio.move_on_after(TICK_S if self._logs else 1.0 if waits else None):
                    await wake.wait()

    def _catch_up(self) -> None:
        """A notice comes: print what came before it, as far as that may hold up the event loop."""
        if not self._printing:
            self._print_some()

    def _print_some(self) -> bool:
        """Print as much as may hold up the event loop. Returns whether there is more."""
        self._printing = True
        try:
            return self._print_changes()
        finally:
            self._printing = False

    def _print_changes(self) -> bool:
        self._untold.extend(self._changes.take())
        while self._untold:
            change = self._untold[0]
            if isinstance(change, Resync):
                self._printer.notice("too much happened at once: some changes are not shown")
            elif self._follow_runs(change):
                self._printer.change(change)
            else:
                return True
            self._untold.popleft()
        return any([log.give() for log in self._logs.values() if not self._outlet.behind])

    def _follow_runs(self, change: Change) -> bool:
        """Begin with the logs of runs that began, end with those of runs that ended; False: they are not at an end."""
        before, after = _runs(change.before), _runs(change.after)
        for run_id in before.keys() - after.keys():
            if (log := self._logs.get(run_id)) is not None:
                if self._outlet.behind or not log.give_rest():
                    return False
                self._ended.append(self._logs.pop(run_id).recent)
        for run_id in after.keys() - before.keys():
            self._begin(run_id, after[run_id])
        return True

    def _was_shown(self, words: str) -> bool:
        """Whether the last words of a run are among the output that was given out."""
        given = (*self._ended, *(log.recent for log in self._logs.values()))
        return any(words in recent.decode("utf-8", "replace") for recent in given)

    def _begin(self, run_id: str, name: str, offset: int | None = 0) -> None:
        if self._sinks is not None:
            path = RunDir(self._supervisor.state.runs, run_id).log
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
