"""A log as a stream of frames: one section after the other, each the log of one run, from its offset to its end.

A section is followed until the thing it belongs to is over and all of its log was sent. A reader holds one frame: the
next one is read when it is asked for, so a slow client costs no memory. Of the readers that catch up a few are served
in one turn of the event loop, so that a status is answered however many there are.

While a reader waits, its frames may go out past it: `take` gives a grown log to the client at once, on the timer of
`waiters`, if the client has taken everything before. That spares a task switch for each reader and each line.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from supervisor.api.logs.chunks import FileVersion, LogChunk, file_version
from supervisor.api.logs.frames import Frame
from supervisor.api.logs.line_pattern import TooSlow
from supervisor.api.logs.line_view import LineView, Piece, is_over
from supervisor.api.logs.log_query import WantedLines
from supervisor.api.logs.log_section import Section
from supervisor.api.logs.reader_resources import ReaderResources
from supervisor.host.runs import log_file

KEEP_ALIVE_S = 15.0
_SEARCHED_BYTES = 8192
"""More is not searched for a pattern on the timer of all readers."""
SILENCE = Frame(b"", "")
"""Stands for nothing to send for a while, for clients that want to know."""


class LogClient(Protocol):
    """The client that a log is read for."""

    def gone(self) -> bool:
        """Whether it has left; reading then ends."""

    def push(self, frame: Frame) -> bool:
        """Send a frame at once if the client has taken all before it. Returns whether that was so."""


class LogReader:
    """Reads for one client."""

    def __init__(
        self, shared: ReaderResources, client: LogClient, wanted: WantedLines, *, follow: bool, text: bool
    ) -> None:
        """`follow`: go on until the sections are over. `text`: frames that can become text, and SILENCE.

        Frames that are pushed to the client while `read` waits are not given out by it.
        """
        self._shared = shared
        self._client = client
        self._wanted = wanted
        self._follow = follow
        self._text = text
        self._is_plain = wanted.all_as_they_are

    async def read(self, sections: Sequence[Section], offset: int) -> AsyncGenerator[Frame]:
        """The frames of all sections, the first one's from `offset` on."""
        for section in sections:
            async with aclosing(self._section(section, offset)) as frames:
                async for frame in frames:
                    yield frame
            if self._client.gone() or not (self._goes_on() or section.over(section.run())):
                return
            offset = 0

    def _goes_on(self) -> bool:
        """Whether to wait for what is not written yet."""
        return self._follow and not is_over(self._wanted)

    async def _section(self, section: Section, offset: int) -> AsyncGenerator[Frame]:
        while (run_id := section.run()) is None:
            if section.over(None) or not self._goes_on() or self._client.gone():
                return
            if await self._wait(section, None):
                yield SILENCE
        place = _Place(self._shared.log(run_id), section.name or run_id, offset)
        try:
            if not self._is_plain:
                await self._begin_view(place, section, run_id)
            if section.note:
                yield place.note(section.note, section.prefix)
            async with aclosing(self._run(section, run_id, place)) as frames:
                async for frame in frames:
                    yield frame
        except OSError as error:
            yield place.note(f"the log cannot be read: {error.strerror}", section.prefix)
        except TooSlow:
            yield place.note("the log ends here: the search for lines takes too long", section.prefix)

    async def _begin_view(self, place: _Place, section: Section, run_id: str) -> None:
        shared, begin = self._shared, place.offset
        first = await shared.first_line(run_id, self._wanted)
        place.offset = first if first > begin else shared.cache.line_start(place.path, begin)
        place.view = LineView(
            self._wanted, shared.times, run_id, place.name, section.prefix, begin=begin, jumps=first > begin
        )

    async def _run(self, section: Section, run_id: str, place: _Place) -> AsyncGenerator[Frame]:
        """A run's log from a place to its end, as far as that is known when the section is over."""
        view = place.view
        limit: int | None = None
        while not self._client.gone():
            # First whether it is over, then the log: bytes that come between the two looks are read.
            over = section.over(run_id)
            if over:
                place.path = self._shared.log(run_id)  # a probe's is known once it has ended
            if limit is None and (over or not self._goes_on()):
                limit = log_file.size(place.path)
            chunk = await self._chunk(place, run_id, over)
            moved = chunk.start != place.offset
            if moved:
                if view is not None and chunk.start < place.offset:
                    view.begin_anew()
                place.offset = chunk.start
                why = chunk.missing or "the command truncated its log: it begins anew"
                yield place.note(why, section.prefix)
            if view is None:
                if chunk.end != chunk.start:
                    yield chunk.frame(place.name, section.prefix, chunk.fresh or moved)
                place.after(chunk)
            else:
                piece = await self._piece(view, chunk, moved, over and not chunk.more)
                place.after_piece(piece)
                if piece.frame is not None:
                    yield piece.frame
                if piece.done:
                    limit = 0
            nothing_new = place.offset == chunk.start and not moved
            if limit is not None and (nothing_new or place.offset >= limit):
                in_line = place.in_line if view is not None else not chunk.ends_line
                if section.next_name and over and in_line:
                    yield Frame(b"\n", f"{section.next_name}:0")
                return
            if nothing_new and await self._wait(section, run_id, place, chunk.version):
                yield SILENCE

    async def _chunk(self, place: _Place, run_id: str, over: bool) -> LogChunk:
        """The chunk at a place, with its time if that is wanted. `over`: nothing will be written any more."""
        async with self._shared.turns:
            version = file_version(place.path)
            chunk = self._shared.cache.chunk(place.path, place.offset, over, self._text, version)
            await asyncio.sleep(0)  # a client that takes everything at once would keep the loop to itself
        # A time is written before its bytes, so it is read after them.
        if (place.view is not None or self._text) and not self._shared.note_time(chunk, run_id):
            await self._shared.times.refresh()
            self._shared.note_time(chunk, run_id)
        return chunk

    async def _wait(
        self, section: Section, run_id: str | None, place: _Place | None = None, seen: FileVersion = None
    ) -> bool:
        """Wait for more; returns whether nothing came for so long that the client wants to know."""
        wait: _Wait
        if self._is_plain:
            wait = _Wait(self._client, self._shared, section, run_id, place, self._text)
        else:
            wait = _LinesWait(self._client, self._shared, section, run_id, place, self._text, self._wanted)
        await self._shared.waiters.until(wait, section.record_id, place.path if place else None, seen)
        return wait.is_silent()

    async def _piece(self, view: LineView, chunk: LogChunk, moved: bool, final: bool) -> Piece:
        if self._wanted.pattern is None:
            return view.piece(chunk, chunk.fresh or moved, final)
        async with self._shared.search_turn():
            return view.piece(chunk, chunk.fresh or moved, final)


