"""One FIFO and the log that it is moved into: of all that a command prints, or of one of its two streams.

| the log | the pump |
|---|---|
| takes no more (a full disk, a read-only or broken filesystem) | drops what comes, counts it, and notes that later |
| was removed or replaced | makes it anew, its offsets going on, and notes that in it |
| is larger than its limit | gives the blocks of its head back, or of its middle if it has a head that is kept |

What there is no room to note now is noted as soon as there is.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
import time
from collections.abc import Iterator

from supervisor.shim.descriptors import unread_bytes
from supervisor.shim.logs.file_hole import head_to_give_back, middle_to_give_back, punch
from supervisor.shim.logs.log_times import RESOLUTION_NS, LogTimes, key
from supervisor.shim.protocol import Pumping
from supervisor.shim.regular_file import Replaced, open_regular

PIPE_BYTES = 256 * 1024
MOVE_BYTES = PIPE_BYTES
"""So much is moved at once. In larger pieces the file's pages are cheaper to write, and to give back: by a fifth."""
_FULL_BYTES = 32 * 1024
_CHECK_S = 1.0
"""How often the log that is written is compared with what stands at its path."""
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CANNOT_PUNCH = {errno.EOPNOTSUPP, errno.ENOSYS}
_REMOVED, _REPLACED = "it was removed", "another file was put in its place"


