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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from supervisor.api.logs.chunks import ChunkCache, FileVersion, LogChunk, file_version
from supervisor.api.logs.frames import Frame
from supervisor.api.logs.waiters import LogWaiters
from supervisor.host.runs import log_file
from supervisor.host.runs.run_directory import RunDir

KEEP_ALIVE_S = 15.0
SERVED_AT_ONCE = 8
"""How many readers that catch up get a chunk in one turn of the event loop: half a millisecond."""
SILENCE = Frame(b"", "")
"""Stands for nothing to send for a while, for clients that want to know."""


class LoggedRun(Protocol):
    """The run whose log a section is. The methods look at the records as they are when called."""

    def run_id(self) -> str | None:
        """None: it has not begun."""

    def over(self, run_id: str | None) -> bool:
        """Whether nothing more is to come, given the run that was begun with."""


@dataclass(frozen=True, slots=True)
class Section:
    """One run's place in a stream."""

    record_id: str
    """Whose changes decide."""
    of: LoggedRun
    name: str = ""
    """What its cursors begin with; empty: the run's id."""
    prefix: bytes = b""
    """Stands before each line."""
    next_name: str = ""
    """Of the section after it, which begins on a line of its own; empty: it may go on in this one's last line."""
    note: str = ""
    """Said before it begins."""

    def run(self) -> str | None:
        """The id of the run; None: it has not begun."""
        return self.of.run_id()

    def over(self, run_id: str | None) -> bool:
        """Whether nothing more is to come, given the run that was begun with."""
        return self.of.over(run_id)


class LogClient(Protocol):
    """The client that a log is read for."""

    def gone(self) -> bool:
        """Whether it has left; reading then ends."""

    def push(self, frame: Frame) -> bool:
        """Send a frame at once if the client has taken all before it. Returns whether that was so."""


@dataclass(frozen=True, slots=True)
class SharedReading:
    """What all readers of a server share."""

    runs: Path
    """The folder of run directories."""
    cache: ChunkCache
    waiters: LogWaiters
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SERVED_AT_ONCE))


class LogReader:
    """Reads for one client."""

    def __init__(self, shared: SharedReading, client: LogClient, *, follow: bool, text: bool) -> None:
        """`follow`: go on until the sections are over. `text`: frames that can become text, and SILENCE.

        Frames that are pushed to the client while `read` waits are not given out by it.
        """
        self._runs = shared.runs
        self._cache = shared.cache
        self._waiters = shared.waiters
        self._turns = shared.turns
        self._client = client
        self._follow = follow
        self._text = text

    async def read(self, sections: Sequence[Section], offset: int) -> AsyncGenerator[Frame]:
        """The frames of all sections, the first one's from `offset` on."""
        for section in sections:
            async with aclosing(self._section(section, offset)) as frames:
                async for frame in frames:
                    yield frame
            if self._client.gone() or not (self._follow or section.over(section.run())):
                return
            offset = 0

    async def _section(self, section: Section, offset: int) -> AsyncGenerator[Frame]:
        while (run_id := section.run()) is None:
            if section.over(None) or not self._follow or self._client.gone():
                return
            if await self._wait(section, None):
                yield SILENCE
        cursor = f"{section.name or run_id}:{offset}"
        if section.note:
            yield _note(section.note, section.prefix, cursor)
        try:
            async with aclosing(self._run(section, run_id, offset)) as frames:
                async for frame in frames:
                    yield frame
                    cursor = frame.cursor or cursor
        except OSError as error:
            yield _note(f"the log cannot be read: {error.strerror}", section.prefix, cursor)

    async def _run(self, section: Section, run_id: str, offset: int) -> AsyncGenerator[Frame]:
        """A run's log from `offset` to its end, as far as that is known when the section is over."""
        place = _Place(RunDir(self._runs, run_id).log, section.name or run_id, offset)
        limit: int | None = None
        while not self._client.gone():
            # First whether it is over, then the log: bytes that come between the two looks are read.
            over = section.over(run_id)
            if limit is None and (over or not self._follow):
                limit = log_file.size(place.path)
            async with self._turns:
                version = file_version(place.path)
                chunk = self._cache.chunk(place.path, place.offset, over, self._text, version)
                await asyncio.sleep(0)  # a client that takes everything at once would keep the loop to itself
            moved = chunk.start != place.offset
            if moved:
                cursor = f"{place.name}:{chunk.start}"
                why = chunk.missing or "the command truncated its log: it begins anew"
                yield _note(why, section.prefix, cursor, place.in_line)
            if chunk.end != chunk.start:
                yield chunk.frame(place.name, section.prefix, chunk.fresh or moved)
            place.after(chunk)
            nothing_new = chunk.end == chunk.start and not moved
            if limit is not None and (nothing_new or place.offset >= limit):
                if section.next_name and over and not chunk.ends_line:
                    yield Frame(b"\n", f"{section.next_name}:0")
                return
            if nothing_new and await self._wait(section, run_id, place, chunk.version):
                yield SILENCE

    async def _wait(
        self, section: Section, run_id: str | None, place: _Place | None = None, seen: FileVersion = None
    ) -> bool:
        """Wait for more; returns whether nothing came for so long that the client wants to know."""
        wait = _Wait(self._client, self._cache, section, run_id, place, self._text)
        await self._waiters.until(wait, section.record_id, place.path if place else None, seen)
        return wait.is_silent()


class _Wait:
    """One wait of a reader: a `waiters.Waiter`."""

    def __init__(
        self,
        client: LogClient,
        cache: ChunkCache,
        section: Section,
        run_id: str | None,
        place: _Place | None,
        text: bool,
    ) -> None:
        self._client = client
        self._cache = cache
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
        if chunk.end != chunk.start:
            if not self._client.push(chunk.frame(place.name, section.prefix, chunk.fresh)):
                return None
            place.after(chunk)
            self._silent_at = self._silence()
        return None if chunk.more else chunk.version

    def _silence(self) -> float:
        return time.monotonic() + KEEP_ALIVE_S if self._text else math.inf


@dataclass(slots=True)
class _Place:
    """How far a log was sent."""

    path: str
    name: str
    """What its cursors begin with."""
    offset: int
    in_line: bool = False
    """Whether the last frame ends within a line."""

    def after(self, chunk: LogChunk) -> None:
        self.offset = chunk.end
        if chunk.end != chunk.start:
            self.in_line = not chunk.ends_line


def _note(sentence: str, prefix: bytes, cursor: str, in_line: bool = False) -> Frame:
    start = b"\n" if in_line else b""
    return Frame(start + prefix + f"[{sentence}]\n".encode(), cursor)
