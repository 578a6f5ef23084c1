"""Where the last lines of a log begin, also when they lie in several runs' logs.

One search reads SEARCH_BYTES at most, and ends once its client has left. Few go on at once: each is a thread that wants
the interpreter, and the answers to other clients wait for that.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Sequence

import anyio

from supervisor.api.logs.chunks import file_version
from supervisor.api.logs.line_pattern import TooSlow
from supervisor.api.logs.line_view import LineView
from supervisor.api.logs.log_query import WantedLines
from supervisor.api.logs.log_section import Section
from supervisor.api.logs.reader_resources import ReaderResources
from supervisor.host.proc import worker_threads
from supervisor.host.runs import log_file

SEARCHES = 2
"""How many searches go on at once."""
_WINDOW_BYTES = 1 << 20
"""So much is searched forward for lines that pass, before what comes before it."""


class TailSearch:
    """Searches for all clients of a server."""

    def __init__(self) -> None:
        self._limiter: anyio.CapacityLimiter | None = None

    async def start(
        self, shared: ReaderResources, sections: Sequence[Section], lines: int, wanted: WantedLines
    ) -> tuple[tuple[Section, ...], int]:
        """See `tail_start`; of the lines that are wanted. Cancelled, it leaves no search behind. Raises OSError."""
        if lines and (wanted.until_ms is not None or wanted.pattern is not None):
            return await _passing_tail(shared, sections, lines, wanted)
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(SEARCHES)
        # A cancelled task does not wait for its thread.
        left = threading.Event()
        try:
            async with self._limiter:
                return await worker_threads.run(tail_start, shared, sections, lines, left.is_set)
        finally:
            left.set()


async def _passing_tail(
    shared: ReaderResources, sections: Sequence[Section], lines: int, wanted: WantedLines
) -> tuple[tuple[Section, ...], int]:
    """As `tail_start`, of the lines that pass. On the event loop, where a search can be ended, piece by piece."""
    budget_bytes, start = log_file.SEARCH_BYTES, 0
    for index in range(_shown(sections) - 1, -1, -1):
        run_id, start = sections[index].run(), 0
        if run_id is None:
            continue
        path = shared.log(run_id)
        first = await shared.first_line(run_id, wanted)
        start = log_file.size(path)
        await shared.times.refresh()
        while start > first:
            if budget_bytes <= 0:
                return tuple(sections[index:]), start
            end, start = start, await _window(path, first, start)
            budget_bytes -= end - start
            try:
                found = await _passing(shared, run_id, wanted, start, end, sections[index].over(run_id))
            except TooSlow:  # the reader meets it again, and says so
                return tuple(sections[index:]), start
            if len(found) >= lines:
                return tuple(sections[index:]), found[-lines]
            lines -= len(found)
    return tuple(sections), start


async def _window(path: str, first: int, end: int) -> int:
    """Where the lines before `end` begin that are searched next; `first`: where all begin."""
    length = _WINDOW_BYTES
    while end - length > first:
        start = await worker_threads.run(log_file.line_at, path, end - length)
        if start < end:
            return max(first, start)
        length *= 2  # a long line
    return first


async def _passing(
    shared: ReaderResources, run_id: str, wanted: WantedLines, start: int, end: int, over: bool
) -> array[int]:
    """The offsets of the lines that pass, from a line's beginning to another's. Raises TooSlow, OSError.

    `over`: nothing will be written any more.
    """
    found = array("Q")
    path = shared.log(run_id)
    view = LineView(wanted, shared.times, run_id)
    while start < end:
        async with shared.search_turn():
            chunk = shared.cache.chunk(path, start, over, False, file_version(path))
            moved = chunk.start != start
            offsets, piece = view.lines(chunk, chunk.fresh or moved, over and not chunk.more)
        found.extend(offset for offset in offsets if offset < end)
        if piece.done or (piece.end == start and not moved):
            break
        view.accept(piece)
        start = piece.end
    return found


def tail_start(
    shared: ReaderResources, sections: Sequence[Section], lines: int, stop: Callable[[], bool] = lambda: False
) -> tuple[tuple[Section, ...], int]:
    """The sections, and the offset in the first of them, from which the last `lines` lines follow.

    Counted from the first section that is not over: what comes after it is not in the stream yet. Of more than
    SEARCH_BYTES it returns what it has found. Reads files, so call it in a thread.
    """
    if lines == 0 and all(section.over(section.run()) for section in sections):
        return (), 0
    budget_bytes = log_file.SEARCH_BYTES
    for index in range(_shown(sections) - 1, -1, -1):
        run_id = sections[index].run()
        if run_id is None:
            continue
        found = log_file.find_tail(shared.log(run_id), lines, budget_bytes, stop)
        lines -= found.lines
        budget_bytes -= found.searched_bytes
        if lines <= 0 or found.cut or index == 0 or budget_bytes <= 0:
            return tuple(sections[index:]), found.start
    return tuple(sections), 0


def _shown(sections: Sequence[Section]) -> int:
    """How many sections have something in the stream."""
    for index, section in enumerate(sections):
        if not section.over(section.run()):
            return index + 1
    return len(sections)