class _Wait:
    """One wait of a reader: a `waiters.Waiter`."""

    def __init__(
        self,
        client: LogClient,
        shared: ReaderResources,
        section: Section,
        run_id: str | None,
        place: _Place | None,
        text: bool,
    ) -> None:
        self._client = client
        self._shared = shared
        self._cache = shared.cache
        self._section = section
        self._run_id = run_id
        self._place = place
        self._text = text
        self._silent_at = self._silence()

    def is_silent(self) -> bool:
        """Whether nothing came for so long that the client wants to know."""
        return time.monotonic() >= self._silent_at

    def ready(self) -> bool:
        if self._client.gone() or self._section.over(self._run_id) or self.is_silent():
            return True
        return self._run_id is None and self._section.run() is not None

    def take(self, version: FileVersion) -> FileVersion:
        """Push what the log has grown by; where that cannot be, the reader is woken and finds out why."""
        place, section = self._place, self._section
        if place is None or section.over(self._run_id):
            return None
        try:
            chunk = self._cache.chunk(place.path, place.offset, False, self._text, version)
        except OSError:
            return None  # the reader meets the same error, and says so; others wait on the same timer
        if chunk.start != place.offset:
            return None
        if self._text and not chunk.time and not self._shared.note_time(chunk, self._run_id):
            return None
        if chunk.end != chunk.start:
            if not self._client.push(chunk.frame(place.name, section.prefix, chunk.fresh)):
                return None
            place.after(chunk)
            self._silent_at = self._silence()
        return None if chunk.more else chunk.version

    def _silence(self) -> float:
        return time.monotonic() + KEEP_ALIVE_S if self._text else math.inf


class _LinesWait(_Wait):
    """One wait of a reader that does not get all lines as they are."""

    def __init__(
        self,
        client: LogClient,
        shared: ReaderResources,
        section: Section,
        run_id: str | None,
        place: _Place | None,
        text: bool,
        wanted: WantedLines,
    ) -> None:
        super().__init__(client, shared, section, run_id, place, text)
        self._wanted = wanted

    def ready(self) -> bool:
        return super().ready() or is_over(self._wanted)

    def take(self, version: FileVersion) -> FileVersion:
        place = self._place
        if place is None or place.view is None or self._section.over(self._run_id) or is_over(self._wanted):
            return None
        try:
            chunk = self._cache.chunk(place.path, place.offset, False, self._text, version)
            if chunk.start != place.offset or not (chunk.time or self._shared.note_time(chunk, self._run_id)):
                return None
            if self._wanted.pattern is not None and len(chunk.data) > _SEARCHED_BYTES:
                return None
            piece = place.view.piece(chunk, chunk.fresh, False)
        except (OSError, TooSlow):
            return None  # the reader meets the same, and says so
        if piece.frame is not None:
            if not self._client.push(piece.frame):
                return None
            self._silent_at = self._silence()
        place.after_piece(piece)
        return None if chunk.more or piece.stopped or piece.done else chunk.version


@dataclass(slots=True)
class _Place:
    """How far a log was sent."""

    path: str
    name: str
    """What its cursors begin with."""
    offset: int
    in_line: bool = False
    """Whether the last frame ends within a line."""
    view: LineView | None = None
    """Of a reader that does not get all lines as they are."""

    def after(self, chunk: LogChunk) -> None:
        self.offset = chunk.end
        if chunk.end != chunk.start:
            self.in_line = not chunk.ends_line

    def after_piece(self, piece: Piece) -> None:
        self.offset, self.in_line = piece.end, piece.in_line
        if self.view is not None:
            self.view.accept(piece)

    def note(self, sentence: str, prefix: bytes) -> Frame:
        """A line of our own. What follows it begins at the place."""
        start = b"\n" if self.in_line else b""
        self.in_line = False
        if self.view is not None:
            prefix = self.view.stamp(self.offset)
        return Frame(start + prefix + f"[{sentence}]\n".encode(), f"{self.name}:{self.offset}")
