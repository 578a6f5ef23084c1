"""When the lines of a log were written: reads the journal of times that the pump writes.

`supervisor/shim/logs/log_times.py` has the journal's form. It is appended to all the time, so it is read on from where
the last look ended; it is rewritten by rename, so the last record that was read is compared before that, and all is
read anew if another one stands there.

A line's time is that of the last record at or before its first byte. What no record tells of (a command that writes
straight into its log, or whose first records are lost) has the time at which its run began. Nothing is known of those
bytes but that they are not older than that, nor newer than the next record or the file's last change: `first_at` and
`end_at` count them in where they may belong.

A clock that was set back makes times go back. Then some times occur twice, and nothing is left out: what is asked for
begins at the first byte that is late enough, and ends after the last one that is early enough.
"""

from __future__ import annotations

import asyncio
import os
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from supervisor.host.proc import worker_threads
from supervisor.host.runs import log_file
from supervisor.host.runs.run_directory import RunDir
from supervisor.shim.logs.log_times import NAME, RECORD, key
from supervisor.shim.regular_file import open_regular

_AT_ONCE_BYTES = 2048 * RECORD.size
"""So much of the journal is read on the event loop: half a millisecond."""
_EARLIEST_NS = 1 << 56
"""In 1972. What a kill left of a record is filled with zeros, so its time is earlier."""
_NS_IN_MS = 1_000_000


@dataclass(slots=True, eq=False)
class _Records:
    """What the journal says of one run, its offsets rising."""

    offsets: array[int] = field(default_factory=lambda: array("Q"))
    times_ns: array[int] = field(default_factory=lambda: array("Q"))
    rises: bool = True
    """Whether the times rise too."""

    def add(self, offset: int, time_ns: int) -> None:
        if self.offsets and offset <= self.offsets[-1]:
            if offset == self.offsets[-1]:  # nothing was moved at the earlier time
                self.times_ns[-1] = time_ns
                self.rises = self.rises and (len(self.times_ns) == 1 or self.times_ns[-2] <= time_ns)
            return
        self.rises = self.rises and (not self.times_ns or self.times_ns[-1] <= time_ns)
        self.offsets.append(offset)
        self.times_ns.append(time_ns)


_NONE = _Records()


@dataclass(slots=True, eq=False)
class _Journal:
    """As much of a journal as was read."""

    inode: int = 0
    end: int = 0
    last: bytes = b""
    runs: dict[int, _Records] = field(default_factory=dict)

    def add(self, data: bytes) -> None:
        data = data[: len(data) - len(data) % RECORD.size]
        if not data:
            return
        runs = self.runs
        for run, offset, time_ns in RECORD.iter_unpack(data):
            if time_ns >= _EARLIEST_NS:
                if (records := runs.get(run)) is None:
                    records = runs[run] = _Records()
                records.add(offset, time_ns)
        self.end += len(data)
        self.last = data[-RECORD.size :]


class RunTimes:
    """The times of one run's log, in milliseconds of wall time, as far as the journal was read."""

    __slots__ = ("_end_ms", "_log", "_records", "_start_ms")

    def __init__(self, log: str, records: _Records, start_ms: int, end_ms: int) -> None:
        """`start_ms`, `end_ms`: the bounds of what no record tells of."""
        self._log = log
        self._records = records
        self._start_ms = start_ms
        self._end_ms = end_ms

    def line_at_ms(self, ms: int) -> int | None:
        """The offset of the first line at or after a time; None: there is none yet.

        Reads the log to the line's beginning, so call it in a thread. Raises OSError.
        """
        first = self.first_at(ms)
        return None if first is None else log_file.line_at(self._log, first)

    def ms_at(self, offset: int) -> int:
        """When the byte at an offset was written."""
        index = bisect_right(self._records.offsets, offset) - 1
        return self._records.times_ns[index] // _NS_IN_MS if index >= 0 else self._start_ms

    def next_change(self, offset: int) -> int | None:
        """The first offset after this one that has a time of its own."""
        offsets = self._records.offsets
        index = bisect_right(offsets, offset)
        return offsets[index] if index < len(offsets) else None

    def first_at(self, ms: int) -> int | None:
        """The first offset that may have been written at or after a time; None: there is none yet."""
        offsets, times_ns, time_ns = self._records.offsets, self._records.times_ns, ms * _NS_IN_MS
        if self._start_ms >= ms:
            return 0
        if not offsets or offsets[0] > 0:
            latest = times_ns[0] // _NS_IN_MS if times_ns else self._end_ms
            if latest >= ms:
                return 0
        if self._records.rises:
            index = bisect_left(times_ns, time_ns)
        else:
            index = next((at for at, each in enumerate(times_ns) if each >= time_ns), len(times_ns))
        return offsets[index] if index < len(offsets) else None

    def end_at(self, ms: int) -> int | None:
        """The offset from which on everything was written after a time; None: there is none yet."""
        offsets, times_ns, after_ns = self._records.offsets, self._records.times_ns, (ms + 1) * _NS_IN_MS
        if self._records.rises:
            index = bisect_left(times_ns, after_ns)
        else:
            backwards = range(len(times_ns), 0, -1)
            index = next((at for at in backwards if times_ns[at - 1] < after_ns), 0)
        if index == 0 and self._start_ms > ms:
            return 0
        return offsets[index] if index < len(offsets) else None


