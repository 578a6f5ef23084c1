"""Chunks of a log: masked, cut where they may be, and shared by readers at the same offset.

Offsets are those of the file, whatever masking does to the length.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Protocol

from supervisor.api.logs.frames import Frame, whole
from supervisor.api.logs.mask import HIDDEN, Mask
from supervisor.host.runs import log_file
from supervisor.host.runs.line_times import RunTimes
from supervisor.model.timestamp import rfc3339_ms

_BLOCK = 65536
"""Chunks end on multiples of it, so that readers who catch up come to read the same ones."""
_SHARED_S = 0.02
_SHARED_CHUNKS = 32
_HIDDEN_LINE_ENDS = 16
"""Of a value with several lines: after each of them no line begins that is shown."""

FileVersion = tuple[int, int, int] | None
"""What changes when a log does: inode, size, time of change; None: there is no file."""


class Secrets(Protocol):
    """The values to hide in logs."""

    def values(self) -> Collection[str]:
        """All of them, as they are now."""


class NoSecrets:
    """Nothing is hidden."""

    def values(self) -> Collection[str]:
        """None."""
        return ()


@dataclass(slots=True, eq=False)
class LogChunk:
    """A log's bytes from `start` to `end`, masked. `start` is where reading was to go on, unless bytes are gone."""

    start: int
    end: int
    data: bytes
    fresh: bool
    """Whether a line begins at `start`."""
    version: FileVersion
    """Of the log before it was read."""
    more: bool = False
    """Whether there was more to read."""
    missing: str = ""
    """Why it begins later than reading was to go on, as a sentence."""
    before_hole: bool = False
    """Whether nothing goes on after it: a hole follows."""
    steps: tuple[tuple[int, int], ...] = ()
    """Where `data` goes on after a hidden value: the position there, and the offset."""
    time: str = ""
    """Of its first byte; empty: the times were not read since the chunk was."""
    _frames: dict[tuple[str, bytes, bool], Frame] = field(default_factory=dict)
    _stamped: dict[tuple[str, bytes, bool], Frame] = field(default_factory=dict)

    @property
    def ends_line(self) -> bool:
        """Whether a line begins after it."""
        return self.data.endswith(b"\n") if self.data else self.fresh

    def offset_of(self, position: int) -> int:
        """The offset of the byte at a position in `data`."""
        if not self.steps:
            return self.start + position
        index = bisect_right(self.steps, position, key=itemgetter(0)) - 1
        at, offset = self.steps[index] if index >= 0 else (0, self.start)
        return offset + position - at

    def position_of(self, offset: int) -> int:
        """The position in `data` of the byte at an offset; after the hidden value that the byte is in."""
        index = bisect_right(self.steps, offset, key=itemgetter(1)) - 1
        at, known = self.steps[index] if index >= 0 else (0, self.start)
        position = max(0, min(at + offset - known, len(self.data)))
        if index + 1 < len(self.steps) and position > (after := self.steps[index + 1][0]) - len(HIDDEN):
            return after
        return position

    def frame(self, name: str, prefix: bytes, fresh: bool, times: RunTimes | None = None) -> Frame:
        """The chunk with what stands before each line, see `lines`; `name` is what its cursor begins with."""
        key, frames = (name, prefix, fresh), self._frames if times is None else self._stamped
        frame = frames.get(key)
        if frame is None:
            data = self.lines(0, len(self.data), prefix, fresh, times)
            frame = frames[key] = Frame(data, f"{name}:{self.end}", self.time)
        return frame

    def lines(self, begin: int, end: int, prefix: bytes, fresh: bool, times: RunTimes | None) -> bytes:
        """The lines between two positions, a prefix before each, and before that its time if `times` are given.

        `fresh`: whether one begins at `begin`.
        """
        if times is None:
            return prefixed(self.data[begin:end], prefix, fresh)
        shown = []
        while begin < end:  # those between two changes of the time in one go
            offset = self.offset_of(begin)
            change = times.next_change(offset)
            stop = end
            if change is not None and change < self.end:
                # The first line that begins at the change or after it.
                after = max(begin + 1, self.position_of(change))
                stop = self.data.find(b"\n", after - 1, end) + 1 or end
            stamp = f"{rfc3339_ms(times.ms_at(offset))} ".encode()
            shown.append(prefixed(self.data[begin:stop], stamp + prefix, fresh))
            begin, fresh = stop, True
        return b"".join(shown)


