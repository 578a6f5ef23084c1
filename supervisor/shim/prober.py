"""The prober: runs ready commands again and again, each until it exits 0.

Theory of operation. A supervisor asks once for the probes of a run id, and hears of them when there is something new: a
probe ended in another way than the one before, or with other output. While nothing changes only the command itself
costs anything. Probes leave nothing on the disk. What one prints goes into an anonymous pipe, of which the end is kept.

| the probe | then |
|---|---|
| exited 0 | ProbeExited `over`; there is no other |
| ended otherwise, or could not be started | ProbeExited, if that is new; the next one after the interval |
| takes too long | SIGKILL to its process group, and it rests |
| has ended, its pipe is open elsewhere | that is read until it is quiet: a filter prints last words; then it rests |
| has ended and may have left a process behind | it rests |
| is not wanted any more | SIGKILL to its process group, ProbeExited `over` |
| loses its supervisor | no other begins; the next supervisor asks for the same again, and that goes on |

It rests means: ProbeExited `left`; the supervisor ends what carries the run's marker, and asks again.

A probe has no control group, and /proc is not searched for what it left. Its process group is killed while its main
process is a zombie, so that the group's number cannot be another's. Whoever left the group is without a parent then,
and a child of ours, because the shim is a subreaper: a look at the list of our children shows whether there is one that
was not there before.
"""

from __future__ import annotations

import errno
import math
import os
import signal
import time
from heapq import heappop, heappush

from supervisor.lean.typing import TYPE_CHECKING
from supervisor.shim.execute import stage_of
from supervisor.shim.probe_protocol import EndProbesRequest, ProbeExited, ProbeRequest
from supervisor.shim.protocol import Event, ExitStatus, SpawnFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from supervisor.shim.command_starter import CommandStarter

_LOOK_S = 0.25
"""How often the output of a probe that takes long is read. It waits once its pipe is full, 64 KiB."""
_QUIET_S, _DRAIN_S = 0.2, 2.0
"""When a probe has ended and its pipe is open elsewhere: how long nothing must come, and how long at most."""
_DRAIN_LOOK_S = 0.05
_REPEAT_S = 30.0
"""The same end is reported again after so long, so that nobody takes it for old."""
_READ_BYTES = 1 << 16
_MARKER = b"SUPERVISOR_RUN_ID="
_NEVER = math.inf


class _Series:
    """The probes of one run id. Moments are on the monotonic clock."""

    __slots__ = (
        "at",
        "began",
        "count",
        "drain_until",
        "end",
        "fd",
        "has_left",
        "is_ending",
        "is_late",
        "kill_at",
        "output",
        "pid",
        "quiet_at",
        "request",
        "told",
        "told_at",
        "took_s",
    )

    def __init__(self, request: ProbeRequest) -> None:
        self.request = request
        self.at = _NEVER
        """When there is something to do."""
        self.pid = 0
        """Of the probe that runs; 0: none does."""
        self.fd = -1
        """The end of its pipe."""
        self.output = b""
        self.began = self.took_s = 0.0
        self.kill_at = self.quiet_at = self.drain_until = _NEVER
        self.end: ExitStatus | SpawnFailed | None = None
        """How the main process ended, while its output is still read, or nobody has looked for what it left."""
        self.is_late = self.has_left = False
        self.is_ending = False
        """Whether no other probe is to begin."""
        self.count = 0
        """How many have ended since the last report."""
        self.told: tuple[ExitStatus | SpawnFailed | None, bytes] = None, b""
        self.told_at = -_NEVER

    @property
    def is_busy(self) -> bool:
        """Whether a probe runs, or what it left behind may still write."""
        return self.pid != 0 or self.end is not None


