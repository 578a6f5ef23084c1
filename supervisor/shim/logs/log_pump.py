"""The pump: moves what commands print from their FIFOs into their logs.

Theory of operation. A command has the write end of its run's FIFO as standard output and standard error. The pump, a
thread of the shim's, moves what is in there with splice(2): whole pages, which no kill can lose or double, because the
kernel takes them from the pipe once they are in the file. Nobody else writes into the log, whose end is the position; a
pump that takes over after a death opens FIFO and log by their paths, and goes on at the log's end.

| the FIFO | the pump |
|---|---|
| has bytes | moves up to 256 KiB, then the next FIFO that has some; a time goes into the journal before |
| is empty | waits in epoll; 2 ms after it has moved something, unless a pipe was full |
| has no writer (hangs up, or splice returns 0) | waits for the next one (edge-triggered), reports that it is closed |

The shim's main thread adds FIFOs, and asks for a stream to be *flushed*: moved up to what is in its FIFO now.
The answers wait in `take_flushed`, announced by a byte in the shim's wake-up pipe.
"""

from __future__ import annotations

import _thread
import errno
import math
import os
import select
import time
from collections import deque

from supervisor.lean.typing import TypeVar
from supervisor.shim.logs.log_pipe import LogPipe
from supervisor.shim.logs.log_times import LogTimes
from supervisor.shim.protocol import NOT_PUMPED, Pumping
from supervisor.shim.stream_name import names

T = TypeVar("T")

_PAUSE_S = 0.002
"""How long a FIFO that was emptied is left alone: a chatty command costs a wake-up in so long, not one a line."""
_SAY_S = 1.0
"""How long after there was no room to note something the pump tries again."""
_TROUBLE_S = 1.0
"""How long the thread waits after something that must not happen."""