class HeldLogs(Protocol):
    """The logs that are in no file."""

    def held(self, run_id: str, path: str) -> log_file.HeldLog | None:
        """The log of a run whose log would be at `path`; None: it is in that file, if anywhere."""


class LineTimes:
    """The journal of a state directory. Used on one thread, the event loop's if there is one."""

    def __init__(self, state: str | os.PathLike[str], others: HeldLogs | None = None) -> None:
        """`state`: the state directory; `others`: the logs that are in no file. Nothing is read yet."""
        self._others = others
        self._path = os.path.join(state, NAME)
        self._runs = Path(state, "runs")
        self._journal = _Journal()
        self._began: dict[str, int] = {}
        """`{run id: when it began}` of those whose log has bytes without a record."""
        self._turn: asyncio.Lock | None = None

    def of(self, run_id: str) -> RunTimes:
        """The times of a run, as far as the journal was read; `run_id` may be the name of one of its streams."""
        run = RunDir(self._runs, run_id)
        if self._others and (held := self._others.held(run_id, run.log)) is not None:
            at_ms = round(held.at_s * 1000)
            return RunTimes(held, _NONE, at_ms, at_ms)
        records = self._journal.runs.get(key(run_id), _NONE)
        if records.offsets and records.offsets[0] == 0:
            start_ms = records.times_ns[0] // _NS_IN_MS
            return RunTimes(run.log, records, start_ms, start_ms)
        end_ms = _changed_ms(run.log)
        start_ms = self._began_ms(run) or end_ms
        return RunTimes(run.log, records, start_ms, max(start_ms, end_ms))

    def _began_ms(self, run: RunDir) -> int:
        """When a run began; 0: nothing says so (yet). It is looked for in the facts of all runs, once."""
        if run.run_id not in self._began:
            began_s = run.facts().began_s
            if began_s is None:
                return 0
            self._began[run.run_id] = round(began_s * 1000)
        return self._began[run.run_id]

    def catch_up(self) -> bool:
        """Read what was written since the last look; False: that is too much for the event loop."""
        return _read_on(self._journal, self._path, _AT_ONCE_BYTES)

    async def refresh(self) -> None:
        """Read what was written since the last look; in a thread where it is much."""
        if self.catch_up():
            return
        if self._turn is None:
            self._turn = asyncio.Lock()
        async with self._turn:
            if not self.catch_up():
                self._journal = await worker_threads.run(_loaded, self._path)


def _loaded(path: str) -> _Journal:
    journal = _Journal()
    _read_on(journal, path, None)
    return journal


def _read_on(journal: _Journal, path: str, most_bytes: int | None) -> bool:
    """Add what a journal has more by now; False: it is more than `most_bytes`, and nothing was added."""
    try:
        status = os.stat(path, follow_symlinks=False)
        if status.st_ino == journal.inode and 0 <= status.st_size - journal.end < RECORD.size:
            return True
        if most_bytes is not None and status.st_size - journal.end > most_bytes:
            return False
        fd = open_regular(path, os.O_RDONLY)
    except OSError:
        return True  # there is none, or another one in a moment
    try:
        status = os.fstat(fd)
        before = RECORD.size if journal.end else 0
        data = os.pread(fd, max(0, status.st_size - journal.end) + before, journal.end - before)
        if before and (status.st_ino != journal.inode or data[:before] != journal.last):
            if most_bytes is not None and status.st_size > most_bytes:
                return False
            journal.runs, journal.end, journal.last, before = {}, 0, b"", 0
            data = os.pread(fd, status.st_size, 0)
        journal.inode = status.st_ino
        journal.add(data[before:])
    except OSError:
        pass  # what was read stays
    finally:
        os.close(fd)
    return True


def _changed_ms(path: str) -> int:
    """When a file was changed last; 0: there is none."""
    try:
        return os.stat(path, follow_symlinks=False).st_mtime_ns // _NS_IN_MS
    except OSError:
        return 0
