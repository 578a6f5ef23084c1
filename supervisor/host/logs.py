"""Logs that nobody pumps: a command writes into its file, and the size is kept from outside.

A log is opened with O_APPEND and inherited by the command; every byte has an offset that never changes. When the file
has grown past its limit, the blocks at its head are given back to the filesystem (a hole is punched) while the command
goes on writing at the end. The first byte kept is where SEEK_DATA says that data begins; the hole ends on a block, so
the first line kept is usually the end of a line.

Where the filesystem cannot punch holes (NFS before 4.2, some FUSE), the file is truncated to nothing and `log.base`
beside it counts what is gone: offset = base + position in the file. That has a race which holes do not have: bytes
written between the look at the size and the truncation are lost and not counted, and somebody who reads between the
new base and the truncation sees old bytes at new offsets.

A command can truncate its log itself: `> /dev/stdout` opens the file anew. Then offsets start again, and a reader whose
offset lies past the end begins at the first byte.
"""

from __future__ import annotations

import codecs
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from supervisor.model.frozen import dataclass

_KEEP_SIZE, _PUNCH_HOLE = 0x01, 0x02  # linux/falloc.h
_BLOCK = 65536
_PIECE = 8192
_CANNOT_PUNCH = {errno.EOPNOTSUPP, errno.ENOSYS}
_NOT_OURS = {errno.ENOENT, errno.EISDIR, errno.ELOOP, errno.ENXIO, errno.EAGAIN}
"""There is nothing, a folder, a link, a socket, a pipe."""
_LARGEST = 1 << 60


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of a log, where they begin, and how many before them were asked for and are gone."""

    offset: int
    data: bytes
    dropped: int = 0

    @property
    def end(self) -> int:
        """The offset to read on from."""
        return self.offset + len(self.data)


def enforce_limit(path: str, limit_bytes: int) -> int:
    """Drop the head of a log that keeps more than `limit_bytes`, down to three quarters of that; returns bytes dropped.

    Meant to be called now and then: a log under its limit costs one stat. Between two calls the file may grow past the
    limit. A missing file is within its limit. Raises OSError.
    """
    try:
        if os.stat(path, follow_symlinks=False).st_size <= limit_bytes:
            return 0
        with _opened(path, os.O_RDWR) as fd:
            status = os.fstat(fd)
            first = _first_data(fd)
            if status.st_size - first <= limit_bytes:
                return 0
            keep_from = status.st_size - limit_bytes * 3 // 4
            keep_from -= keep_from % status.st_blksize
            if keep_from <= first:
                return 0
            try:
                _punch(fd, first, keep_from - first)
            except OSError as error:
                if error.errno not in _CANNOT_PUNCH:
                    raise
                return _truncate(fd, path)
            return keep_from - first
    except FileNotFoundError:
        return 0


def size(path: str) -> int:
    """The offset at which the log ends: how many bytes were ever written; 0 if there is no log. Raises OSError."""
    return _span(path)[1]


def first_kept(path: str) -> int:
    """The offset of the first byte that can still be read; 0 if there is no log. Raises OSError."""
    return _span(path)[0]


def read(path: str, offset: int, max_bytes: int) -> Chunk:
    """At most `max_bytes` from `offset` on, or from the first byte kept if that comes later.

    An empty chunk: nothing more yet, or no log. Raises OSError.
    """
    try:
        with _opened(path) as fd:
            while True:
                base = _base(path)
                begin, end = base + _first_data(fd), base + os.fstat(fd).st_size
                start = max(offset, begin) if offset <= end else begin
                data = os.pread(fd, max_bytes, start - base)
                # Punched between the look and the read, these bytes are zeros.
                if start >= base + _first_data(fd) and base == _base(path):
                    return Chunk(start, data, max(0, start - offset))
    except FileNotFoundError:
        return Chunk(offset, b"")


def tail_offset(path: str, lines: int, max_bytes: int | None = None) -> int:
    """Where the last `lines` lines begin, at most `max_bytes` before the end. Raises OSError.

    A last line without its newline counts. Reads backwards, block by block.
    """
    return _tail_span(path, lines, max_bytes)[0]


def tail(path: str, lines: int, max_bytes: int) -> str:
    """The last `lines` lines, at most `max_bytes` of them; what is not UTF-8 is replaced. Raises OSError."""
    start, end = _tail_span(path, lines, max_bytes)
    data = read(path, start, end - start).data
    if end - start == max_bytes:  # cut anywhere, maybe within a character
        data = data[next((i for i in range(min(3, len(data))) if data[i] & 0xC0 != 0x80), 0) :]
    return data.decode("utf-8", "replace")


class LineFollower:
    """Makes lines of text from bytes as they come, however they were cut.

    A line of more than 8192 characters is given out in pieces of that size, so that one without an end needs no
    memory. Only a newline ends a line: carriage returns and escapes are text.
    """

    __slots__ = ("_decoder", "_rest")

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes, without their newlines."""
        *whole, rest = (self._rest + self._decoder.decode(data)).split("\n")
        lines = [piece for line in whole for piece in _pieces(line)]
        *full, self._rest = _pieces(rest)
        return lines + full

    def flush(self) -> list[str]:
        """The line begun and not ended, if any. Bytes of a character that never came whole are replaced."""
        rest = self._rest + self._decoder.decode(b"", final=True)
        self._rest = ""
        self._decoder.reset()
        return _pieces(rest) if rest else []