class ChunkCache:
    """Reads chunks. Those of the last 20 ms are kept for other readers at the same offset."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._values: frozenset[str] = frozenset()
        self._mask = Mask(())
        self._chunks: dict[tuple[str, int, bool, bool, FileVersion], LogChunk] = {}
        self._keep_until = 0.0

    def chunk(self, path: str, offset: int, final: bool, text: bool, version: FileVersion) -> LogChunk:
        """The chunk at `offset`; empty: nothing yet. Raises OSError.

        Args:
            path: of the log.
            offset: where to read.
            final: nothing will be written any more.
            text: end where the chunk can become text.
            version: of the log now.
        """
        mono_s = time.monotonic()
        if mono_s >= self._keep_until or len(self._chunks) >= _SHARED_CHUNKS:
            self._chunks.clear()
            self._keep_until = mono_s + _SHARED_S
        key = path, offset, final, text, version
        chunk = self._chunks.get(key)
        if chunk is None:
            chunk = self._chunks[key] = self._read(path, offset, final, text, version)
        return chunk

    def line_start(self, path: str, offset: int) -> int:
        """Where the line begins that goes on at an offset, as it is shown. Looks back 1 MiB or so. Raises OSError."""
        start = log_file.line_start(path, offset)
        for _ in range(_HIDDEN_LINE_ENDS):
            if start == 0 or self.chunk(path, start, False, False, file_version(path)).fresh:
                break
            start = log_file.line_start(path, start - 1)
        return start

    def _read(self, path: str, offset: int, final: bool, text: bool, version: FileVersion) -> LogChunk:
        if version is None:
            return LogChunk(offset, offset, b"", offset == 0, None)
        mask = self._current_mask()
        # At least one byte before the offset: it tells whether a line begins there.
        begin = max(0, offset - max(1, mask.longest))
        # Beyond the offset more than what may remain unsettled, so that each chunk makes progress.
        wanted = _aligned(offset + _BLOCK + mask.longest + 8) - begin
        read = log_file.read(path, begin, wanted)
        truncated = read.offset < begin
        if not truncated and (read.end < offset or (read.hole and read.end == offset)):
            # The bytes before the offset end at a hole.
            read = log_file.read(path, offset, wanted)
            truncated = read.offset < offset
        if truncated:
            # By the command: offsets begin anew.
            return self._read(path, log_file.first_kept(path), final, text, version)
        skip = max(0, offset - read.offset)
        # Nothing goes on over a hole.
        more = read.hole or len(read.data) == wanted
        final = read.hole or (final and not more)
        masked = mask.apply(read.data, skip, final)
        shown, settled = masked.shown, masked.settled
        if text and not final:
            length = whole(shown)
            settled -= len(shown) - length
            shown = shown[:length]
        start = read.offset + skip
        in_hidden = any(at == 0 and index > skip for at, index in masked.steps[:1])
        fresh = skip == 0 or (not in_hidden and _ends_line(mask, read.data[:skip]))
        # Of a stream of an operation, which no command can leave a hole in, the middle goes.
        gone = read.head or path.endswith(("/stdout", "/stderr"))
        missing = log_file.missing(start - offset, gone) if start > offset else ""
        steps = tuple((at, read.offset + index) for at, index in masked.steps)
        return LogChunk(start, read.offset + settled, shown, fresh, version, more, missing, read.hole, steps)

    def _current_mask(self) -> Mask:
        values = frozenset(self._secrets.values())
        if values != self._values:
            self._values, self._mask = values, Mask(values)
        return self._mask


def file_version(path: str) -> FileVersion:
    """A log's version now; a later one that differs tells that it changed."""
    if isinstance(path, log_file.HeldLog):
        return 0, len(path.data), hash(path.data)
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _ends_line(mask: Mask, before: bytes) -> bool:
    return before.endswith(b"\n") and mask.apply(before, 0, True).shown.endswith(b"\n")


def _aligned(offset: int) -> int:
    return -(-offset // _BLOCK) * _BLOCK


def prefixed(data: bytes, prefix: bytes, fresh: bool) -> bytes:
    """Data with a prefix before each line; `fresh`: a line begins with it."""
    if not prefix or not data:
        return data
    lines = data.replace(b"\n", b"\n" + prefix)
    if data.endswith(b"\n"):
        lines = lines[: -len(prefix)]
    return prefix + lines if fresh else lines
