"""The pump: moves what commands print from their FIFOs into their logs.

Theory of operation. A command has the write end of its run's FIFO as standard output and standard error. The pump, a
thread of the shim's, moves what is in there with splice(2): whole pages, which no kill can lose or double, because the
kernel takes them from the pipe once they are in the file. Nobody else writes into the log, whose end is the position; a
pump that takes over after a death opens FIFO and log by their paths, and goes on at the log's end.

| the FIFO | the pump |
|---|---|
| has bytes | moves up to 64 KiB, then the next FIFO that has some; a time goes into the journal before |
| is empty | waits in epoll; 2 ms after it has moved something, unless a pipe was full |
| has no writer (splice returns 0) | waits for the next writer (edge-triggered), and says that it is closed |

| the log | the pump |
|---|---|
| takes no more (ENOSPC, EDQUOT, EIO, EFBIG) | drops what comes, counts it, and says so in the log when there is room |
| was removed or replaced | makes it anew, its offsets going on, and says so in it |
| is larger than its limit | gives the blocks of its head back |

The shim's main thread adds FIFOs, and asks for a run to be *drained*: moved up to what is in the FIFO at that moment.
The answers wait in `take_drained`, announced by a byte in the shim's wake-up pipe.
"""

from __future__ import annotations

import errno
import fcntl
import math
import os
import select
import struct
import time
from collections import deque

from supervisor.lean.typing import TYPE_CHECKING
from supervisor.shim.logs.file_hole import punch
from supervisor.shim.logs.log_times import RESOLUTION_NS, LogTimes, key
from supervisor.shim.regular_file import open_regular

if TYPE_CHECKING:
    from threading import Thread

PIPE_BYTES = 256 * 1024
_F_SETPIPE_SZ = 1031  # fcntl has it from Python 3.10 on some platforms only
_FIONREAD = 0x541B
_MOVE_BYTES = 64 * 1024
_FULL_BYTES = 32 * 1024
"""A FIFO of which so much was moved at once fills quickly: it is not left alone. Pages of it may be half full."""
_PAUSE_S = 0.002
"""How long a FIFO that was emptied is left alone: a chatty command costs a wake-up in so long, not one a line."""
_LOOK_S = 1.0
"""How often the log that is written is compared with what stands at its path."""
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG}
_KEPT = 3, 4
"""The part of the limit that is kept when a head is given back."""


