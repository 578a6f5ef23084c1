"""Logs without a pump: a command writes into its file, and the supervisor keeps the size within a limit.

A log is opened with O_APPEND and inherited by the command; every byte has an offset that never changes. When the file
has grown past its limit, the blocks at its head are given back to the filesystem (a hole is punched) while the command
goes on writing at the end. SEEK_DATA finds the first byte that is kept. The hole ends on a block, so the first line
that is kept is usually the end of a line.

Where the filesystem cannot punch holes (NFS before 4.2, some FUSE), the file is truncated to nothing and `log.base`
beside it counts what is gone: offset = base + position in the file. That has a race which holes do not have: bytes
written between the look at the size and the truncation are lost and not counted, and a reader that comes between the
new base and the truncation sees old bytes at new offsets.

A command can truncate its log itself: `> /dev/stdout` opens the file anew. Then offsets start again, and a reader whose
offset lies past the end begins at the first byte.

A command can leave a hole anywhere (`truncate -s 15T /dev/stdout`). Readers skip holes: a chunk says how many bytes lie
between it and the last one. So a reader's work is bounded by the data that exists, whatever size the file claims to
have. The zeros that fill the blocks beside a hole count as a part of it.
"""

from __future__ import annotations

import codecs
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from supervisor.host.runs import sparse_file
from supervisor.lean.frozen import dataclass, replace
from supervisor.shim.logs import file_hole
from supervisor.shim.regular_file import Replaced, atomic_write, open_regular
from supervisor.shim.stream_name import ERR, OUT

_BLOCK = 65536
_PIECE = 8192
_PASS = 1 << 20
_LOOKS = 8
"""How often a log is read again if its blocks are given back during the read."""
SEARCH_BYTES = 256 << 20
"""How much of a log is searched for its last lines: four times the default limit of a log, and 0.1 s."""
_CANNOT_PUNCH = {errno.EOPNOTSUPP, errno.ENOSYS}
_LARGEST = 1 << 60
_STREAMS = f"/{OUT}", f"/{ERR}"


