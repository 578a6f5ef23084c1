"""What all readers of a server's logs share: chunks, times, and the turns in which they read and search."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from supervisor.api.logs.chunks import ChunkCache, LogChunk
from supervisor.api.logs.log_query import WantedLines
from supervisor.api.logs.probe_logs import ProbeLogs
from supervisor.api.logs.waiters import LogWaiters
from supervisor.host.proc import worker_threads
from supervisor.host.runs import log_file
from supervisor.host.runs.line_times import LineTimes
from supervisor.host.runs.run_directory import RunDir
from supervisor.model.timestamp import rfc3339_ms

SERVED_AT_ONCE = 8
"""How many readers that catch up get a chunk in one turn of the event loop: half a millisecond."""
_LONG_TURN_S = 0.005
"""Of processor time: a turn in which searches are slow."""


@dataclass(frozen=True, slots=True)
class ReaderResources:
    """What each reader is given."""

    runs: Path
    """The folder of run directories."""
    cache: ChunkCache
    waiters: LogWaiters
    times: LineTimes
    probe_logs: ProbeLogs
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SERVED_AT_ONCE))
    searching: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    def log(self, run_id: str) -> str:
        """The path of a run's log, for the functions of `log_file`."""
        path = RunDir(self.runs, run_id).log
        return self.probe_logs.held(run_id, path) or path

    @asynccontextmanager
    async def search_turn(self) -> AsyncGenerator[None]:
        """The turn of one reader with a pattern. After a long one, others have twice as much time."""
        async with self.searching:
            began = time.thread_time()
            try:
                yield
            finally:
                took_s = time.thread_time() - began
                await asyncio.sleep(2 * took_s if took_s > _LONG_TURN_S else 0)

    async def first_line(self, run_id: str, wanted: WantedLines) -> int:
        """The offset of a run's first line that `since` lets pass; the end of the log, if there is none yet."""
        if wanted.since_ms is None:
            return 0
        # The size before the times: so what is written meanwhile passes.
        end = log_file.size(self.log(run_id))
        await self.times.refresh()
        times = self.times.of(run_id)
        if times.first_at(wanted.since_ms) == 0:
            return 0
        offset = await worker_threads.run(times.line_at_ms, wanted.since_ms, abandon_on_cancel=True)
        return end if offset is None else offset

    def note_time(self, chunk: LogChunk, run_id: str | None) -> bool:
        """Have a chunk know its time; False: the journal of times has to be read in a thread before."""
        if not chunk.time and run_id is not None:
            if not self.times.catch_up():
                return False
            chunk.time = rfc3339_ms(self.times.of(run_id).ms_at(chunk.start))
        return True
