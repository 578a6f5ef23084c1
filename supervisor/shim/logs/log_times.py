"""When which byte of a log was written: one journal for all runs, which the pump writes as it moves bytes.

A record is 24 bytes: the key of the stream, the offset in its log, and the wall time in nanoseconds at which the bytes
from that offset on were about to be moved. It is written before they are moved, so whatever is killed in between, no
byte of a log is without a record at or before it. Records are appended (O_APPEND), also by two shims at once.

The journal is bounded. When it has grown to MAX_BYTES it is rewritten beside its place, under a lock, and renamed: runs
that have no directory any more are left out, and the older records of a run are thinned to one a second, then to one in
10 s. The first record of a run always stays.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterable

from supervisor.shim.regular_file import atomic_write, open_regular
from supervisor.shim.stream_name import ERR, OUT

NAME = "log-times"
"""The journal's name in the state directory."""
MAX_BYTES = 8 << 20
RESOLUTION_NS = 10_000_000
"""Bytes of a run that are moved within this time of its last record have none of their own."""
RECORD = struct.Struct("<QQQ")
Record = tuple[int, int, int]
"""The stream's key, the offset, the time."""
_THINNED_NS = (1_000_000_000, 10_000_000_000)


def key(name: str, before: int = 0xCBF29CE484222325) -> int:
    """What stands for a stream in the journal: FNV-1a of its name, which needs no import.

    `before`: the key of what the name begins with, if `name` is the rest alone.
    """
    value = before
    for byte in name.encode("utf-8", "surrogateescape"):
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


class LogTimes:
    """Writes the journal. What cannot be written is left out: bytes are never held up for their time."""

    def __init__(self, state: str = "", max_bytes: int = MAX_BYTES) -> None:
        """`state`: the state directory, if it is known yet. Nothing is opened before the first record."""
        self._state = state
        self._max_bytes = max_bytes
        self._fd = -1
        self._size = 0

    def open_at(self, state: str) -> None:
        """Write into the journal of this state directory from now on. Called before there is anything to write."""
        self._state = state

    def write(self, record: Record) -> None:
        """Append a record."""
        if not self._state:
            return
        try:
            if self._fd < 0 or self._size >= self._max_bytes:
                self._open()
            self._size += os.write(self._fd, RECORD.pack(*record))
        except OSError:
            self.close()  # a full disk, or a journal that was removed: the next record tries again

    def close(self) -> None:
        """Close the journal; the next record opens it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        self.close()
        path, flags = os.path.join(self._state, NAME), os.O_RDWR | os.O_APPEND | os.O_CREAT
        fd = open_regular(path, flags)
        try:
            self._size = os.fstat(fd).st_size
            if self._size >= self._max_bytes and _is_locked(fd):
                self._rewrite(fd)
                os.close(fd)  # with the lock
                fd = open_regular(path, flags)
                self._size = os.fstat(fd).st_size
            elif torn := self._size % RECORD.size:
                self._size += os.write(fd, bytes(RECORD.size - torn))  # a record of no run
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd

    def _rewrite(self, fd: int) -> None:
        """Write what is to stay beside the journal, and put it in its place."""
        path = os.path.join(self._state, NAME)
        present = keys(os.listdir(os.path.join(self._state, "runs")))
        records = thinned(read_records(fd), present, self._max_bytes // 2 // RECORD.size)
        atomic_write(path, b"".join(RECORD.pack(*record) for record in records))


def keys(run_ids: Iterable[str]) -> set[int]:
    """What stands for the streams that these runs may have."""
    wholes = [key(run_id) for run_id in run_ids]
    return {key(rest, whole) for whole in wholes for rest in ("", f"/{OUT}", f"/{ERR}")}


def read_records(fd: int) -> list[Record]:
    """All whole records of an open journal, in the order written."""
    size = os.fstat(fd).st_size
    data = os.pread(fd, size - size % RECORD.size, 0)
    return list(RECORD.iter_unpack(data[: len(data) - len(data) % RECORD.size]))


def thinned(records: Iterable[Record], present: set[int], most: int) -> list[Record]:
    """At most `most` records, of the runs `present` alone, the older ones further apart, the first of each run kept."""
    kept = [record for record in records if record[0] in present]
    for gap_ns in _THINNED_NS:
        if len(kept) <= most:
            return kept
        recent = len(kept) - most // 4
        kept = _spaced(kept[:recent], gap_ns) + kept[recent:]
    if len(kept) > most:
        firsts = _spaced(kept[:-most], 1 << 63)
        kept = firsts[:most] + kept[len(kept) - max(0, most - len(firsts)) :]
    return kept


def _spaced(records: list[Record], gap_ns: int) -> list[Record]:
    """The first record of each run, and of the others those that are so far from the last that is kept."""
    last: dict[int, int] = {}
    kept = []
    for record in records:
        run, _, at = record
        if run not in last or at - last[run] >= gap_ns:
            last[run] = at
            kept.append(record)
    return kept


def _is_locked(fd: int) -> bool:
    """Take the lock of the journal; False: another shim rewrites it now."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
