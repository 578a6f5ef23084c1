"""Descriptors: how many the shim and its commands may have open, what is in a FIFO, closing what was inherited."""

from __future__ import annotations

import fcntl
import os
import resource
import struct
import termios
from collections.abc import Container


class DescriptorLimit:
    """RLIMIT_NOFILE of the shim: as high as it may be, and for the moment of a spawn as it was before.

    The shim takes three descriptors for each run. A command inherits the limit, and some programs close, or make room
    for, every descriptor that they might have.
    """

    def __init__(self) -> None:
        self._commands, self._hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.raise_()

    def lower(self) -> None:
        """Take the commands' limit. What is open stays open."""
        self._set(self._commands)

    def raise_(self) -> None:
        """Take the shim's own limit."""
        self._set(self._hard)

    def _set(self, soft: int) -> None:
        if self._commands != self._hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, self._hard))


def unread_bytes(fd: int) -> int:
    """How much is in a FIFO."""
    return int(struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))[0])


def close_others(kept: Container[int]) -> None:
    """Close all descriptors but these. Without close_range(2), closerange would try each of a billion numbers."""
    for number in map(int, os.listdir("/proc/self/fd")):
        if number not in kept:
            try:
                os.close(number)
            except OSError:
                pass  # it was the descriptor of the listing, and is closed already
