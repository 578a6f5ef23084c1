"""A log as a stream of parts: one section after the other, each the log of one run, from its offset to its end.

A section is followed until what it belongs to is over and all of its log was given. Whoever reads slowly holds one
part: what comes next is read when it is asked for. Of those who catch up a few are served in one turn of the event
loop, so that a status is answered however many there are.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from supervisor.api.logs.chunks import Look, Part, Piece, Shelf, look
from supervisor.api.logs.waiters import Waiting
from supervisor.host.runs import log_file
from supervisor.host.runs.run_directory import RunDir

KEEP_ALIVE_S = 15.0
SERVED_AT_ONCE = 8
"""How many readers who catch up get a piece in one turn of the event loop: half a millisecond."""
SILENCE = Part(b"", "")
"""Stands for nothing to send for a while, for readers who want to know."""


@dataclass(frozen=True, slots=True)
class Section:
    """One run's place in a stream. The functions look at the records as they are when called."""

    record_id: str
    """Whose changes decide."""
    run: Callable[[], str | None]
    """The id of the run; None: it has not begun."""
    over: Callable[[str | None], bool]
    """Whether nothing more is to come, given the run that was begun with."""
    name: str = ""
    """What its cursors begin with; empty: the run's id."""
    prefix: bytes = b""
    """Stands before each line."""
    next_name: str = ""
    """Of the section after it, which begins on a line of its own; empty: it may go on in this one's last line."""
    note: str = ""
    """Said before it begins."""


class Reader:
    """Reads for one client."""

    def __init__(
        self,
        runs: Path,
        shelf: Shelf,
        waiting: Waiting,
        *,
        follow: bool,
        text: bool,
        turns: asyncio.Semaphore,
        gone: Callable[[], bool],
        push: Callable[[Part], bool] = lambda _: False,
    ) -> None:
        """`follow`: go on until the sections are over. `text`: parts that can be made text, and SILENCE.

        `turns`: of SERVED_AT_ONCE, the same for all readers. `gone`: whether the client is; reading then ends. `push`
        sends a part at once if the client has taken all before it, and says whether it did; parts sent so while `read`
        waits are not given out by it.
        """
        self._runs = runs
        self._shelf = shelf
        self._waiting = waiting
        self._follow = follow
        self._text = text
        self._turns = turns
        self._gone = gone
        self._push = push

    async def read(self, sections: Sequence[Section], offset: int) -> AsyncGenerator[Part]:
        """The parts of all sections, the first one's from `offset` on."""
        for section in sections:
            async with aclosing(self._section(section, offset)) as parts:
                async for part in parts:
                    yield part
            if self._gone() or not (self._follow or section.over(section.run())):
                return
            offset = 0

    async def _section(self, section: Section, offset: int) -> AsyncGenerator[Part]:
        while (run_id := section.run()) is None:
            if section.over(None) or not self._follow or self._gone():
                return
            if await self._wait(section, None):
                yield SILENCE
        cursor = f"{section.name or run_id}:{offset}"
        if section.note:
            yield _note(section.note, section.prefix, cursor)
        try:
            async with aclosing(self._run(section, run_id, offset)) as parts:
                async for part in parts:
                    yield part
                    cursor = part.cursor or cursor
        except OSError as error:
            yield _note(f"the log cannot be read: {error.strerror}", section.prefix, cursor)

    async def _run(self, section: Section, run_id: str, offset: int) -> AsyncGenerator[Part]:
        """A run's log from `offset` to its end, as far as that is known when the section is over."""
        place = _Place(RunDir(self._runs, run_id).log, section.name or run_id, offset)
        limit: int | None = None
        while not self._gone():
            # First whether it is over, then what is there: what comes between is read.
            over = section.over(run_id)
            if limit is None and (over or not self._follow):
                limit = log_file.size(place.path)
            async with self._turns:
                piece = self._shelf.piece(place.path, place.offset, over, self._text, look(place.path))
                await asyncio.sleep(0)  # a client that takes all at once would leave the loop to nobody
            moved = piece.start != place.offset
            if moved:
                cursor = f"{place.name}:{piece.start}"
                why = piece.missing or "the command truncated its log: it begins anew"
                yield _note(why, section.prefix, cursor, place.in_line)
            if piece.end != piece.start:
                yield piece.part(place.name, section.prefix, piece.fresh or moved)
            place.after(piece)
            nothing_new = piece.end == piece.start and not moved
            if limit is not None and (nothing_new or place.offset >= limit):
                if section.next_name and over and not piece.ends_line:
                    yield Part(b"\n", f"{section.next_name}:0")
                return
            if nothing_new and await self._wait(section, run_id, place, piece.look):
                yield SILENCE

    async def _wait(
        self, section: Section, run_id: str | None, place: _Place | None = None, seen: Look = None
    ) -> bool:
        """Wait for more; returns whether nothing came for so long that the client wants to know."""
        silent_at = time.monotonic() + KEEP_ALIVE_S if self._text else math.inf

        def ready() -> bool:
            if self._gone() or section.over(run_id) or time.monotonic() >= silent_at:
                return True
            return run_id is None and section.run() is not None

        def take(seen: Look) -> Look:
            nonlocal silent_at
            if place is None or section.over(run_id):
                return None
            try:
                piece = self._shelf.piece(place.path, place.offset, False, self._text, seen)
            except OSError:
                return None  # whoever is woken meets it, and says so; others wait on the same timer
            if piece.start != place.offset:
                return None
            if piece.end != piece.start:
                if not self._push(piece.part(place.name, section.prefix, piece.fresh)):
                    return None
                place.after(piece)
                silent_at = time.monotonic() + KEEP_ALIVE_S if self._text else math.inf
            return None if piece.more else piece.look

        await self._waiting.until(ready, section.record_id, place.path if place else None, seen, take)
        return time.monotonic() >= silent_at


@dataclass(slots=True)
class _Place:
    """How far a log was given."""

    path: str
    name: str
    """What its cursors begin with."""
    offset: int
    in_line: bool = False
    """Whether what was given last ends within a line."""

    def after(self, piece: Piece) -> None:
        self.offset = piece.end
        if piece.end != piece.start:
            self.in_line = not piece.ends_line


def _note(sentence: str, prefix: bytes, cursor: str, in_line: bool = False) -> Part:
    start = b"\n" if in_line else b""
    return Part(start + prefix + f"[{sentence}]\n".encode(), cursor)
