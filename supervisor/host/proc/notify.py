"""Telling the service manager that started us how we are: sd_notify(3), one datagram a message.

A message is lines of `NAME=value`. It never waits: a manager that does not read loses it, and a missing one is none of
our troubles. Where nobody asked to be told, nothing is sent.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping

_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Notifier:
    """Where to tell it, and how often it wants to hear that we are well."""

    def __init__(self, environ: dict[str, str] | None = None) -> None:
        """`environ`: what `take` found; nothing: nobody asked."""
        self.environ = environ or {}
        """What asked for it; for a program that this process executes in its own place, and nobody else."""

    @classmethod
    def take(cls, environ: MutableMapping[str, str]) -> Notifier:
        """Take out of an environment what is meant for this process alone: no child may speak for it."""
        found = {name: environ.pop(name) for name in _VARIABLES if name in environ}
        return cls(found)

    def __bool__(self) -> bool:
        """Whether anybody asked."""
        return bool(self.environ.get("NOTIFY_SOCKET"))

    @property
    def watchdog_s(self) -> float | None:
        """Within which time it wants to hear from us again and again, sd_watchdog_enabled(3); None: it does not."""
        whose = self.environ.get("WATCHDOG_PID", "")
        microseconds = self.environ.get("WATCHDOG_USEC", "")
        # As pid 1 it was asked of the process above us.
        is_ours = whose in ("", str(os.getpid())) or (whose == "1" and os.getppid() == 1)
        if not (self and is_ours and microseconds.isdecimal() and int(microseconds)):
            return None
        return int(microseconds) / 1e6

    def tell(self, *lines: str) -> bool:
        """Send one message. Returns whether it was taken."""
        if not self:
            return False
        address = self.environ["NOTIFY_SOCKET"]
        if address.startswith("@"):  # unix(7): an abstract name, which no file stands for
            address = "\0" + address[1:]
        text = "\n".join(line.replace("\n", " ") for line in lines)
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        try:
            with socket.socket(socket.AF_UNIX, kind) as sock:
                data = text.encode(errors="surrogateescape")
                return sock.sendto(data, address) == len(data)
        except (OSError, ValueError):  # a text or an address that cannot be sent, too
            return False


def monotonic_usec() -> str:
    """The line that says when a reload began."""
    return f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"
