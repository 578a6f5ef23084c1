"""How soon the kernel kills a shim when memory runs out; proc_pid_oom_score_adj(5)."""

from __future__ import annotations

import os

ABOVE_US = 200
"""How much more than ours a command's is where ours cannot be lowered: a fifth of the memory, as if it used that."""
_HIGHEST = 1000


class OomScore:
    """Our own: after our commands, and theirs: as soon as if we were not there, where ours can be lower than that.

    Without CAP_SYS_RESOURCE it cannot; but whoever raises it may go back. So theirs is raised then, or the supervisor,
    with its 50 MB, would often go before the command that eats the memory up.

    A child inherits it, so it is theirs for the moment of a spawn: two writes of a microsecond each.
    """

    def __init__(self) -> None:
        self._fd = -1
        try:
            self._fd = os.open("/proc/self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)
            self._commands = self._own = os.read(self._fd, 16).strip()
        except OSError:
            self._commands = self._own = b"0"
            return
        for score in (b"-900", b"0"):
            if int(score) < int(self._commands) and self._set(score):
                self._own = score
                return
        self._commands = b"%d" % min(int(self._own) + ABOVE_US, _HIGHEST)

    def raise_(self) -> None:
        """As a command's is."""
        if self._own != self._commands:
            self._set(self._commands)

    def lower(self) -> None:
        """As ours is."""
        if self._own != self._commands:
            self._set(self._own)

    def _set(self, score: bytes) -> bool:
        try:
            os.pwrite(self._fd, score, 0)
        except OSError:
            return False
        return True