class LogPipe:
    """One FIFO and its log. The pump's thread alone uses it once it was added."""

    def __init__(self, name: str, fifo: str, log: str, pumping: Pumping, is_new: bool = True) -> None:
        """Open both; `name`: of the stream; `is_new`: nothing was written yet.

        Raises OSError: BlockingIOError if another pump has the log, FileNotFoundError without a FIFO.
        """
        self.name = name
        self.key = key(name)
        self.fifo, self.path = fifo, log
        self.pumping = pumping
        self.fd = _opened(fifo, must_have_name=is_new)
        try:
            if not stat.S_ISFIFO(os.fstat(self.fd).st_mode):
                raise FileNotFoundError(errno.ENOENT, "it is not a FIFO", fifo)
            self.full_bytes = min(_FULL_BYTES, _grown(self.fd) // 2)
            """A FIFO of which so much was moved at once fills quickly. Its pages may be half full."""
            self._unsaid: list[str] = []
            if is_new:
                self._open_log(open_regular(log, os.O_RDWR | os.O_CREAT))
            else:
                self._open_again()
                self._check_fifo()
        except BaseException:
            os.close(self.fd)
            raise
        self.first_kept = 0
        """Before this offset nothing is left but the head."""
        self.head_bytes = pumping.head_bytes
        """How many of the first bytes are kept. The shim's main thread raises it when it reports the run's end."""
        self.is_kept_whole = False
        """Whether nothing is given back for now: the main thread is about to raise `head_bytes`."""
        self.noted_ns = 0
        self.lost_bytes = 0
        """How much was dropped since that was last noted."""
        self._why_lost = ""
        self.check_at = 0.0
        self.checked = self.position
        """The position when the log was last found in its place."""
        self.mark: int | None = None
        """The run is flushed when the position has passed this."""
        self.has_main = False
        """Whether the main process of the run is the shim's child, and lives."""
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

    def note_writer(self) -> None:
        """Be a writer for a moment.

        To a descriptor that was opened after the last writer had gone there has been none yet, so neither poll(2) nor
        epoll reports that there is none any more. Now they do.
        """
        try:
            os.close(os.open(f"/proc/self/fd/{self.fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        except OSError:
            pass  # without /proc what is in it is moved all the same

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
            self.say()
            moved = os.splice(self.fd, self.log, MOVE_BYTES, flags=os.SPLICE_F_NONBLOCK | os.SPLICE_F_MOVE)
        except BlockingIOError:
            return -1
        except OSError as error:
            return self._drop(error)
        self.position += moved
        kept_bytes = self.position - max(self.first_kept, self.head_bytes)
        if kept_bytes > self.pumping.limit_bytes and not self.is_kept_whole:
            self._give_back()
        return moved

    @property
    def is_behind(self) -> bool:
        """Whether something is to be noted for which there was no room."""
        return bool(self.lost_bytes or self._unsaid)

    def note(self, text: str) -> None:
        """Have a line of the supervisor's written before what comes next."""
        self._unsaid.append(text)

    def say(self) -> None:
        """Write what is to be noted. Raises OSError while there is no room."""
        while self._unsaid:
            self._write(self._unsaid[0])
            del self._unsaid[0]
        if self.lost_bytes:
            self._write(f"{self.lost_bytes} bytes are missing here: {self._why_lost}")
            self.lost_bytes = 0

    @property
    def is_removed(self) -> bool:
        """Whether the log has no name any more."""
        return os.fstat(self.log).st_nlink == 0

    def close(self) -> None:
        """Close both; the log's lock goes with it."""
        os.close(self.fd)
        self.close_log()

    def close_fifo(self) -> None:
        """Close the FIFO."""
        os.close(self.fd)
        self.fd = -1

    def close_log(self) -> None:
        """Close the log, when the FIFO is closed."""
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

    def _open_again(self) -> None:
        """Open the log that another pump has written, or make it anew."""
        try:
            self._open_log(open_regular(self.path, os.O_RDWR))
            return
        except FileNotFoundError:
            self.note_writer()
            if not self.has_writer and not self.unread_bytes:
                raise  # its command never began, and must not seem to have
            why = _REMOVED
        except Replaced:
            why = _REPLACED
        _clear(self.path)
        self._open_log(open_regular(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL))
        self.note(f"the log is a new one: {why}")

    def _check_fifo(self) -> None:
        """See that there is something to pump, now that the log is locked. Raises FileNotFoundError.

        Another pump that is through with a FIFO removes it, and lets go of the log afterwards.
        """
        self.note_writer()
        try:
            if self.has_writer or self.unread_bytes or _inode(self.fifo) == os.fstat(self.fd).st_ino:
                return
            raise FileNotFoundError(errno.ENOENT, "another pump is through with it", self.fifo)
        except BaseException:
            os.close(self.log)
            raise

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
            why = _REPLACED
        except FileNotFoundError:
            why = _REMOVED
        except OSError:
            return  # nothing can be made there either
        _clear(self.path)
        try:
            fd = open_regular(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        except OSError:
            return  # the run directory is gone, too: it is looked at again
        old, head = self.log, min(self.head_bytes, self.position)
        at = (
            max(self.first_kept, head)
            if head
            else max(self.checked, self.position - self.pumping.limit_bytes)
        )
        self._open_log(fd, self.position)
        try:
            # What was moved since: somebody may have removed the log before that. What has a head is a result that
            # nobody else has: all of it.
            _copy(old, fd, 0, head)
            _copy(old, fd, at, self.position)
        except OSError:
            at, head = self.position, 0  # there is no room
        os.close(old)
        self.first_kept = at
        if head:
            return  # as if nothing had been
        missing = f", without its first {at} bytes" if at else ""
        self.note(f"the log is a new one{missing}: {why}")

    def _drop(self, error: OSError) -> int:
        """Take bytes out of the FIFO that the log does not take, so that the command goes on."""
        null = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
        try:
            lost = os.splice(self.fd, null, MOVE_BYTES, flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            return -1
        finally:
            os.close(null)
        if lost:
            self.lost_bytes += lost
            self._why_lost = _why(error)
        if self.mark is not None:
            self.mark -= lost  # they never come to the position
        return lost

    def _write(self, text: str) -> None:
        """Write a line, or nothing. Raises OSError."""
        data = f"supervisor: {text}\n".encode()
        if self.position and os.pread(self.log, 1, self.position - 1) not in (b"\n", b"", b"\0"):
            data = b"\n" + data
        written = os.write(self.log, data)
        if written < len(data):
            os.ftruncate(self.log, self.position)
            os.lseek(self.log, self.position, os.SEEK_SET)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.position += written
        if self.mark is not None:
            self.mark += written

    def _give_back(self) -> None:
        head_bytes, limit_bytes = self.head_bytes, self.pumping.limit_bytes
        first = max(self.first_kept, head_bytes)
        give_back = middle_to_give_back if head_bytes else head_to_give_back
        length = give_back(first, self.position, limit_bytes, os.fstat(self.log).st_blksize)
        if not length:
            return
        try:
            punch(self.log, first, length)
            self.first_kept = first + length
        except OSError as error:
            if error.errno in _CANNOT_PUNCH:
                self._begin_anew(head_bytes)

    def _begin_anew(self, head_bytes: int) -> None:
        """Cut off all but the head and the last bytes. The offsets go on: what is cut off comes back as a hole."""
        limit_bytes = self.pumping.limit_bytes
        if head_bytes and self.position - max(self.first_kept, head_bytes) < 2 * limit_bytes:
            return  # what stays is read and written each time, so it is done less often
        kept_bytes = limit_bytes if head_bytes else min(MOVE_BYTES, limit_bytes // 4)
        first_kept = self.position - kept_bytes
        kept = _read(self.log, first_kept, kept_bytes)
        os.ftruncate(self.log, head_bytes)
        self.first_kept = first_kept
        _write(self.log, first_kept, kept)


def _opened(fifo: str, must_have_name: bool) -> int:
    """The read end of a FIFO; one that somebody removed is found among what processes have open. Raises OSError."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(fifo, flags | os.O_NOFOLLOW)
    except FileNotFoundError:
        if not must_have_name:
            for path in _open_elsewhere(f"{fifo} (deleted)"):
                return os.open(path, flags)
        raise


def _open_elsewhere(link: str) -> Iterator[str]:
    """The descriptors of our user's processes that lead to a file: the keeper has one of each FIFO."""
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{pid}").st_uid != os.geteuid():
                continue
            for fd in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{fd}") == link:
                    yield f"/proc/{pid}/fd/{fd}"
        except OSError:
            continue  # it has ended, or shows nobody what it has


def _inode(path: str) -> int:
    """The inode at a path; 0: there is none."""
    try:
        return os.stat(path, follow_symlinks=False).st_ino
    except OSError:
        return 0


def _why(error: OSError) -> str:
    if error.errno in _NO_ROOM:
        return "the disk was full"
    return f"they could not be written: {os.strerror(error.errno or errno.EIO).lower()}"


def _copy(source: int, target: int, first: int, end: int) -> None:
    """Copy bytes from `first` to `end` from one file into another, at the same offsets; holes stay holes."""
    while first < end:
        first = _seek(source, first, os.SEEK_DATA, first, end)
        hole_at = min(_seek(source, first, os.SEEK_HOLE, end, end), end)
        while first < hole_at:
            copied = os.copy_file_range(source, target, hole_at - first, first, first)
            if not copied:
                return
            first += copied


def _seek(fd: int, at: int, whence: int, unknown: int, end: int) -> int:
    """Where data or a hole is; `unknown` if the filesystem has no holes, `end` if there is none before."""
    try:
        return os.lseek(fd, at, whence)
    except OSError as error:
        return unknown if error.errno == errno.EINVAL else end


def _read(fd: int, at: int, size_bytes: int) -> bytearray:
    """Bytes of a file; linux reads no more than 2 GiB at once, some filesystems less."""
    data = bytearray()
    while len(data) < size_bytes and (piece := os.pread(fd, size_bytes - len(data), at + len(data))):
        data += piece
    return data


def _write(fd: int, at: int, data: bytearray) -> None:
    with memoryview(data) as left:
        done = 0
        while done < len(left):
            done += os.pwrite(fd, left[done:], at + done)


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


def _grown(fd: int) -> int:
    """Make a FIFO as large as it should be; returns how large it is."""
    try:
        return fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:
        # The user's pipes have what they may have together; a smaller pipe works too.
        return fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ)