class LogPump:
    """The thread. Methods are called by the shim's main thread; none of them waits for a disk."""

    def __init__(self, times: LogTimes, wakeup: int) -> None:
        """`wakeup`: a pipe that gets a byte when `take_flushed` or `take_closed` has something new."""
        self._times = times
        self._wakeup = wakeup
        self._epoll = select.epoll()
        self._control = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._control, select.EPOLLIN)
        self._pipes: dict[int, LogPipe] = {}
        self._by_name: dict[str, LogPipe] = {}
        self._to_flush: deque[LogPipe] = deque()
        self._to_remove: deque[LogPipe] = deque()
        self._to_look_at: deque[LogPipe] = deque()
        self._flushed: deque[str] = deque()
        self._closed: deque[str] = deque()
        self._troubles: deque[str] = deque()
        self._resting: list[LogPipe] = []
        """The FIFOs that are left alone until `_rearm_at`."""
        self._rearm_at = math.inf
        self._behind: list[LogPipe] = []
        """Those with something to note for which there was no room."""
        self._say_at = math.inf
        self._ended = _thread.allocate_lock()
        """Held by the thread while it runs."""
        self._is_started = False
        self._is_closing = False

    def start(self) -> None:
        """Start the thread, if it does not run yet. Raises OSError: there is none to be had."""
        if self._is_started:
            return
        self._ended.acquire()
        try:
            _thread.start_new_thread(self._run, ())  # the first command would wait for threading's import
        except RuntimeError as error:
            self._ended.release()
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error
        self._is_started = True

    def add(self, pipe: LogPipe, has_main: bool = False) -> None:
        """Pump a FIFO from now on; the thread must run. `has_main`: `main_ended` will be called."""
        pipe.has_main = has_main
        self._pipes[pipe.fd] = pipe
        self._by_name[pipe.name] = pipe
        self._epoll.register(pipe.fd, select.EPOLLIN | select.EPOLLONESHOT)

    def take_over(self, pipe: LogPipe) -> None:
        """Pump a FIFO that another shim made; the thread must run."""
        pipe.note_writer()
        self.add(pipe)
        self._to_look_at.append(pipe)
        self._wake()

    def look_again(self, name: str) -> None:
        """Have the log of a stream made anew now, if it was removed; else that is seen with its next output."""
        if pipe := self._by_name.get(name):
            pipe.check_at = 0.0
            self._to_look_at.append(pipe)
            self._wake()

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def streams(self) -> tuple[str, ...]:
        """The names of the streams that are pumped."""
        return tuple(self._by_name)

    def streams_of(self, run_id: str) -> list[str]:
        """The names of a run's streams that are pumped."""
        return [name for name in names(run_id) if name in self._by_name]

    def main_ended(self, name: str) -> None:
        """The main process of a stream's run has ended. That its FIFO is closed is announced from now on.

        Of a log with a head nothing is given back until `report`: what comes meanwhile may still be of its result.
        """
        if pipe := self._by_name.get(name):
            pipe.has_main = False
            pipe.is_kept_whole = pipe.head_bytes > 0

    def keep(self, name: str, head_bytes: int) -> None:
        """Have all be kept of a log with a head that is kept now before the offset `head_bytes`."""
        if (pipe := self._by_name.get(name)) and pipe.head_bytes:
            pipe.head_bytes = max(pipe.head_bytes, head_bytes)

    def report(self, name: str) -> tuple[int, int]:
        """The end of a stream's run is reported: where its log ends, which is kept, and how many bytes it lacks."""
        pipe = self._by_name[name]
        position = pipe.position
        self.keep(name, position)
        pipe.is_kept_whole = False
        return position, pipe.lost_bytes

    def flush(self, name: str) -> bool:
        """Have a stream flushed; True: it is already, or is not pumped."""
        pipe = self._by_name.get(name)
        # In this order: who is not busy after the FIFO was empty has added what was in it to the position.
        if pipe is None or (pipe.unread_bytes == 0 and not pipe.is_busy):
            return True
        self._to_flush.append(pipe)
        self._wake()
        return False

    def pumping(self, name: str) -> Pumping:
        """How a stream is pumped; NOT_PUMPED: it is not."""
        pipe = self._by_name.get(name)
        return NOT_PUMPED if pipe is None else pipe.pumping

    def progress(self, name: str) -> tuple[int, int, bool]:
        """The position in a stream's log, how many bytes it lacks, and whether some process may write into its FIFO.

        Of the bytes that it lacks it does not speak yet.
        """
        pipe = self._by_name.get(name)
        return (0, 0, False) if pipe is None else (pipe.position, pipe.lost_bytes, pipe.has_writer)

    def remove(self, name: str) -> None:
        """Pump a FIFO no more, and close it, once it is empty."""
        if (pipe := self._by_name.pop(name, None)) is not None:
            self._to_remove.append(pipe)
            self._wake()

    def close(self) -> None:
        """End the thread, once the FIFOs that were removed are closed."""
        self._is_closing = True
        self._wake()
        with self._ended:
            pass
        for pipe in self._behind:
            if pipe.fd not in self._pipes:
                pipe.close_log()
        self._epoll.close()
        os.close(self._control)

    def take_flushed(self) -> list[str]:
        """The streams that were flushed since this was last asked."""
        return _taken(self._flushed)

    def take_closed(self) -> list[str]:
        """The streams whose FIFO nobody has open for writing any more, since this was last asked."""
        return _taken(self._closed)

    def take_troubles(self) -> list[str]:
        """What went wrong in the thread since this was last asked."""
        return _taken(self._troubles)

    def _wake(self) -> None:
        os.eventfd_write(self._control, 1)

    # The thread ----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._pump()
        finally:
            self._ended.release()

    def _pump(self) -> None:
        while not self._is_closing or self._to_remove:
            try:
                self._turn()
            except Exception as error:  # without this thread all commands would wait for ever
                self._troubles.append(repr(error))
                self._announce()
                time.sleep(_TROUBLE_S)

    def _turn(self) -> None:
        ready, ended, is_asked = self._wait()
        any_full = False
        for pipe in ready:
            any_full |= self._move(pipe)
        for pipe in ended:
            self._note_flushed(pipe)
            self._note_closed(pipe)
        if is_asked or self._to_remove:  # last: it may close some of these
            self._answer()
        if any_full or time.monotonic() >= self._rearm_at:
            self._rearm()
        if time.monotonic() >= self._say_at:
            self._say()

    def _wait(self) -> tuple[list[LogPipe], list[LogPipe], bool]:
        """The FIFOs with something to write, those without writers, and whether the main thread wants something."""
        ready, ended, is_asked = list[LogPipe](), list[LogPipe](), False
        patience_s = _SAY_S if self._behind else None
        if self._resting or self._to_remove:
            patience_s = _PAUSE_S
        for fd, events in self._epoll.poll(patience_s):
            if fd == self._control:
                os.eventfd_read(self._control)
                is_asked = True
            elif pipe := self._pipes.get(fd):
                (ready if events & select.EPOLLIN or pipe.is_behind else ended).append(pipe)
        return ready, ended, is_asked

    def _move(self, pipe: LogPipe) -> bool:
        """Move bytes of one FIFO; True: it has more than one move takes."""
        pipe.is_busy = True
        try:
            moved = pipe.move(self._times)
        except OSError:
            moved = -1  # the log is out of reach: it is tried again after the pause
        finally:
            pipe.is_busy = False
        self._note_flushed(pipe)
        self._note_behind(pipe)
        if moved == 0:
            self._note_closed(pipe)
            return False
        pipe.is_closed = False
        if not self._resting:
            self._rearm_at = time.monotonic() + _PAUSE_S
        self._resting.append(pipe)
        return moved >= pipe.full_bytes

    def _note_closed(self, pipe: LogPipe) -> None:
        if not pipe.is_closed:
            pipe.is_closed = True
            # Level-triggered, the kernel would report the hang-up for ever.
            self._epoll.modify(pipe.fd, select.EPOLLIN | select.EPOLLET)
            if pipe.name in self._by_name:
                self._closed.append(pipe.name)
                if not pipe.has_main:  # else its end wakes the shim, which asks then
                    self._announce()

    def _rearm(self) -> None:
        rested, self._resting, self._rearm_at = self._resting, [], math.inf
        for pipe in rested:
            if pipe.fd in self._pipes:
                self._epoll.modify(pipe.fd, select.EPOLLIN | select.EPOLLONESHOT)

    def _note_behind(self, pipe: LogPipe) -> None:
        if pipe.is_behind and pipe not in self._behind:
            self._behind.append(pipe)
            self._say_at = time.monotonic() + _SAY_S

    def _say(self) -> None:
        """Note what could not be noted before, also in the logs of runs that have ended."""
        behind, self._behind, self._say_at = self._behind, [], math.inf
        for pipe in behind:
            try:
                pipe.say()
            except OSError:
                pass  # there is still no room
            is_pumped = pipe.fd in self._pipes
            if pipe.is_behind and (is_pumped or not pipe.is_removed):
                self._note_behind(pipe)
            elif not is_pumped:
                pipe.close_log()

    def _answer(self) -> None:
        while self._to_look_at:
            self._move(self._to_look_at.popleft())
        while self._to_flush:
            pipe = self._to_flush.popleft()
            pipe.mark = pipe.position + pipe.unread_bytes
            while not pipe.is_flushed and self._moves(pipe):
                pass
            self._note_flushed(pipe)
        for pipe in _taken(self._to_remove):
            self._remove(pipe)

    def _remove(self, pipe: LogPipe) -> None:
        """Close a FIFO; in a moment, while the supervisor has it open to write one more line."""
        try:
            os.unlink(pipe.fifo)
        except OSError:
            pass  # the run directory was removed, or this is the second attempt
        while self._moves(pipe):
            pass
        if pipe.has_writer and not self._is_closing:
            self._to_remove.append(pipe)
            return
        self._epoll.unregister(pipe.fd)
        del self._pipes[pipe.fd]
        if pipe in self._resting:
            self._resting.remove(pipe)
        pipe.close_fifo()
        if pipe.is_behind:
            self._note_behind(pipe)
        else:
            self._behind = [other for other in self._behind if other is not pipe]
            pipe.close_log()

    def _moves(self, pipe: LogPipe) -> bool:
        pipe.is_busy = True
        try:
            return pipe.move(self._times) > 0
        except OSError:
            return False
        finally:
            pipe.is_busy = False

    def _note_flushed(self, pipe: LogPipe) -> None:
        # A command that reads its own FIFO may have taken some of it.
        if pipe.mark is not None and (pipe.is_flushed or pipe.unread_bytes == 0):
            pipe.mark = None
            self._report(self._flushed, pipe)

    def _report(self, answers: deque[str], pipe: LogPipe) -> None:
        answers.append(pipe.name)
        self._announce()

    def _announce(self) -> None:
        try:
            os.write(self._wakeup, b"\0")
        except BlockingIOError:
            pass  # it is full: the shim will wake up


def _taken(answers: deque[T]) -> list[T]:
    taken: list[T] = []
    while answers:
        taken.append(answers.popleft())
    return taken
