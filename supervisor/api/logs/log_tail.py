"""Where the last lines of a log begin, also when they lie in several runs' logs.

One search reads SEARCH_BYTES at most, and ends once its client has left. Few go on at once: each is a thread that wants
the interpreter, and the answers to other clients wait for that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio

from supervisor.api.logs.log_stream import Section
from supervisor.host.proc import worker_threads
from supervisor.host.runs import log_file
from supervisor.host.runs.run_directory import RunDir

SEARCHES = 2
"""How many searches go on at once."""


class TailSearch:
    """Searches for all clients of a server."""

    def __init__(self) -> None:
        self._limiter: anyio.CapacityLimiter | None = None

    async def start(
        self, runs: Path, sections: Sequence[Section], lines: int
    ) -> tuple[tuple[Section, ...], int]:
        """See `tail_start`. Cancelled, it leaves no search behind. Raises OSError."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(SEARCHES)
        # A cancelled task does not wait for its thread.
        left = threading.Event()
        try:
            async with self._limiter:
                return await worker_threads.run(tail_start, runs, sections, lines, left.is_set)
        finally:
            left.set()


def tail_start(
    runs: Path, sections: Sequence[Section], lines: int, stop: Callable[[], bool] = lambda: False
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
        found = log_file.find_tail(RunDir(runs, run_id).log, lines, budget_bytes, stop)
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