class HeldLog(str):
    """The path of a log that is in no file but here, for all functions that take a path."""

    __slots__ = ("at_s", "data")

    def __new__(cls, path: str, data: bytes, at_s: float) -> HeldLog:
        """`at_s`: when all of it was written, as far as that is known."""
        log = super().__new__(cls, path)
        log.data, log.at_s = data, at_s
        return log

    data: bytes
    at_s: float


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of a log, where they begin, and how many before them were asked for and are not there."""

    offset: int
    data: bytes
    dropped: int = 0
    head: bool = False
    """Whether nothing at all is left before `offset`: then the dropped bytes are the log's head, otherwise a hole.

    Of one stream of an operation also if its middle is dropped, since it has a limit for that.
    """
    hole: bool = False
    """Whether a hole follows: then more may come after it, and `data` is complete in itself."""

    @property
    def end(self) -> int:
        """The offset to read on from."""
        return self.offset + len(self.data)


def enforce_limit(path: str, limit_bytes: int, inode: int = 0, head_bytes: int = 0) -> int:
    """Drop the head of a log that keeps more than `limit_bytes`, down to three quarters of that; returns bytes dropped.

    With `head_bytes` so many of the first bytes stay, and all of the last `limit_bytes`: the middle is dropped.
    Call it now and then: a log under its limit costs one stat, and between two calls the file may grow past the limit.
    Without effect on a missing file and, if `inode` is given, on a file with another inode: a command may have put a
    file there that is not its log. Raises OSError.
    """
    try:
        if os.stat(path, follow_symlinks=False).st_size <= limit_bytes + head_bytes:
            return 0
        with _opened(path, os.O_RDWR) as fd:
            status = os.fstat(fd)
            if inode not in (0, status.st_ino):
                return 0
            first = sparse_file.next_data(fd, head_bytes, status.st_size)
            if status.st_size - first <= limit_bytes:
                return 0
            give_back = file_hole.middle_to_give_back if head_bytes else file_hole.head_to_give_back
            length = give_back(first, status.st_size, limit_bytes, status.st_blksize)
            if length == 0:
                return 0
            try:
                file_hole.punch(fd, first, length)
            except OSError as error:
                if error.errno not in _CANNOT_PUNCH:
                    raise
                return 0 if head_bytes else _truncate(fd, path)
            return length
    except FileNotFoundError:
        return 0


def size(path: str) -> int:
    """The offset at which the log ends: how many bytes were ever written; 0 if there is no log. Raises OSError."""
    return span(path)[1]


def first_kept(path: str) -> int:
    """The offset of the first byte that can still be read; 0 if there is no log. Raises OSError."""
    return span(path)[0]


def span(path: str) -> tuple[int, int]:
    """The offsets of the first byte that can still be read and of the end; zeros if there is no log. Raises OSError."""
    try:
        with _opened(path) as fd:
            base, size_bytes = _base(path), os.fstat(fd).st_size
            return base + sparse_file.next_data(fd, 0, size_bytes), base + size_bytes
    except FileNotFoundError:
        return 0, 0


def read(path: str, offset: int, max_bytes: int) -> Chunk:
    """At most `max_bytes` from `offset` on, or from the next data if that is gone or was never written.

    A chunk ends where a hole begins. An empty one that drops nothing means: no more yet, or no log. Raises OSError.
    """
    try:
        with _opened(path) as fd:
            for _ in range(_LOOKS):
                base = _base(path)
                chunk = _read(fd, base, offset, max_bytes)
                if chunk is not None and base == _base(path):
                    is_limited = chunk.dropped and not chunk.head and path.endswith(_STREAMS)
                    return replace(chunk, head=True) if is_limited else chunk
    except FileNotFoundError:
        pass
    return Chunk(offset, b"")


def missing(count: int, head: bool) -> str:
    """The sentence for readers about missing bytes; `head`: see `Chunk`."""
    if head:
        return f"{count} bytes are gone: the log is larger than its limit"
    return f"{count} bytes were never written: the command left a hole in its log"


def chunks(path: str, start: int, end: int) -> Iterator[Chunk]:
    """All data between two offsets, without the holes. Raises OSError."""
    while start < end:
        chunk = read(path, start, min(end - start, _PASS))
        if chunk.offset < start or chunk.end == start:
            return
        if chunk.offset < end and chunk.data:
            yield Chunk(chunk.offset, chunk.data[: end - chunk.offset], chunk.dropped)
        start = chunk.end


def line_at(path: str, offset: int, most_bytes: int = SEARCH_BYTES) -> int:
    """The first offset, from `offset` on, at which a line begins; the log's end if none does. Raises OSError.

    Looks at most at `most_bytes`. A line begins after a hole.
    """
    at = max(0, offset - 1)
    while offset > 0 and at - offset < most_bytes:
        chunk = read(path, at, _BLOCK)
        if chunk.offset != at:
            return max(offset, chunk.offset)
        newline = chunk.data.find(b"\n")
        if newline >= 0:
            return at + newline + 1
        if not chunk.data:
            return max(offset, at)
        at = chunk.end
    return max(offset, at)


def line_start(path: str, offset: int, most_bytes: int = _PASS) -> int:
    """Where the line begins that goes on at an offset; about `most_bytes` before it if the line is longer.

    A line begins after a hole. Raises OSError.
    """
    end = offset
    while end > max(0, offset - most_bytes):
        start = max(0, end - _BLOCK)
        pieces = list(chunks(path, start, end))
        if not pieces or pieces[-1].end != end:
            return end
        newline = pieces[-1].data.rfind(b"\n")
        if newline >= 0 or pieces[-1].offset > start:
            return pieces[-1].offset + newline + 1
        end = start
    return end


@dataclass(frozen=True, slots=True)
class Tail:
    """Where the last lines of a log begin and end, and how many they are."""

    start: int
    end: int
    lines: int
    """Fewer than were asked for: there are no more, or no more were looked for."""
    searched_bytes: int = 0
    cut: bool = False
    """Whether the search ended before the lines and the log did."""


def find_tail(
    path: str, lines: int, most_bytes: int = SEARCH_BYTES, stop: Callable[[], bool] = lambda: False
) -> Tail:
    """Find the last `lines` lines; a last one without its newline counts. Raises OSError.

    Reads backwards, block by block, at most `most_bytes`, and until `stop` says so.
    """
    try:
        with _opened(path) as fd:
            base = _base(path)
            found = _find_tail(fd, lines, most_bytes, stop)
    except FileNotFoundError:
        return Tail(0, 0, 0)
    return Tail(base + found.start, base + found.end, found.lines, found.searched_bytes, found.cut)


def tail(path: str, lines: int, max_bytes: int) -> str:
    """The last `lines` lines, at most `max_bytes` of them; what is not UTF-8 is replaced. Raises OSError."""
    found = find_tail(path, lines, max_bytes)
    data = b""
    for chunk in chunks(path, found.start, found.end):
        if chunk.dropped and data and not data.endswith(b"\n"):
            data += b"\n"
        data += chunk.data
    if found.cut:  # anywhere, maybe within a character
        data = data[next((i for i in range(min(3, len(data))) if data[i] & 0xC0 != 0x80), 0) :]
    return data.decode("utf-8", "replace")


class LineFollower:
    """Makes lines of text from bytes that arrive in pieces.

    A line of more than 8192 characters comes in pieces of that size, so a line without an end needs no memory. Only a
    newline ends a line: carriage returns and escapes are text.
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
        """The rest after the last newline, if any. An incomplete character is replaced."""
        rest = self._rest + self._decoder.decode(b"", final=True)
        self._rest = ""
        self._decoder.reset()
        return _pieces(rest) if rest else []


