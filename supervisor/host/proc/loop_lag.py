"""How late the event loop comes: everything that the supervisor does waits for it.

The loop is asked to wake a sleeper now and then; how much later that happens is its lag. One that stands still cannot
say where. So at each beat a timer outside of it is set (faulthandler's, in C, which needs nothing of the interpreter):
if no beat follows in time, it writes the stacks of all threads, those of that moment, to the end of a file.

A process that was stopped by SIGSTOP looks the same, and its stacks are then of no interest.
"""

from __future__ import annotations

import faulthandler
import math
import os
import time
from collections.abc import Callable
from pathlib import Path

from supervisor.shim.regular_file import open_regular

BEAT_S = 2.5
"""To set the timer anew makes a thread, so that a beat costs 0.4 ms: at each second a third of an idle process."""
STALL_S = 5.0
"""With so much lag something is wrong: a probe, a client and the service manager wait for us."""
KEPT_BYTES = 256 * 1024
"""A longer file of stacks is begun anew."""


class Lag:
    """The event loop's lag, measured while `run` runs."""

    def __init__(self, stalls: Path, notice: Callable[[str], None]) -> None:
        """`stalls`: the file that stacks are written to; `notice`: who is told of a stall once it is over."""
        self.last_s = 0.0
        self.worst_s = 0.0
        self.stalls = 0
        self.heard: Callable[[float], None] = lambda _: None
        """Is told every lag."""
        self._path = stalls
        self._notice = notice

    async def run(self, beat_s: float = BEAT_S, stall_s: float = STALL_S) -> None:
        """Measure until cancelled."""
        import anyio

        file = self._opened()
        try:
            while True:
                if file is not None:
                    self._watch_from_outside(beat_s + stall_s, file)
                asleep = time.monotonic()
                await anyio.sleep(beat_s)
                self._note(max(0.0, time.monotonic() - asleep - beat_s), stall_s)
        finally:
            if file is not None:
                faulthandler.cancel_dump_traceback_later()
                os.close(file)

    def _watch_from_outside(self, patience_s: float, file: int) -> None:
        from supervisor.host.proc import worker_threads

        try:
            faulthandler.dump_traceback_later(patience_s, file=file)
        except RuntimeError as error:  # there is no thread for it; the next beat tries again
            worker_threads.missed(str(error))

    def _note(self, lag_s: float, stall_s: float) -> None:
        self.last_s = lag_s
        self.worst_s = max(self.worst_s, lag_s)
        self.heard(lag_s)
        if lag_s >= stall_s:
            self.stalls += 1
            self._notice(
                f"the supervisor stood still for {math.floor(lag_s)} s, or was stopped; where it was is in {self._path}"
            )

    def _opened(self) -> int | None:
        try:
            fd = open_regular(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            if os.fstat(fd).st_size > KEPT_BYTES:
                os.truncate(fd, 0)
        except OSError:
            return None  # a full or read-only disk, which is told elsewhere, or what is no file
        return fd
