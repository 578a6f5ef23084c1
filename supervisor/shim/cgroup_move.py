"""How the shim moves between control groups, so that a command is born in its own."""

from __future__ import annotations

import os
import time

_WARM_UPS = 4
_BETWEEN_S = 0.004


def enter(group: str) -> str:
    """Move into a run's group, so that the command is born there; returns the group, or nothing if that fails.

    30 microseconds there and back. A command that is moved after its start may have forked before.
    """
    return group if group and join(group) else ""


def leave(group: str) -> bool:
    """Move back into the shims' group, or into the one above if that is gone; False: we are in the run's still."""
    above = os.path.dirname(group)
    return join(f"{above}/shims") or join(above)


def join(group: str) -> bool:
    """Move this process into a group; False: it stays where it was."""
    try:
        order(group, "cgroup.procs", b"0")
    except OSError:
        return False
    return True


def warm_up(group: str) -> None:
    """Prepare the kernel to move processes between groups: move into `group`, our own, a few times; 12 to 30 ms.

    The first move waits for a grace period of RCU, 4 to 24 ms, and so does every process that makes a group or moves
    meanwhile. A move within the grace period of another takes 30 microseconds, and extends it.
    """
    for _ in range(_WARM_UPS):
        if not join(group):
            break
        time.sleep(_BETWEEN_S)


def order(group: str, file: str, word: bytes) -> None:
    """Write a word into a file of a group. Raises OSError."""
    fd = os.open(f"{group}/{file}", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, word)
    finally:
        os.close(fd)