def _pieces(line: str) -> list[str]:
    return [line[i : i + _PIECE] for i in range(0, len(line), _PIECE)] or [""]


@contextmanager
def _opened(path: str, mode: int = os.O_RDONLY) -> Iterator[int]:
    # O_NONBLOCK: a command may have put a FIFO in the place of its log.
    fd = os.open(path, mode | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        yield fd
    finally:
        os.close(fd)


def _span(path: str) -> tuple[int, int]:
    """The offsets of the first byte kept and of the end."""
    try:
        with _opened(path) as fd:
            base = _base(path)
            return base + _first_data(fd), base + os.fstat(fd).st_size
    except FileNotFoundError:
        return 0, 0


def _first_data(fd: int) -> int:
    try:
        return os.lseek(fd, 0, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:  # no data at all: empty, or one hole
            return os.fstat(fd).st_size
        if error.errno == errno.EINVAL:  # a filesystem without SEEK_DATA
            return 0
        raise


def _tail_span(path: str, lines: int, max_bytes: int | None) -> tuple[int, int]:
    first, end = _span(path)
    if max_bytes is not None:
        first = max(first, end - max_bytes)
    if lines <= 0 or first == end:
        return end, end
    # The newline that ends the last line begins no other.
    wanted, at = lines, end - 1
    while at > first:
        start = max(first, at - _BLOCK)
        chunk = read(path, start, at - start)
        block = chunk.data if chunk.offset == start else b""
        found = block.count(b"\n")
        if found >= wanted:
            return start + _nth_last(block, wanted) + 1, end
        wanted, at = wanted - found, start
    return first, end


def _nth_last(block: bytes, count: int) -> int:
    at = len(block)
    for _ in range(count):
        at = block.rindex(b"\n", 0, at)
    return at


def _base(path: str) -> int:
    """How many bytes were dropped by truncation; 0 if the file that says so is none of ours. Raises OSError."""
    try:
        with _opened(f"{path}.base") as fd:
            base = int(os.read(fd, 32))
    except ValueError:  # it appears whole, so a damaged one is not our writing
        return 0
    except OSError as error:
        if error.errno in _NOT_OURS:
            return 0
        raise
    return base if 0 <= base <= _LARGEST else 0


def _truncate(fd: int, path: str) -> int:
    """Drop everything: the base first, so that a crash in between makes offsets too large and never repeats one."""
    dropped = os.fstat(fd).st_size
    aside = f"{path}.base.new"
    with open(aside, "w", encoding="ascii") as file:
        file.write(str(_base(path) + dropped))
    os.replace(aside, f"{path}.base")
    os.ftruncate(fd, 0)
    return dropped


def _punch(fd: int, offset: int, length: int) -> None:
    call = _fallocate()
    while True:
        try:
            call(fd, _PUNCH_HOLE | _KEEP_SIZE, offset, length)
            return
        except InterruptedError:  # only what Python calls itself is begun again after a signal
            continue


_call: Callable[[int, int, int, int], None] | None = None


def _fallocate() -> Callable[[int, int, int, int], None]:
    """fallocate(2), which Python does not have. ctypes is loaded when the first log is full, which is usually never."""
    global _call
    if _call is None:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        # Where off_t has 32 bits, the call with 64 has a name of its own.
        function = getattr(libc, "fallocate64", None) or libc.fallocate
        function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)

        def call(fd: int, mode: int, offset: int, length: int) -> None:
            if function(fd, mode, offset, length) != 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))

        _call = call
    return _call
