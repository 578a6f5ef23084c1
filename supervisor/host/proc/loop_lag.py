"""How late the event loop wakes a sleeper: everything that the supervisor does waits for the loop.

`EventLoopLag` sleeps again and again, and measures how much later than asked it wakes. A loop that stands still cannot
say where. So each beat sets the alarm of `StallWatch` anew, and if no beat follows in time, stacks are written to the
end of a file. They come from two sides, since each sees what the other cannot:

| who writes | what | works also |
|---|---|---|
| the main thread, in faulthandler's handler of SIGALRM, in C | itself | while a call holds the interpreter's lock |
| a thread, under the interpreter's lock | all threads | while the kernel holds the main thread |

Nobody reads the frames of a thread that goes on meanwhile: that can end the process. The handler reads the thread that
it interrupts, and with the lock in hand no other thread changes a frame. faulthandler's own timer,
`dump_traceback_later`, reads all threads without the lock.

A process that was stopped by SIGSTOP looks the same. Its stacks are of no interest then, and another thread may take
the alarm and write its own.
"""

from __future__ import annotations

import faulthandler
import math
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType, TracebackType
from typing import Protocol, Self

import anyio

from supervisor.host.proc import worker_threads
from supervisor.shim import syscalls
from supervisor.shim.regular_file import open_regular

BEAT_S = 2.5
STALL_S = 5.0
"""With so much lag something is wrong: a probe, a client and the service manager wait for us."""
KEPT_BYTES = 256 * 1024
"""A longer file of stacks is begun anew."""
_AFTER_ALARM_S = 0.1
"""How long after the alarm the thread writes: the main thread's stack comes first, and is seen twice."""
_JOIN_S = 0.5
_MOST_FRAMES = 100


class NoticeSink(Protocol):
    """Takes what people should know: the supervisor's report is one."""

    def notice(self, text: str) -> None:
        """`text`: a sentence about a stall, once it is over."""


class LagObserver(Protocol):
    """Takes measurements: a histogram of Prometheus is one."""

    def observe(self, amount: float) -> None:
        """`amount`: in seconds."""


class EventLoopLag:
    """The event loop's lag, measured while `run` runs."""

    def __init__(self, stalls: Path, notices: NoticeSink) -> None:
        """`stalls`: the file that stacks are written to."""
        self.last_s = 0.0
        self.worst_s = 0.0
        self.stalls = 0
        self.observer: LagObserver | None = None
        """Gets every lag: a metric."""
        self._path = stalls
        self._notices = notices

    async def run(self, beat_s: float = BEAT_S, stall_s: float = STALL_S) -> None:
        """Measure until cancelled. Call it in the main thread, where signals are handled."""
        with StallWatch(self._path, beat_s + stall_s) as watch:
            while True:
                watch.beat()
                asleep = time.monotonic()
                await anyio.sleep(beat_s)
                self._note(max(0.0, time.monotonic() - asleep - beat_s), stall_s)

    def _note(self, lag_s: float, stall_s: float) -> None:
        self.last_s = lag_s
        self.worst_s = max(self.worst_s, lag_s)
        if self.observer is not None:
            self.observer.observe(lag_s)
        if lag_s >= stall_s:
            self.stalls += 1
            self._notices.notice(
                f"the supervisor stood still for {math.floor(lag_s)} s, or was stopped; where it was is in {self._path}"
            )


class StallWatch:
    """Writes stacks to the end of a file if `beat` is not called in time. Made and used in the main thread.

    Where the file cannot be opened (a full or read-only disk, which is reported elsewhere, or what is no file), it does
    nothing.
    """

    def __init__(self, path: Path, patience_s: float) -> None:
        self._path = path
        self._patience_s = patience_s
        self._file = -1
        self._due = math.inf
        self._thread: threading.Thread | None = None
        self._over = threading.Event()

    def __enter__(self) -> Self:
        try:
            self._file = open_regular(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            if os.fstat(self._file).st_size > KEPT_BYTES:
                os.truncate(self._file, 0)
        except OSError:
            return self
        # Not chained: then SA_RESTART holds, so that no call of ours fails of the alarm (EINTR).
        faulthandler.register(signal.SIGALRM, file=self._file, all_threads=False, chain=False)
        syscalls.leave_alternate_stack()
        return self

    def beat(self) -> None:
        """The loop turns: have the alarm go off so much later."""
        if self._file < 0:
            return
        self._due = time.monotonic() + self._patience_s
        signal.setitimer(signal.ITIMER_REAL, self._patience_s)
        if self._thread is None:
            self._start_thread()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file < 0:
            return
        # The timer would go on in a program that this process executes, which has no handler yet.
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.unregister(signal.SIGALRM)
        self._over.set()
        if self._thread is not None:
            self._thread.join(_JOIN_S)
            if self._thread.is_alive():
                return  # a dead filesystem holds it: nobody else may get its descriptor
        os.close(self._file)

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._watch, name="stall watch", daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:
            # There is no thread. The next beat tries again.
            worker_threads.report_shortage(str(error) or "out of memory")
        else:
            self._thread = thread

    def _watch(self) -> None:
        """In the thread: wait for an alarm that no beat puts off, and write once for each."""
        written = math.inf
        while True:
            due = self._due
            wait_s = self._patience_s if due == written else due + _AFTER_ALARM_S - time.monotonic()
            if wait_s > 0:
                if self._over.wait(wait_s):
                    return
            else:
                written = due
                self._write_stacks()

    def _write_stacks(self) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        text = f"\nThe event loop has stood still; all threads at {stamp}, pid {os.getpid()}:\n\n"
        for ident, frame in sys._current_frames().items():
            if ident != threading.get_ident():
                text += f"Thread {ident:#x} (most recent call first):\n{_lines_of(frame)}\n"
        try:
            os.write(self._file, text.encode(errors="backslashreplace"))
        except OSError:
            pass  # the disk is full


def _lines_of(frame: FrameType | None) -> str:
    """A stack as faulthandler writes it: without the text of the lines, whose files may be another version's by now."""
    lines: list[str] = []
    while frame is not None and len(lines) < _MOST_FRAMES:
        code = frame.f_code
        lines.append(f'  File "{code.co_filename}", line {frame.f_lineno} in {code.co_name}\n')
        frame = frame.f_back
    return "".join(lines)