class Pipe:
    """One run's FIFO and its log. The pump's thread alone uses it once it was added."""

    def __init__(self, run_id: str, fifo: str, log: str, limit_bytes: int) -> None:
        """Open both. Raises OSError: BlockingIOError if another pump has the log."""
        self.run_id = run_id
        self.key = key(run_id)
        self.fifo, self.path = fifo, log
        self.limit_bytes = limit_bytes
        self.fd = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _grow(self.fd)
            self._open_log(open_regular(log, os.O_RDWR | os.O_CREAT))
        except BaseException:
            os.close(self.fd)
            raise
        self.first_kept = 0
        """Before this offset nothing is left."""
        self.noted_ns = 0
        self.lost_bytes = 0
        self.looked_at = 0.0
        self.mark: int | None = None
        """The run is drained when the position has passed this."""
        self.is_closed = False
        """Whether nobody has the FIFO open for writing."""
        self.is_busy = False
        """Whether the pump's thread is about to move bytes."""

    @property
    def unread_bytes(self) -> int:
        """How much is in the FIFO."""
        return unread_bytes(self.fd)

    @property
    def has_writer(self) -> bool:
        """Whether some process has the FIFO open for writing."""
        poll = select.poll()
        poll.register(self.fd, 0)
        return not any(event & select.POLLHUP for _, event in poll.poll(0))

    @property
    def is_drained(self) -> bool:
        """Whether everything up to the mark was moved; also if there is none."""
        return self.mark is None or self.position >= self.mark

    def move(self, times: LogTimes) -> int:
        """Move some bytes; returns how many: 0 if nobody has the FIFO open for writing, -1 if it is empty."""
        now_ns = time.time_ns()
        if now_ns - self.noted_ns >= RESOLUTION_NS or now_ns < self.noted_ns:
            self.noted_ns = now_ns
            times.write((self.key, self.position, now_ns))
        try:
            self._look()
            if self.lost_bytes:
                self._say_lost()
            moved = os.splice(self.fd, self.log, _MOVE_BYTES, flags=os.SPLICE_F_NONBLOCK | os.SPLICE_F_MOVE)
        except BlockingIOError:
            return -1
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            return self._drop()
        self.position += moved
        if self.position - self.first_kept > self.limit_bytes + self.limit_bytes // 8:
            self._give_back()
        return moved

    def close(self) -> None:
        """Close both; the log's lock goes with it."""
        os.close(self.fd)
        os.close(self.log)

    def _open_log(self, fd: int, position: int | None = None) -> None:
        """Take the log's lock and go to its end, or to `position`."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.set_blocking(fd, True)
            self.position = os.lseek(fd, position or 0, os.SEEK_SET if position else os.SEEK_END)
            status = os.fstat(fd)
        except BaseException:
            os.close(fd)
            raise
        self.log, self.inode = fd, status.st_ino

    def _look(self) -> None:
        """See, now and then, that the log is still what stands at its path; make it anew if it is not."""
        now = time.monotonic()
        if now < self.looked_at:
            return
        self.looked_at = now + _LOOK_S
        try:
            if os.stat(self.path, follow_symlinks=False).st_ino == self.inode:
                return
            why = "another file was put in its place"
        except FileNotFoundError:
            why = "it was removed"
        try:
            os.unlink(self.path)
        except OSError:
            pass  # it is away, or a folder
        try:
            fd = open_regular(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        except OSError:
            return  # the run directory is gone, too: it is looked at again
        old, at = self.log, self.position
        self._open_log(fd, at)
        os.close(old)
        self.first_kept = at
        self._say(f"the log begins anew after {at} bytes: {why}")

    def _drop(self) -> int:
        """Take bytes out of the FIFO for which there is no room, so that the command goes on."""
        null = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
        try:
            lost = os.splice(self.fd, null, _MOVE_BYTES, flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            return -1
        finally:
            os.close(null)
        self.lost_bytes += lost
        if self.mark is not None:
            self.mark -= lost  # they never come to the position
        return lost

    def _say_lost(self) -> None:
        """Say what was dropped. Raises OSError while there is still no room."""
        self._say(f"{self.lost_bytes} bytes are missing here: the disk was full")
        self.lost_bytes = 0

    def _say(self, text: str) -> None:
        data = f"supervisor: {text}\n".encode()
        begins_line = self.position == 0 or os.pread(self.log, 1, self.position - 1) in (b"\n", b"", b"\0")
        written = os.write(self.log, data if begins_line else b"\n" + data)
        self.position += written
        if self.mark is not None:
            self.mark += written
        if written < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _give_back(self) -> None:
        part, whole = _KEPT
        keep_from = self.position - self.limit_bytes * part // whole
        keep_from -= keep_from % os.fstat(self.log).st_blksize
        if keep_from > self.first_kept:
            punch(self.log, self.first_kept, keep_from - self.first_kept)
            self.first_kept = keep_from


class LogPump:
    """The thread. Methods are called by the shim's main thread; none of them waits for a disk."""

    def __init__(self, times: LogTimes, wakeup: int) -> None:
        """`wakeup`: a pipe that gets a byte when `take_drained` or `take_closed` has something new."""
        self._times = times
        self._wakeup = wakeup
        self._epoll = select.epoll()
        self._control = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._control, select.EPOLLIN)
        self._pipes: dict[int, Pipe] = {}
        self._by_run: dict[str, Pipe] = {}
        self._to_drain: deque[Pipe] = deque()
        self._to_remove: deque[Pipe] = deque()
        self._to_look_at: deque[Pipe] = deque()
        self._drained: deque[str] = deque()
        self._closed: deque[str] = deque()
        self._rested: list[Pipe] = []
        """The FIFOs that are left alone until `_rearm_at`."""
        self._rearm_at = math.inf
        self._thread: Thread | None = None
        self._is_closing = False

    def start(self) -> None:
        """Start the thread, if it does not run yet. Raises OSError: there is none to be had."""
        if self._thread is not None:
            return
        import threading  # not at the top: without FIFOs the shim needs none

        thread = threading.Thread(target=self._run, name="log-pump", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error
        self._thread = thread

    def add(self, pipe: Pipe) -> None:
        """Pump a FIFO from now on; the thread must run."""
        self._pipes[pipe.fd] = pipe
        self._by_run[pipe.run_id] = pipe
        self._epoll.register(pipe.fd, select.EPOLLIN | select.EPOLLONESHOT)

    def take_over(self, pipe: Pipe) -> None:
        """Pump a FIFO that another shim made. Raises as `start`.

        If its writers have gone by now, epoll does not report that: to a descriptor that was opened after the last
        writer had closed, there has been none yet. splice(2) says so.
        """
        self.start()
        self.add(pipe)
        self._to_look_at.append(pipe)
        self._poke()

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._by_run

    def runs(self) -> tuple[str, ...]:
        """The ids of the runs whose FIFOs are pumped."""
        return tuple(self._by_run)

    def drain(self, run_id: str) -> bool:
        """Have a run drained; True: it is already, or is not pumped."""
        pipe = self._by_run.get(run_id)
        if pipe is None or (not pipe.is_busy and pipe.unread_bytes == 0):
            return True
        self._to_drain.append(pipe)
        self._poke()
        return False

    def progress(self, run_id: str) -> tuple[int, bool]:
        """The position in a run's log, and whether some process may still write into its FIFO."""
        pipe = self._by_run.get(run_id)
        return (0, False) if pipe is None else (pipe.position + pipe.lost_bytes, pipe.has_writer)

    def remove(self, run_id: str) -> None:
        """Pump a FIFO no more, and close it, once it is empty."""
        if (pipe := self._by_run.pop(run_id, None)) is not None:
            self._to_remove.append(pipe)
            self._poke()

    def close(self) -> None:
        """End the thread, once the FIFOs that were removed are closed."""
        self._is_closing = True
        self._poke()
        if self._thread is not None:
            self._thread.join()
        self._epoll.close()
        os.close(self._control)

    def take_drained(self) -> list[str]:
        """The runs that were drained since this was last asked."""
        return _taken(self._drained)

    def take_closed(self) -> list[str]:
        """The runs whose FIFO nobody has open for writing any more, since this was last asked."""
        return _taken(self._closed)

    def _poke(self) -> None:
        os.eventfd_write(self._control, 1)

    # The thread ----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            ready, is_asked = self._wait()
            any_full = False
            for pipe in ready:
                any_full |= self._move(pipe)
            if is_asked:  # last: it may close some of these
                self._obey()
                if self._is_closing:
                    return
            if any_full or time.monotonic() >= self._rearm_at:
                self._rearm()

    def _wait(self) -> tuple[list[Pipe], bool]:
        """The FIFOs that have bytes, or whose last writer has gone; and whether the main thread wants something."""
        ready, is_asked = [], False
        for fd, _ in self._epoll.poll(_PAUSE_S if self._rested else None):
            if fd == self._control:
                is_asked = True
            elif pipe := self._pipes.get(fd):
                ready.append(pipe)
        return ready, is_asked

    def _move(self, pipe: Pipe) -> bool:
        """Move bytes of one FIFO; True: it has more than one move takes."""
        pipe.is_busy = True
        try:
            moved = pipe.move(self._times)
        except OSError:
            moved = -1  # the log is out of reach: it is tried again after the pause
        finally:
            pipe.is_busy = False
        self._note_drained(pipe)
        if moved == 0:
            if not pipe.is_closed:
                pipe.is_closed = True
                # Level-triggered, the kernel would report the hang-up for ever.
                self._epoll.modify(pipe.fd, select.EPOLLIN | select.EPOLLET)
                self._tell(self._closed, pipe)
            return False
        pipe.is_closed = False
        if not self._rested:
            self._rearm_at = time.monotonic() + _PAUSE_S
        self._rested.append(pipe)
        return moved >= _FULL_BYTES

    def _rearm(self) -> None:
        rested, self._rested, self._rearm_at = self._rested, [], math.inf
        for pipe in rested:
            if pipe.fd in self._pipes:
                self._epoll.modify(pipe.fd, select.EPOLLIN | select.EPOLLONESHOT)

    def _obey(self) -> None:
        os.eventfd_read(self._control)
        while self._to_look_at:
            self._move(self._to_look_at.popleft())
        while self._to_drain:
            pipe = self._to_drain.popleft()
            pipe.mark = pipe.position + pipe.unread_bytes
            while not pipe.is_drained and self._moves(pipe):
                pass
            self._note_drained(pipe)
        while self._to_remove:
            pipe = self._to_remove.popleft()
            while self._moves(pipe):
                pass
            self._epoll.unregister(pipe.fd)
            del self._pipes[pipe.fd]
            if pipe in self._rested:
                self._rested.remove(pipe)
            pipe.close()
            try:
                os.unlink(pipe.fifo)
            except OSError:
                pass  # the run directory was removed

    def _moves(self, pipe: Pipe) -> bool:
        try:
            return pipe.move(self._times) > 0
        except OSError:
            return False

    def _note_drained(self, pipe: Pipe) -> None:
        if pipe.mark is not None and pipe.is_drained:
            pipe.mark = None
            self._tell(self._drained, pipe)

    def _tell(self, answers: deque[str], pipe: Pipe) -> None:
        answers.append(pipe.run_id)
        try:
            os.write(self._wakeup, b"\0")
        except BlockingIOError:
            pass  # it is full: the shim will wake up


def unread_bytes(fd: int) -> int:
    """How much is in a FIFO."""
    return int(struct.unpack("i", fcntl.ioctl(fd, _FIONREAD, bytes(4)))[0])


def _grow(fd: int) -> None:
    try:
        fcntl.fcntl(fd, _F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:
        pass  # the user's pipes have what they may have together; a smaller pipe works too


def _taken(answers: deque[str]) -> list[str]:
    taken = []
    while answers:
        taken.append(answers.popleft())
    return taken
