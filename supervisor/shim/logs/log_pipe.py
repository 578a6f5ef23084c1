"""One run's FIFO and the log that it is moved into.

| the log | the pump |
|---|---|
| takes no more (ENOSPC, EDQUOT, EIO, EFBIG) | drops what comes, counts it, and notes that when there is room |
| was removed or replaced | makes it anew, its offsets going on, and notes that in it |
| is larger than its limit | gives the blocks of its head back |
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import time

from supervisor.shim.descriptors import unread_bytes
from supervisor.shim.logs.file_hole import head_to_give_back, punch
from supervisor.shim.logs.log_times import RESOLUTION_NS, LogTimes, key
from supervisor.shim.protocol import Pumping
from supervisor.shim.regular_file import open_regular

PIPE_BYTES = 256 * 1024
MOVE_BYTES = 64 * 1024
_CHECK_S = 1.0
"""How often the log that is written is compared with what stands at its path."""
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG}


class LogPipe:
    """One run's FIFO and its log. The pump's thread alone uses it once it was added."""

    def __init__(self, run_id: str, fifo: str, log: str, pumping: Pumping) -> None:
        """Open both. Raises OSError: BlockingIOError if another pump has the log."""
        self.run_id = run_id
        self.key = key(run_id)
        self.fifo, self.path = fifo, log
        self.pumping = pumping
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
        self.check_at = 0.0
        self.checked = self.position
        """The position when the log was last found in its place."""
        self.mark: int | None = None
        """The run is flushed when the position has passed this."""
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
    def is_flushed(self) -> bool:
        """Whether everything up to the mark was moved; also if there is none."""
        return self.mark is None or self.position >= self.mark

    def move(self, times: LogTimes) -> int:
        """Move some bytes; returns how many: 0 if nobody has the FIFO open for writing, -1 if it is empty."""
        now_ns = time.time_ns()
        if now_ns - self.noted_ns >= RESOLUTION_NS or now_ns < self.noted_ns:
            self.noted_ns = now_ns
            times.write((self.key, self.position, now_ns))
        try:
            self._check_log()
            if self.lost_bytes:
                self._note_lost()
            moved = os.splice(self.fd, self.log, MOVE_BYTES, flags=os.SPLICE_F_NONBLOCK | os.SPLICE_F_MOVE)
        except BlockingIOError:
            return -1
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            return self._drop()
        self.position += moved
        if self.position - self.first_kept > self.pumping.limit_bytes + self.pumping.limit_bytes // 8:
            self._give_back()
        return moved

    def note(self, text: str) -> None:
        """Write a line of the supervisor's. Raises OSError."""
        data = f"supervisor: {text}\n".encode()
        begins_line = self.position == 0 or os.pread(self.log, 1, self.position - 1) in (b"\n", b"", b"\0")
        written = os.write(self.log, data if begins_line else b"\n" + data)
        self.position += written
        if self.mark is not None:
            self.mark += written
        if written < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

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

    def _check_log(self) -> None:
        """See, now and then, that the log is still what stands at its path; make it anew if it is not."""
        now = time.monotonic()
        if now < self.check_at:
            return
        self.check_at = now + _CHECK_S
        try:
            if os.stat(self.path, follow_symlinks=False).st_ino == self.inode:
                self.checked = self.position
                return
            why = "another file was put in its place"
        except FileNotFoundError:
            why = "it was removed"
        _clear(self.path)
        try:
            fd = open_regular(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        except OSError:
            return  # the run directory is gone, too: it is looked at again
        old, at = self.log, max(self.checked, self.position - self.pumping.limit_bytes)
        self._open_log(fd, self.position)
        try:
            _copy(
                old, fd, at, self.position
            )  # what was moved since: somebody may have removed the log before that
        finally:
            os.close(old)
        self.first_kept = at
        missing = f", without its first {at} bytes" if at else ""
        self.note(f"the log is a new one{missing}: {why}")

    def _drop(self) -> int:
        """Take bytes out of the FIFO for which there is no room, so that the command goes on."""
        null = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
        try:
            lost = os.splice(self.fd, null, MOVE_BYTES, flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            return -1
        finally:
            os.close(null)
        self.lost_bytes += lost
        if self.mark is not None:
            self.mark -= lost  # they never come to the position
        return lost

    def _note_lost(self) -> None:
        """Note what was dropped. Raises OSError while there is still no room."""
        self.note(f"{self.lost_bytes} bytes are missing here: the disk was full")
        self.lost_bytes = 0

    def _give_back(self) -> None:
        block_bytes = os.fstat(self.log).st_blksize
        length = head_to_give_back(self.first_kept, self.position, self.pumping.limit_bytes, block_bytes)
        if length:
            punch(self.log, self.first_kept, length)
            self.first_kept += length


def _copy(source: int, target: int, first: int, end: int) -> None:
    """Copy bytes from `first` to `end` from one file into another, at the same offsets."""
    while first < end and (copied := os.copy_file_range(source, target, end - first, first, first)):
        first += copied


def _clear(path: str) -> None:
    """Make room at the path of a log. A folder is set aside: what is in it is not ours."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError:
        try:
            os.rename(path, f"{path}.replaced")
        except OSError:
            pass  # there is one already: the log is out of reach


def _grow(fd: int) -> None:
    try:
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:
        pass  # the user's pipes have what they may have together; a smaller pipe works too
