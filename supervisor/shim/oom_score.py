"""How soon the kernel kills a shim and its commands when memory runs out; proc_pid_oom_score_adj(5)."""

from __future__ import annotations

import os

ABOVE_US = 200
"""How much higher than ours a command's score is where ours cannot be lowered: as if it used a fifth of the memory."""
_HIGHEST = 1000


class OomScore:
    """The shim's score and that of its commands: the commands go first.

    Where ours can be lowered, commands keep the score that they would have without us. Lowering takes CAP_SYS_RESOURCE,
    but a process that has raised its score may set it back. So without that right the commands' score is raised: the
    supervisor with its 50 MB would often go before the command that eats the memory.

    A child inherits the score, so ours is the commands' for the moment of a spawn: two writes of a microsecond each.
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
        """Take the commands' score."""
        if self._own != self._commands:
            self._set(self._commands)

    def lower(self) -> None:
        """Take the shim's own score."""
        if self._own != self._commands:
            self._set(self._own)

    def _set(self, score: bytes) -> bool:
        try:
            os.pwrite(self._fd, score, 0)
        except OSError:
            return False
        return True