class Prober:
    """Runs probes. The methods return the events that are to be reported now."""

    def __init__(self, starter: CommandStarter, runs: Mapping[int, object], is_subreaper: bool) -> None:
        """`runs`: by the pids of the shim's other commands, always as they are now."""
        self._starter = starter
        self._runs = runs
        self._series: dict[str, _Series] = {}
        self._by_pid: dict[int, _Series] = {}
        self._ended: list[_Series] = []
        """Those whose probe has ended since `settle`."""
        self._agenda: list[tuple[float, int, _Series]] = []
        """A heap of moments; one that a series does not have any more is skipped."""
        self._entries = 0
        self._others: set[int] = set()
        """Children of ours that are no command: what commands left behind, and the keeper."""
        self._children = _children_file() if is_subreaper else -1

    @property
    def live(self) -> int:
        """How many probes run."""
        return len(self._by_pid)

    def next_at(self) -> float:
        """When there is something to `act` on; infinite: not before something else happens."""
        while self._agenda:
            at, _, series = self._agenda[0]
            if series.at == at:
                return at
            heappop(self._agenda)
        return _NEVER

    def ask(self, request: ProbeRequest) -> list[Event]:
        """Have a command probed, or go on with that."""
        series = self._series.get(request.run_id)
        now = time.monotonic()
        if series is None:
            series = self._series[request.run_id] = _Series(request)
            self._set(series, now)
            return self.act(now)
        series.request, series.is_ending = request, False
        if not series.is_busy and series.at == _NEVER:
            self._set(series, now + request.interval_s)
        return []

    def finish(self, request: EndProbesRequest) -> list[Event]:
        """End the probes of a run."""
        series = self._series.get(request.run_id)
        if series is not None and series.is_busy:
            series.is_ending = True
            self._kill(series)
            return []
        self._forget(request.run_id)
        return [ProbeExited(request.run_id, None, over=True)]

    def lose_supervisor(self) -> None:
        """Nobody wants to know: begin no other probe, until the next supervisor asks for the same."""
        for run_id, series in list(self._series.items()):
            series.is_ending = True
            series.told_at = -_NEVER
            if not series.is_busy:
                self._forget(run_id)

    def act(self, now: float) -> list[Event]:
        """Do what is due."""
        while self._agenda and self._agenda[0][0] <= now:
            at, _, series = heappop(self._agenda)
            if series.at != at:
                continue
            series.at = _NEVER
            if series.end is not None:
                self._drain(series, now)
            elif series.pid:
                self._look(series, now)
            else:
                self._begin(series, now)
        return self.settle()

    def owns(self, pid: int) -> bool:
        """Whether a process is the main process of a probe; if it is not, and has ended, it is forgotten."""
        if pid in self._by_pid:
            return True
        self._others.discard(pid)
        return False

    def main_ended(self, pid: int, status: ExitStatus) -> None:
        """The main process of a probe has ended, and is not reaped yet."""
        series = self._by_pid.pop(pid)
        now = time.monotonic()
        series.pid, series.end = 0, status
        series.took_s = now - series.began
        if self._read(series) or series.is_late or series.is_ending:
            _kill_group(pid)  # it cannot be another's: the zombie has its number
            self._close(series)
        else:
            # Another process has the pipe: a filter, which prints last words, or a daemon.
            series.has_left = True
            series.quiet_at, series.drain_until = now + _QUIET_S, now + _DRAIN_S
            self._set(series, now + _DRAIN_LOOK_S)

    def settle(self) -> list[Event]:
        """What there is to report of the probes that have ended."""
        if not self._ended:
            return []
        ended, self._ended = self._ended, []
        self._find_strays(ended)
        now = time.monotonic()
        return [event for series in ended for event in self._settle(series, now)]

    def close(self) -> None:
        """Nothing more is asked."""
        if self._children >= 0:
            os.close(self._children)

    # One probe -----------------------------------------------------------------------------------------------------

    def _begin(self, series: _Series, now: float) -> None:
        request = series.request
        series.output, series.is_late, series.has_left, series.began = b"", False, False, now
        writable = -1
        try:
            series.fd, writable = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(series.fd, False)
            series.pid = self._starter.probe(request, writable)
        except OSError as error:
            self._fail(series, SpawnFailed(request.run_id, stage_of(error), error.errno or errno.EIO))
        except Exception as error:  # a type that the protocol does not check, in argv or env, say
            self._fail(series, SpawnFailed(request.run_id, "request", errno.EINVAL, repr(error)))
        else:
            self._by_pid[series.pid] = series
            series.kill_at = now + request.timeout_s
            self._set(series, min(now + _LOOK_S, series.kill_at))
        finally:
            if writable >= 0:
                os.close(writable)

    def _fail(self, series: _Series, failed: SpawnFailed) -> None:
        series.end, series.took_s = failed, 0.0
        self._close(series)

    def _look(self, series: _Series, now: float) -> None:
        """A probe that takes long: read what it printed, and kill it when its time is over."""
        self._read(series)
        if now >= series.kill_at:
            series.is_late = True
            self._kill(series)
        else:
            self._set(series, min(now + _LOOK_S, series.kill_at))

    def _drain(self, series: _Series, now: float) -> None:
        """The main process has ended, and others may still print."""
        before = series.output
        is_closed = self._read(series)
        if series.output != before:
            series.quiet_at = now + _QUIET_S
        if is_closed or now >= min(series.quiet_at, series.drain_until):
            self._close(series)
        else:
            self._set(series, now + _DRAIN_LOOK_S)

    def _kill(self, series: _Series) -> None:
        if series.pid:
            _kill_group(series.pid)
        elif series.fd >= 0:
            self._close(series)  # what the supervisor finds of it, it ends

    def _read(self, series: _Series) -> bool:
        """Read what there is; returns whether nobody has the pipe open any more."""
        try:
            while data := os.read(series.fd, _READ_BYTES):
                series.output = (series.output + data)[-series.request.kept_bytes :]
        except BlockingIOError:
            return False
        return True

    def _close(self, series: _Series) -> None:
        """All is read: `settle` reports the end."""
        if series.fd >= 0:
            os.close(series.fd)
            series.fd = -1
        series.at = series.kill_at = _NEVER
        self._ended.append(series)

    def _settle(self, series: _Series, now: float) -> list[Event]:
        request, end = series.request, series.end
        series.end = None
        series.count += 1
        left = series.has_left or series.is_late
        over = series.is_ending or end == ExitStatus(0)
        if over:
            self._forget(request.run_id)
        elif not left:
            self._set(series, now + request.interval_s)
            if (end, series.output) == series.told and now - series.told_at < _REPEAT_S:
                return []
        series.told, series.told_at = (end, series.output), now
        count, series.count = series.count, 0
        text = _text(series.output, request.kept_bytes)
        took_s, late = round(series.took_s, 6), series.is_late
        return [ProbeExited(request.run_id, end, text, count, took_s, late, left, over)]

    def _set(self, series: _Series, at: float) -> None:
        series.at = at
        self._entries += 1
        heappush(self._agenda, (at, self._entries, series))

    def _forget(self, run_id: str) -> None:
        if (series := self._series.pop(run_id, None)) is not None:
            series.at = _NEVER

    # What probes leave behind --------------------------------------------------------------------------------------

    def _find_strays(self, ended: list[_Series]) -> None:
        """Note which of the probes that have ended may have left a process that is not in their process group."""
        listed = _listed(self._children)
        if listed is None:
            for series in ended:
                series.has_left = True
            return
        if listed.count(b" ") == len(self._runs) + len(self._by_pid) + len(self._others):
            return  # no child but those: it had all of them when we looked last, and none ends before we reap it
        for pid in map(int, listed.split()):
            if pid in self._runs or pid in self._by_pid or pid in self._others:
                continue
            self._others.add(pid)
            run_id = _run_of(pid)
            if run_id and run_id in self._series:
                self._series[run_id].has_left = True
            elif not run_id:  # nothing says whose it is
                for series in ended:
                    series.has_left = True


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass  # gone, or another user's


def _text(output: bytes, kept_bytes: int) -> str:
    """The output as text; cut within a character, it begins with the next one."""
    if len(output) == kept_bytes:
        output = output[next((i for i in range(min(3, kept_bytes)) if output[i] & 0xC0 != 0x80), 0) :]
    return output.decode("utf-8", "surrogateescape")


def _children_file() -> int:
    """The list of our children, open; -1: this kernel has none."""
    try:
        return os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1


def _listed(children: int) -> bytes | None:
    """The pids of our children, each with a space after it; None: they cannot be listed."""
    if children < 0:
        return None
    listed = b""
    try:
        while part := os.pread(children, _READ_BYTES, len(listed)):
            listed += part
    except OSError:
        return None
    return listed


def _run_of(pid: int) -> str:
    """The run whose marker a process carries; empty: it carries none, or cannot be looked at."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return ""
    return next((os.fsdecode(one[len(_MARKER) :]) for one in variables if one.startswith(_MARKER)), "")