def _pieces(line: str) -> list[str]:
    return [line[i : i + _PIECE] for i in range(0, len(line), _PIECE)] or [""]


@contextmanager
def _opened(path: str, mode: int = os.O_RDONLY) -> Iterator[int]:
    fd = _in_memory(path.data) if isinstance(path, HeldLog) else open_regular(path, mode)
    try:
        yield fd
    finally:
        os.close(fd)


def _in_memory(data: bytes) -> int:
    """A file of its own that holds some bytes, 4 KiB or so. Raises OSError."""
    fd = os.memfd_create("log", os.MFD_CLOEXEC)
    try:
        os.write(fd, data)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _read(fd: int, base: int, offset: int, max_bytes: int) -> Chunk | None:
    """As `read`; None: blocks were given back between the looks."""
    # The size first: what is appended later is then not taken for a hole.
    end = os.fstat(fd).st_size
    at = offset - base if base <= offset <= base + end else 0
    found = sparse_file.written(fd, at, end, max_bytes)
    if found is not None and found[2] and not found[1]:
        found = sparse_file.written(fd, sparse_file.next_hole(fd, found[0], end), end, max_bytes)
    if found is None:
        return None
    start, data, hole = found
    dropped = max(0, base + start - offset)
    # Of a log that is one hole nothing was dropped: its limit leaves data.
    head = (
        dropped > 0
        and (start < end or end == 0)
        and sparse_file.next_data(fd, 0, end) >= start - sparse_file.BESIDE
    )
    return Chunk(base + start, data, dropped, head, hole)


def _find_tail(fd: int, lines: int, most_bytes: int, stop: Callable[[], bool]) -> Tail:
    size_bytes = os.fstat(fd).st_size
    end = sparse_file.end_of_written(fd, size_bytes)
    if lines <= 0 or end == 0:
        return Tail(size_bytes, size_bytes, 0)
    # The newline that ends the last line begins no other.
    found, searched, at = 0, 1, end - 1
    while (at := sparse_file.end_of_written(fd, at)) > 0:
        if searched >= most_bytes or stop():
            return Tail(at, end, found + 1, searched, cut=True)
        start = max(0, at - min(_BLOCK, most_bytes - searched))
        start = min(sparse_file.next_data(fd, start, at), at - 1)  # a hole is not looked through
        block = os.pread(fd, at - start, start)
        newlines = block.count(b"\n")
        searched += at - start
        if found + newlines >= lines:
            start += _nth_last(block, lines - found) + 1
            chunk = _read(fd, 0, start, 1)  # a line does not begin with a hole
            return Tail(chunk.offset if chunk else start, end, lines, searched)
        found, at = found + newlines, start
    return Tail(sparse_file.next_data(fd, 0, end), end, found + 1, searched)


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
    except (ValueError, FileNotFoundError, Replaced, BlockingIOError):
        return 0  # it appears whole, so a damaged one is not our writing
    return base if 0 <= base <= _LARGEST else 0


def _truncate(fd: int, path: str) -> int:
    """Drop everything: the base first, so that a crash in between makes offsets too large and never repeats one."""
    dropped = os.fstat(fd).st_size
    atomic_write(f"{path}.base", b"%d" % (_base(path) + dropped))
    os.ftruncate(fd, 0)
    return dropped
