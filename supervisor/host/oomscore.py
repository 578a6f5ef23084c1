"""How soon the kernel kills a shim when memory runs out; proc_pid_oom_score_adj(5)."""

from __future__ import annotations

import os


class OomScore:
    """Our own: after our commands, where we may say so.

    A child inherits it, so it is what it was for the moment of a spawn: two writes of a microsecond each.
    """

    def __init__(self) -> None:
        self._fd = -1
        try:
            self._fd = os.open("/proc/self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)
            self._before = self._low = os.read(self._fd, 16).strip()
        except OSError:
            self._before = self._low = b"0"
        for score in (b"-900", b"0"):
            if int(score) < int(self._before) and self._set(score):
                self._low = score
                break

    def raise_(self) -> None:
        """As it was before us."""
        if self._low != self._before:
            self._set(self._before)

    def lower(self) -> None:
        """As low as it may be."""
        if self._low != self._before:
            self._set(self._low)

    def _set(self, score: bytes) -> bool:
        try:
            os.pwrite(self._fd, score, 0)
        except OSError:
            return False
        return True
