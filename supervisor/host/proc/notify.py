"""Messages to the service manager that started us: sd_notify(3), one datagram each.

A message is lines of `NAME=value`. Sending never waits: if the manager does not read, or is gone, the message is lost.
Nothing is sent unless the manager asked for messages in our environment.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping

_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Notifier:
    """Sends messages to the service manager, if it asked for any."""

    def __init__(self, environ: dict[str, str] | None = None) -> None:
        """`environ`: the variables that `take` found; empty: no manager asked."""
        self.environ = environ or {}
        """The variables; a program that this process executes in its own place needs them again."""

    @classmethod
    def take(cls, environ: MutableMapping[str, str]) -> Notifier:
        """Remove the variables from an environment: children must not send messages in our name."""
        found = {name: environ.pop(name) for name in _VARIABLES if name in environ}
        return cls(found)

    def __bool__(self) -> bool:
        """Whether a manager asked for messages."""
        return bool(self.environ.get("NOTIFY_SOCKET"))

    @property
    def watchdog_s(self) -> float | None:
        """The longest time between two messages of the watchdog, sd_watchdog_enabled(3); None: there is no watchdog."""
        whose = self.environ.get("WATCHDOG_PID", "")
        microseconds = self.environ.get("WATCHDOG_USEC", "")
        # As pid 1 the manager asked the process above us.
        is_ours = whose in ("", str(os.getpid())) or (whose == "1" and os.getppid() == 1)
        if not (self and is_ours and microseconds.isdecimal() and int(microseconds)):
            return None
        return int(microseconds) / 1e6

    def tell(self, *lines: str) -> bool:
        """Send one message. Returns whether the kernel took it."""
        if not self:
            return False
        address = self.environ["NOTIFY_SOCKET"]
        if address.startswith("@"):  # an abstract name, unix(7): there is no file
            address = "\0" + address[1:]
        text = "\n".join(line.replace("\n", " ") for line in lines)
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        try:
            with socket.socket(socket.AF_UNIX, kind) as sock:
                data = text.encode(errors="surrogateescape")
                return sock.sendto(data, address) == len(data)
        except (OSError, ValueError):  # ValueError: the text or the address cannot be sent
            return False


def monotonic_usec() -> str:
    """The line with the moment at which a reload began."""
    return f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"
