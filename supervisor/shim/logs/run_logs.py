"""The logs of the shim's runs: what is pumped, what is held, and what waits for the pump.

The shim reports the end of a command, and answers a PumpRequest, once the pump has moved what there was. The methods
return the events that are to be reported now.
"""

from __future__ import annotations

import errno
import os
import time

from supervisor.lean.frozen import replace
from supervisor.shim.logs.log_keeper import KeeperLink
from supervisor.shim.logs.log_pipe import LogPipe
from supervisor.shim.logs.log_pump import LogPump
from supervisor.shim.logs.log_times import LogTimes
from supervisor.shim.logs.pending_exit import PendingExit, after_exit, after_look, is_due
from supervisor.shim.protocol import (
    KEEPER_SOCKET,
    NOT_PUMPED,
    CommandExited,
    Event,
    ExitStatus,
    LogFlushed,
    Pumping,
    PumpRequest,
    ShimTrouble,
)
from supervisor.shim.stream_name import run_of

_LOOK_S = 0.02
"""How often the log of a command that has ended is looked at while others may still write into it."""
_RETRY_S = 1.0
"""How long after the keeper took no message, or another pump had a log, the shim tries again."""

_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
"""No FIFO stands at its path."""


class RunLogs:
    """The pump, the keeper, and the runs that wait for them."""

    def __init__(self, wakeup: int) -> None:
        """`wakeup`: a pipe that gets a byte when there is something to `attend` to."""
        self._times = LogTimes()
        self.pump = LogPump(self._times, wakeup)
        self.keeper = KeeperLink()
        self._pending: dict[str, PendingExit] = {}
        """Commands that have ended, and whose end is not reported yet, by run id."""
        self._refused: dict[str, PumpRequest] = {}
        """What could not be taken over yet, by stream."""
        self._asked: set[str] = set()
        """The streams for which a supervisor waits for `LogFlushed`."""
        self._closed: set[str] = set()
        """The streams whose FIFO no process has open for writing, and whose run's main process lives."""

    def open_at(self, state: str) -> None:
        """The state directory is known."""
        self._times.open_at(state)
        self.keeper.path = os.path.join(state, KEEPER_SOCKET)

    @property
    def is_needed(self) -> bool:
        """Whether a FIFO may still be written into."""
        return bool(self.pump.streams())

    @property
    def patience_s(self) -> float | None:
        """How long to wait before `retry`; None: there is nothing to retry."""
        if self._pending:
            return _LOOK_S
        return _RETRY_S if self.keeper.is_behind or self._refused else None

    def take_over(self, request: PumpRequest) -> list[Event]:
        """Go on where another shim was killed; or see to the log of a FIFO that is pumped here."""
        name = request.run_id
        self._refused.pop(name, None)
        if name in self.pump:
            self.pump.look_again(name)
            self.pump.keep(name, request.head_bytes)
        else:
            try:
                self._add(request)
            except OSError as error:
                if error.errno in _GONE:
                    return [LogFlushed(name)]
                # A child that was being forked when its shim was killed has the log for a moment; a shim that was
                # stopped has it as long as it lives.
                self._refused[name] = request
                return []
        if self.pump.flush(name):
            return [LogFlushed(name)]
        self._asked.add(name)
        return []

    def _add(self, request: PumpRequest) -> None:
        self.pump.start()
        pumping = Pumping(request.limit_bytes, head_bytes=request.head_bytes)
        pipe = LogPipe(request.run_id, request.fifo, request.log, pumping, is_new=False)
        if not request.held and not self.keeper.is_inherited:
            # The kernel dropped what was in the FIFO, and stopped those who wrote.
            pipe.note("output may be missing here: all processes that move it into the log were killed")
        self.pump.take_over(pipe)
        self.keeper.hold(request.run_id, pipe.fd)
        self.keeper.flush()

    def main_ended(self, run_id: str, pid: int, status: ExitStatus) -> list[Event]:
        """The main process of a run has ended."""
        streams = self.pump.streams_of(run_id)
        for name in streams:
            self.pump.main_ended(name)
        position, _ = self._progress(streams)
        pumping = self.pump.pumping(streams[0]) if streams else NOT_PUMPED
        pending = after_exit(pid, status, pumping, time.monotonic(), position)
        unflushed = frozenset(name for name in streams if not self.pump.flush(name))
        self._pending[run_id] = replace(pending, unflushed=unflushed) if unflushed else pending
        return self._ends()

    def _progress(self, streams: list[str]) -> tuple[int, bool]:
        """How many bytes were moved out of FIFOs, and whether some process has one open for writing."""
        found = [self.pump.progress(name) for name in streams]
        return sum(at + lost for at, lost, _ in found), any(has_writer for *_, has_writer in found)

    def attend(self, live: set[str]) -> list[Event]:
        """Go on with what waited for the pump. `live`: the runs whose main process lives."""
        events: list[Event] = [ShimTrouble(text) for text in self.pump.take_troubles()]
        for name in self.pump.take_flushed():
            if pending := self._pending.get(run_of(name)):
                self._pending[run_of(name)] = replace(pending, unflushed=pending.unflushed - {name})
            if name in self._asked:
                self._asked.discard(name)
                events.append(LogFlushed(name))
        events += self._ends()
        self._closed.update(self.pump.take_closed())
        for name in list(self._closed):
            if run_of(name) not in live and run_of(name) not in self._pending:
                self._closed.discard(name)
                self.keeper.drop(name)
                self.pump.remove(name)
        return events

    def retry(self, live: set[str]) -> list[Event]:
        """Do what could not be done before, or has taken too long; and what there is to attend to."""
        self.keeper.flush()
        events = [event for request in [*self._refused.values()] for event in self.take_over(request)]
        return events + self.attend(live)

    def close(self) -> None:
        """End the pump, and remove the FIFOs that it is through with: the next shim would take over what stands."""
        self.pump.close()
        self.keeper.close()

    def _ends(self) -> list[Event]:
        """The ends of the commands whose last words are in their logs."""
        now, ends = time.monotonic(), list[Event]()
        for run_id, pending in list(self._pending.items()):
            streams = self.pump.streams_of(run_id)
            position, has_writer = self._progress(streams)
            if is_due(pending, now, has_writer):
                del self._pending[run_id]
                ends.append(self._end(run_id, pending, streams))
                if not has_writer:
                    self._closed.update(streams)  # as the pump will say: `attend` need not wait for that
            else:
                self._pending[run_id] = after_look(pending, now, position)
        return ends

    def _end(self, run_id: str, pending: PendingExit, streams: list[str]) -> CommandExited:
        """The end of a command. What it has printed is kept from now on, if it has a file for each output."""
        if len(streams) < 2:
            return CommandExited(run_id, pending.status, pending.pid)
        written, lost = zip(*map(self.pump.report, streams), strict=True)
        return CommandExited(run_id, pending.status, pending.pid, written, lost if any(lost) else ())
