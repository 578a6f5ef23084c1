"""Follows the hub and the logs of runs, and prints both in the order in which they belong together."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Mapping
from types import MappingProxyType

from supervisor.boot.supervisor import Supervisor
from supervisor.cli.terminal.output import Outlet, signals_end_us
from supervisor.cli.terminal.printer import Printer
from supervisor.host.runs.run_directory import RunDir
from supervisor.hub import Change, Resync
from supervisor.lean.late import anyio, late
from supervisor.lean.typing import TYPE_CHECKING
from supervisor.model.phase import RunPhase
from supervisor.model.record import Service, TaskRun

if TYPE_CHECKING:
    from supervisor.cli.terminal.run_output import RunOutput, Sink
    from supervisor.host.runs import log_file
else:  # the first command does not wait for the code that reads its log
    log_file = late("supervisor.host.runs.log_file")

READ_BYTES = 16 * 1024
"""How much of a log is printed at once. Short lines of that size take a few milliseconds."""
_NOTHING: Mapping[str, int] = MappingProxyType({})
REMEMBERED_BYTES = 8 * 1024
"""How much of each run's printed output is remembered. A record's last words are shorter than that."""
REMEMBERED_RUNS = 64
"""Of how many ended runs. The record that says why a run failed comes right after its output."""
LOOK_S = 1.0
"""How often the follower looks at what the supervisor waits for."""
TICK_S = 0.1
"""How often the follower looks at the logs: a log file does not report that it has grown."""


class FollowedLog:
    """One run's log, and how much of it has been printed."""

    def __init__(self, path: str, sink: Sink, offset: int | None = 0) -> None:
        """Start at an offset of the log; None: at its present end."""
        self._sink = sink
        self._path = path
        self._until: int | None = None
        self._size_read = -1
        """The file's size when it was last read to its end."""
        self._offset = self._end() if offset is None else offset
        self.recent = b""
        """The end of what has been printed."""
        self._line_start = self._offset
        """Where the line starts that was printed last and is not complete yet."""

    def print_some(self) -> bool:
        """Print some of what is new. Returns whether there may be more."""
        if (size := self._size()) == self._size_read:
            return False  # true for most logs at most times, and a read takes ten system calls
        try:
            chunk = log_file.read(self._path, self._offset, READ_BYTES)
        except OSError:
            return False
        if chunk.dropped:
            self._sink.write(f"[{log_file.missing(chunk.dropped, chunk.head)}]\n".encode())
        self._offset = chunk.end
        if b"\n" in chunk.data:
            self._line_start = chunk.end - len(chunk.data) + chunk.data.rindex(b"\n") + 1
        if chunk.data:
            self._sink.write(chunk.data)
            self.recent = (self.recent + chunk.data)[-REMEMBERED_BYTES:]
        elif not chunk.dropped:
            self._size_read = size
            return False
        return True

    def show_unfinished(self) -> None:
        """All that there is has been printed: an unfinished line too, if it is time."""
        self._sink.show_unfinished()

    def print_rest(self) -> bool:
        """Print some of what the log held at the first call. Returns whether that was all."""
        if self._until is None:
            self._until = self._offset if self._size() == self._size_read else self._end()
        if self._offset < self._until and self.print_some():
            return False
        self._sink.end()
        return True

    def leave(self) -> int:
        """Another program goes on with this log. Returns the offset from which it prints."""
        return self._offset if self._sink.leave() else self._line_start

    def _size(self) -> int:
        try:
            return os.stat(self._path).st_size
        except OSError:
            return 0

    def _end(self) -> int:
        try:
            return log_file.size(self._path)
        except OSError:
            return 0


