"""Pieces of a log as readers get them: masked, cut where they may be, and shared by readers at the same offset.

Offsets are those of the file, whatever masking does to the length.
"""

from __future__ import annotations

import enum
import os
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import assert_never

from supervisor.api.logs import sse
from supervisor.api.logs.mask import Mask
from supervisor.host.runs import log_file

_BLOCK = 65536
"""Pieces end on multiples of it, so that readers who catch up come to read the same ones."""
_SHARED_S = 0.02
_SHARED_PIECES = 32

Look = tuple[int, int, int] | None
"""What changes when a log does: inode, size, time of change; None: no file."""


class Form(enum.Enum):
    """How parts are sent. The value is the media type."""

    TEXT = "text/plain"
    EVENTS = sse.CONTENT_TYPE
    PARTS = "application/vnd.supervisor.log-parts"
    """Each part as it is, after a line with its cursor and its length in bytes: for clients that resume to the byte."""


class Part:
    """Something to send, and the cursor that goes on after it."""

    __slots__ = ("_event", "_frames", "cursor", "data")

    def __init__(self, data: bytes, cursor: str) -> None:
        self.data = data
        self.cursor = cursor
        self._event: bytes | None = None
        self._frames: dict[Form, bytes] = {}

    @property
    def event(self) -> bytes:
        """The part as a server-sent event; made once for all readers."""
        if self._event is None:
            self._event = sse.event(self.data, self.cursor)
        return self._event

    def body(self, form: Form) -> bytes:
        """The part as it is sent."""
        match form:
            case Form.TEXT:
                return self.data
            case Form.EVENTS:
                return self.event
            case Form.PARTS:
                return b"%b %d\n%b" % (self.cursor.encode(), len(self.data), self.data)
            case _:
                assert_never(form)

    def frame(self, form: Form) -> bytes:
        """The part as a chunk of HTTP's chunked encoding; made once for all readers."""
        frame = self._frames.get(form)
        if frame is None:
            body = self.body(form)
            frame = self._frames[form] = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        return frame


@dataclass(slots=True, eq=False)
class Piece:
    """A log's bytes from `start` to `end`, masked. `start` is where reading was to go on, unless bytes are gone."""

    start: int
    end: int
    data: bytes
    fresh: bool
    """Whether a line begins at `start`."""
    look: Look
    """How the log looked before it was read."""
    more: bool = False
    """Whether there was more to read."""
    missing: str = ""
    """Why it begins later than reading was to go on, as a sentence."""
    _parts: dict[tuple[str, bytes, bool], Part] = field(default_factory=dict)

    @property
    def ends_line(self) -> bool:
        """Whether a line begins after it."""
        return self.data.endswith(b"\n") if self.data else self.fresh

    def part(self, name: str, prefix: bytes, fresh: bool) -> Part:
        """The piece with a prefix before each line; `name` is what its cursor begins with."""
        key = name, prefix, fresh
        part = self._parts.get(key)
        if part is None:
            part = Part(_prefixed(self.data, prefix, fresh), f"{name}:{self.end}")
            self._parts[key] = part
        return part


class Shelf:
    """Reads pieces. Those read within the last 20 ms are kept for others at the same place."""

    def __init__(self, secrets: Callable[[], Collection[str]]) -> None:
        self._secrets = secrets
        self._values: frozenset[str] = frozenset()
        self._mask = Mask(())
        self._pieces: dict[tuple[str, int, bool, bool, Look], Piece] = {}
        self._keep_until = 0.0

    def piece(self, path: str, offset: int, final: bool, text: bool, seen: Look) -> Piece:
        """What comes at `offset`; empty: nothing yet.

        `final`: nothing will be written any more. `text`: cut where the piece can be made text. `seen`: how the log
        looks now. Raises OSError.
        """
        mono_s = time.monotonic()
        if mono_s >= self._keep_until or len(self._pieces) >= _SHARED_PIECES:
            self._pieces.clear()
            self._keep_until = mono_s + _SHARED_S
        key = path, offset, final, text, seen
        piece = self._pieces.get(key)
        if piece is None:
            piece = self._pieces[key] = self._read(path, offset, final, text, seen)
        return piece

    def _read(self, path: str, offset: int, final: bool, text: bool, seen: Look) -> Piece:
        if seen is None:
            return Piece(offset, offset, b"", offset == 0, None)
        mask = self._current_mask()
        # One byte before, at least, tells whether a line begins.
        begin = max(0, offset - max(1, mask.longest))
        # Beyond the offset more than what may remain unsettled, so that each piece gets on.
        wanted = _aligned(offset + _BLOCK + mask.longest + 8) - begin
        chunk = log_file.read(path, begin, wanted)
        truncated = chunk.offset < begin
        if not truncated and (chunk.end < offset or (chunk.hole and chunk.end == offset)):
            # What stands before the offset ends at a hole.
            chunk = log_file.read(path, offset, wanted)
            truncated = chunk.offset < offset
        if truncated:
            # By the command: offsets begin anew.
            return self._read(path, log_file.first_kept(path), final, text, seen)
        skip = max(0, offset - chunk.offset)
        # Nothing goes on over a hole.
        more = chunk.hole or len(chunk.data) == wanted
        final = chunk.hole or (final and not more)
        masked = mask.apply(chunk.data, skip, final)
        shown, settled = masked.shown, masked.settled
        if text and not final:
            length = sse.whole(shown)
            settled -= len(shown) - length
            shown = shown[:length]
        start = chunk.offset + skip
        fresh = skip == 0 or self._ends_line(mask, chunk.data[:skip])
        missing = log_file.missing(start - offset, chunk.head) if start > offset else ""
        return Piece(start, chunk.offset + settled, shown, fresh, seen, more, missing)

    def _ends_line(self, mask: Mask, before: bytes) -> bool:
        return before.endswith(b"\n") and mask.apply(before, 0, True).shown.endswith(b"\n")

    def _current_mask(self) -> Mask:
        values = frozenset(self._secrets())
        if values != self._values:
            self._values, self._mask = values, Mask(values)
        return self._mask


def look(path: str) -> Look:
    """How a log looks; another look at another time tells whether it changed."""
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _aligned(offset: int) -> int:
    return -(-offset // _BLOCK) * _BLOCK


def _prefixed(data: bytes, prefix: bytes, fresh: bool) -> bytes:
    if not prefix or not data:
        return data
    lines = data.replace(b"\n", b"\n" + prefix)
    if data.endswith(b"\n"):
        lines = lines[: -len(prefix)]
    return prefix + lines if fresh else lines
