"""One reader's view of a log's lines: which of them it gets, and whether with their times.

A line passes as a whole. Its time is that of its first byte, and decides with `since` and `until`; a pattern is looked
for in it once it is whole, or longer than is searched, or nothing more will come. Until then the place of the reader
stays at the beginning of the line, which is read again with what comes after it. Without a pattern nothing is kept
back: a prompt comes at once, with its time.

A reader that begins within a line gets the rest of it, without a time, if the line passes. So reading begins where the
line does.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from supervisor.api.logs.chunks import LogChunk
from supervisor.api.logs.frames import Frame
from supervisor.api.logs.line_pattern import LINES_AT_ONCE, MOST_BYTES, LinePattern
from supervisor.api.logs.log_query import WantedLines
from supervisor.host.runs.line_times import LineTimes, RunTimes
from supervisor.model.timestamp import rfc3339_ms

_SILENT_BYTES = 65536
"""After so many bytes without a line that passes the cursor moves on all the same."""

_Span = tuple[int, int]
"""Positions in a chunk's data: of lines that follow each other, and after them."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What a reader gets of a chunk."""

    frame: Frame | None
    end: int
    """The offset to read on from."""
    passes: bool | None
    """Whether the line in which `end` lies passes; None: a line begins there."""
    in_line: bool
    """Whether what the reader has got ends within a line."""
    stopped: bool = False
    """Whether the chunk has more, for a next turn."""
    done: bool = False
    """Whether all later lines were written after `until`."""


class LineView:
    """The view of one run's log. What `piece` returns counts once it is given to `accept`."""

    def __init__(
        self,
        wanted: WantedLines,
        times: LineTimes,
        run_id: str,
        name: str = "",
        prefix: bytes = b"",
        *,
        begin: int = 0,
        jumps: bool = False,
    ) -> None:
        """`name`: what cursors begin with; `prefix`: stands before each line, after its time.

        `begin`: what lies before this offset, the reader has.
        `jumps`: reading begins where the lines that are too old end; if that is within a line, it is one of them.
        """
        self._wanted = wanted
        self._all = wanted == WantedLines(timestamps=True)
        """Whether all lines pass: then what is made of a chunk is shared with other such readers."""
        self._times = times
        self._run_id = run_id
        self._name = name
        self._prefix = prefix
        self._begin = begin
        self._passes = False if jumps else None
        """Whether the line in progress passes; None: that is not known."""
        self._said: int | None = None
        """The offset of the last cursor that the reader has got."""
        self.in_line = False

    def stamp(self, offset: int) -> bytes:
        """What stands before a line that begins at an offset."""
        if not self._wanted.timestamps:
            return self._prefix
        return f"{rfc3339_ms(self._times.of(self._run_id).ms_at(offset))} ".encode() + self._prefix

    def piece(self, chunk: LogChunk, fresh: bool, final: bool) -> Piece:
        """The reader's part of a chunk at its place. Raises TooSlow.

        Args:
            chunk: read before the times were.
            fresh: whether a line begins with it.
            final: whether nothing follows it.
        """
        times = self._times.of(self._run_id)
        if self._all and chunk.start >= self._begin and chunk.data:
            in_line = not chunk.ends_line
            shared = chunk.frame(self._name, self._prefix, fresh, times)
            return Piece(shared, chunk.end, in_line or None, in_line)
        spans, end, stopped, done = self._passing(chunk, fresh, final, times)
        passes = self._verdict(chunk, spans, end)
        in_line = self.in_line
        if chunk.start < self._begin:
            spans, in_line = self._without_what_it_has(chunk, spans)
        stamps = times if self._wanted.timestamps else None
        sent = b"".join(
            chunk.lines(*span, self._prefix, _begins_line(chunk, span[0], fresh), stamps) for span in spans
        )
        offset = chunk.end if end == len(chunk.data) else chunk.offset_of(end)
        frame = self._frame(sent, offset, times.ms_at(chunk.offset_of(spans[0][0])) if spans else 0)
        if sent:
            in_line = not sent.endswith(b"\n")
        return Piece(frame, offset, passes, in_line, stopped, done)

    def lines(self, chunk: LogChunk, fresh: bool, final: bool) -> tuple[list[int], Piece]:
        """The offsets of the lines that pass, to count them, and the piece without its frame."""
        spans, end, stopped, done = self._passing(chunk, fresh, final, self._times.of(self._run_id))
        offsets = []
        for begin, after in spans:
            while begin < after:
                offsets.append(chunk.offset_of(begin))
                begin = chunk.data.find(b"\n", begin, after) + 1 or after
        if spans and spans[0][0] == 0 and not fresh:
            del offsets[0]  # the rest of a line
        offset = chunk.end if end == len(chunk.data) else chunk.offset_of(end)
        return offsets, Piece(None, offset, self._verdict(chunk, spans, end), False, stopped, done)

    def begin_anew(self) -> None:
        """The command has truncated its log: the reader has nothing of what follows."""
        self._begin, self._passes, self._said = 0, None, None

    def accept(self, piece: Piece) -> None:
        """The reader has got a piece."""
        self._passes = piece.passes
        self.in_line = piece.in_line
        if piece.frame is not None or self._said is None:
            self._said = piece.end

    def _passing(
        self, chunk: LogChunk, fresh: bool, final: bool, times: RunTimes
    ) -> tuple[list[_Span], int, bool, bool]:
        """The lines that pass; where to go on; whether the chunk has more; whether no more lines will pass."""
        spans, end, done = self._in_time(chunk, fresh, times)
        if self._wanted.pattern is None:
            return spans, end, False, done
        is_known = not fresh and self._passes is not None
        spans, end, stopped = _found(self._wanted.pattern, chunk, spans, end, is_known, final)
        return spans, end, stopped, done and not stopped

    def _in_time(self, chunk: LogChunk, fresh: bool, times: RunTimes) -> tuple[list[_Span], int, bool]:
        """The lines that `since` and `until` let pass; where to go on; whether no more lines will pass.

        A line that began before the chunk has a span of its own.
        """
        data, wanted = chunk.data, self._wanted
        first = 0 if wanted.since_ms is None else times.first_at(wanted.since_ms)
        after = None if wanted.until_ms is None else times.end_at(wanted.until_ms)
        head = 0 if fresh else data.find(b"\n") + 1 or len(data)
        begin = len(data) if first is None else _line_at(chunk, first, head)
        end = len(data) if after is None else _line_at(chunk, after, head)
        passes = self._passes
        if passes is None:  # the line in progress began somewhere before the chunk
            passes = self._is_wanted(max(0, chunk.start - 1), times)
        spans = [span for span in ((0, head if passes else 0), (begin, end)) if span[0] < span[1]]
        ends_line = _begins_line(chunk, end, fresh)
        return spans, end, after is not None and ends_line and (end < len(data) or chunk.end >= after)

    def _is_wanted(self, offset: int, times: RunTimes) -> bool:
        """Whether `since` and `until` let a line pass that begins at an offset."""
        since_ms, until_ms = self._wanted.since_ms, self._wanted.until_ms
        first = 0 if since_ms is None else times.first_at(since_ms)
        after = None if until_ms is None else times.end_at(until_ms)
        return first is not None and first <= offset and (after is None or offset < after)

    def _verdict(self, chunk: LogChunk, spans: list[_Span], end: int) -> bool | None:
        """Whether the line in which `end` lies passes."""
        if end == 0:
            return self._passes
        if _begins_line(chunk, end, False):
            return None
        return bool(spans) and spans[-1][1] == end

    def _without_what_it_has(self, chunk: LogChunk, spans: list[_Span]) -> tuple[list[_Span], bool]:
        """Spans without what the reader has, and whether that ends within a line."""
        begin = chunk.position_of(self._begin)
        has = [span for span in spans if span[0] < begin]
        rest = [(max(span[0], begin), span[1]) for span in spans if span[1] > begin]
        in_line = bool(has) and has[-1][1] >= begin and not _begins_line(chunk, begin, True)
        return rest, in_line

    def _frame(self, sent: bytes, offset: int, ms: int) -> Frame | None:
        cursor = f"{self._name}:{offset}"
        if sent:
            return Frame(sent, cursor, rfc3339_ms(ms))
        if self._said is not None and offset - self._said >= _SILENT_BYTES:
            return Frame(b"", cursor)
        return None


