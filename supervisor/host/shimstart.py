"""Starting a shim, which is the first thing that the program does.

The shim boots while the supervisor imports the rest of itself. So this module imports next to nothing, and starting
waits for nothing.
"""

from __future__ import annotations

import os
import socket
import sys

_SHIM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shim.py")


def start(*words: str) -> tuple[socket.socket, int]:
    """Start a shim; returns a socket to it and its pid, before it runs. Raises OSError.

    `words`: what it has to put right, see `inheritance.shim_words`.
    """
    ours, its = socket.socketpair()
    try:
        its.set_inheritable(True)
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", _SHIM, "3", *words],
            os.environ,
            # It outlives us: it must not hold open a terminal or a pipe that somebody waits on.
            file_actions=[
                (os.POSIX_SPAWN_DUP2, its.fileno(), 3),
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, 0, 2),
            ],
            setsid=True,
            setsigmask=[],
        )
    except BaseException:
        ours.close()
        raise
    finally:
        its.close()
    return ours, pid