class Follower:
    """Prints changes, and the output of runs if there is a place for it, in the order in which they belong together.

    A run's output is printed before the change that says that the run has ended. So a change waits, with all later
    ones, until the logs of the runs that it ends have been printed to their end.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        printer: Printer,
        output: RunOutput | None,
        outlet: Outlet,
        printed: Mapping[str, int] = _NOTHING,
    ) -> None:
        """Follow from now on. Earlier output of runs that live already is not printed.

        Args:
            supervisor: whose changes and logs.
            printer: prints the changes.
            output: takes the output of runs; None: nobody wants it.
            outlet: where `output` writes. While its reader is slow, output stays in the log files.
            printed: `{run id: offset}` of live runs whose logs are printed from this offset on all the same.
        """
        self._supervisor = supervisor
        self._printer = printer
        self._output = output
        self._outlet = outlet
        self._wake: anyio.Event | None = None
        self._changes = supervisor.engine.hub.subscribe(self, limit=100_000)
        self._unprinted: deque[Change | Resync] = deque()
        self._logs: dict[str, FollowedLog] = {}
        self._ended: deque[bytes] = deque(maxlen=REMEMBERED_RUNS)
        self._printing = False
        self._look_at = 0.0
        """When to look again at what is waited for."""
        printer.use(self)
        records = supervisor.engine.world.records
        for record in (*records.services.values(), *records.runs.values()):
            for run_id, name in _runs(record).items():
                self._begin(run_id, name, printed.get(run_id))

    def finish(self) -> None:
        """Print everything that has happened. Only for the time when nothing is supervised any more."""
        signals_end_us()
        while self._print_some() and not self._outlet.given_up:
            if self._outlet.behind:
                time.sleep(0.01)

    def pause(self) -> dict[str, int]:
        """Print as much as the reader takes. Returns `{run id: offset}`: where the rest of each log starts."""
        while self._print_some() and not self._outlet.behind:
            pass
        return {run_id: log.leave() for run_id, log in self._logs.items()}

    async def run(self) -> None:
        """Print until cancelled."""
        while True:
            wake = self._wake = anyio.Event()
            more = self._print_some()
            # A look at what is waited for is a look at all records: in a while, not with each change.
            waits = True
            if time.monotonic() >= self._look_at:
                waits = self._printer.waiting(self._supervisor.engine.world.records)
                self._look_at = time.monotonic() + LOOK_S
            if more and not self._outlet.behind:
                await anyio.lowlevel.checkpoint()
            else:
                # Without a log to follow and a wait to report, only a change gives something to print.
                with anyio.move_on_after(TICK_S if self._logs else LOOK_S if waits else None):
                    await wake.wait()

    def catch_up(self) -> None:
        """Print what happened before now, but no more than the event loop can wait for."""
        if not self._printing:
            self._print_some()

    def was_shown(self, words: str) -> bool:
        """Whether the last words of a run are part of the output that has been printed."""
        printed = (*self._ended, *(log.recent for log in self._logs.values()))
        return any(words in recent.decode("utf-8", "replace") for recent in printed)

    def on_changes(self) -> None:
        """There is something to print."""
        if self._wake is not None:
            self._wake.set()

    def _print_some(self) -> bool:
        """Print no more than the event loop can wait for. Returns whether there is more."""
        self._printing = True
        try:
            return self._print_changes()
        finally:
            self._printing = False

    def _print_changes(self) -> bool:
        self._unprinted.extend(self._changes.take())
        while self._unprinted:
            change = self._unprinted[0]
            if isinstance(change, Resync):
                self._printer.notice("too much happened at once: some changes are not shown")
            elif self._follow_runs(change):
                self._printer.change(change)
            else:
                return True
            self._unprinted.popleft()
        return self._print_logs()

    def _print_logs(self) -> bool:
        more = False
        for run_id, log in list(self._logs.items()):
            if self._outlet.behind:
                break
            if log.print_some():
                more = True
                self._logs[run_id] = self._logs.pop(run_id)  # the others come first next time
            else:
                log.show_unfinished()
        return more

    def _follow_runs(self, change: Change) -> bool:
        """Start with the logs of new runs, finish those of ended runs. Returns False until the latter are printed."""
        before, after = _runs(change.before), _runs(change.after)
        for run_id in before.keys() - after.keys():
            if (log := self._logs.get(run_id)) is not None:
                if self._outlet.behind or not log.print_rest():
                    return False
                self._ended.append(self._logs.pop(run_id).recent)
        for run_id in after.keys() - before.keys():
            self._begin(run_id, after[run_id])
        return True

    def _begin(self, run_id: str, name: str, offset: int | None = 0) -> None:
        if self._output is not None:
            path = RunDir(self._supervisor.state.runs, run_id).log
            self._logs[run_id] = FollowedLog(path, self._output.sink(name), offset)


def _runs(record: object) -> dict[str, str]:
    """`{run id: name}` of a record's live runs, as far as people want to see their output."""
    match record:
        case Service():
            slots = ((record.start, record.item.reference), (record.stop, f"{record.item.reference} stop"))
            return {run_id: name for run_id, name in slots if run_id is not None}
        case TaskRun() if record.phase is not RunPhase.ENDED:
            return {record.id: record.reference}
        case _:
            return {}
