"""Starts a holder: from its files, or from memory once a running supervisor reads its files no more."""

from __future__ import annotations

import os

from supervisor.shim.launcher import executed, in_memory

_HOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pty_holder.py")
_held = -1
"""A file in memory that holds the whole program as one script; -1: none."""


def hold() -> None:
    """Keep the holder in memory, and start later ones from there. Without effect where that is not possible."""
    global _held
    if _held < 0:
        _held = in_memory(_HOLDER)


def start(path: str, *words: str) -> None:
    """Start a holder that listens at `path`; returns once it does. Raises OSError.

    `words`: what it has to put right, see `inheritance.shim_words`. Its first process ends as soon as it listens, and
    the second one, which goes on, is not our child: nobody has to wait for its end.
    """
    program, argv, actions = executed(_HOLDER, _held)
    pid = os.posix_spawn(
        program,
        [*argv, path, *words],
        os.environ,
        # It outlives us: it must not hold open a terminal, or a pipe that some process reads to its end.
        file_actions=[
            *actions,
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDWR, 0),
            (os.POSIX_SPAWN_DUP2, 0, 1),
            (os.POSIX_SPAWN_DUP2, 0, 2),
        ],
        setsid=True,
        setsigmask=[],
    )
    _, status = os.waitpid(pid, 0)
    if number := os.waitstatus_to_exitcode(status):
        raise OSError(
            abs(number), f"cannot start the process that holds terminals: {os.strerror(abs(number))}"
        )
