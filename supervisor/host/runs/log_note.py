"""Lines of the supervisor's own in the log of a run.

While the output of a run is pumped, they go the way of the output: the pump alone writes into the log then.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time

from supervisor.shim.descriptors import unread_bytes
from supervisor.shim.regular_file import open_regular

_PIECE_BYTES = 4096
"""So much is written into a FIFO as a whole: PIPE_BUF of pipe(7)."""
_PAUSE_S = 0.001


def note(log: str, fifo: str, text: str, wait_s: float) -> bool:
    """Append lines to a log; without effect where that fails.

    `fifo`: where its FIFO is, if it has one. `wait_s`: how long to wait at most until they are in the log.
    False: the FIFO is full, or somebody removed it, and the lines are to be noted again in a moment.
    """
    lines = "".join(f"supervisor: {line}\n" for line in text.splitlines())
    try:
        if _sent(fifo, lines, wait_s):
            return True
    except BlockingIOError:
        return False
    try:
        fd = open_regular(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            if os.fstat(fd).st_nlink != 1:
                return True  # a command put another file there, which has a name elsewhere
            # The pump, if there is one, has the lock, and would overwrite the lines.
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(fd, lines.encode("utf-8", "replace"))
        finally:
            os.close(fd)
    except BlockingIOError:
        return False
    except OSError:
        pass  # the disk is full: the command's own lines are lost as well
    return True


def _sent(fifo: str, lines: str, wait_s: float) -> bool:
    """Write into the FIFO, in one piece; False: there is none, or nobody reads it. Raises BlockingIOError."""
    try:
        fd = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if not stat.S_ISFIFO(os.fstat(fd).st_mode):
            return True  # something that the command put there
        os.write(fd, _last_piece(lines.encode("utf-8", "replace")))
        if wait_s:
            _wait_until_empty(fd, wait_s)
        return True
    except BlockingIOError:
        raise
    except OSError:
        return False
    finally:
        os.close(fd)


def _last_piece(lines: bytes) -> bytes:
    """The last lines, as many as can be written as a whole: the last one says most."""
    if len(lines) <= _PIECE_BYTES:
        return lines
    _, _, rest = lines[-_PIECE_BYTES:].partition(b"\n")
    return rest or lines.splitlines(keepends=True)[-1][: _PIECE_BYTES - 1] + b"\n"


def _wait_until_empty(fifo: int, longest_s: float) -> None:
    until = time.monotonic() + longest_s
    while time.monotonic() < until and unread_bytes(fifo):
        time.sleep(_PAUSE_S)