def is_over(wanted: WantedLines) -> bool:
    """Whether what is written from now on is too late."""
    return wanted.until_ms is not None and time.time_ns() // 1_000_000 > wanted.until_ms


def _begins_line(chunk: LogChunk, position: int, fresh: bool) -> bool:
    return chunk.data.endswith(b"\n", 0, position) if position else fresh


def _line_at(chunk: LogChunk, offset: int, head: int) -> int:
    """Where in a chunk the first line begins whose offset is at least so much; `head`: where its first line begins."""
    position = chunk.position_of(offset)
    if chunk.start >= offset or position <= head:
        return head
    return chunk.data.find(b"\n", position - 1) + 1 or len(chunk.data)


def _found(
    pattern: LinePattern, chunk: LogChunk, spans: list[_Span], end: int, is_known: bool, final: bool
) -> tuple[list[_Span], int, bool]:
    """The spans of lines that match; where to go on; whether the chunk has more of them. Raises TooSlow.

    `is_known`: a first span at 0 is the rest of a line that passes.
    """
    known = [span for span in spans[:1] if is_known and span[0] == 0]
    lines, on, stopped = _lines(chunk, spans[len(known) :], final)
    passing = pattern.matching(chunk.data[begin:after] for begin, after in lines)
    if len(passing) < len(lines):
        on, stopped = lines[len(passing)][0], True
    found = known
    for line, matches in zip(lines, passing, strict=False):
        if not matches:
            continue
        if found and found[-1][1] == line[0]:
            found[-1] = found[-1][0], line[1]
        else:
            found.append(line)
    return found, end if on is None else on, stopped


def _lines(chunk: LogChunk, spans: list[_Span], final: bool) -> tuple[list[_Span], int | None, bool]:
    """The lines in spans, at most LINES_AT_ONCE; where the first one begins that is left; whether there are too many.

    An unfinished line is left for later.
    """
    lines: list[_Span] = []
    data = chunk.data
    for begin, after in spans:
        while begin < after:
            if len(lines) == LINES_AT_ONCE:
                return lines, begin, True
            line_end = data.find(b"\n", begin, after) + 1
            if line_end == 0:
                line_end = after
                full = after - begin >= MOST_BYTES or (begin == 0 and chunk.more)
                if not (full or final or chunk.before_hole):
                    return lines, begin, False
            lines.append((begin, line_end))
            begin = line_end
    return lines, None, False
