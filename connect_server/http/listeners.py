"""The sockets that a server serves. They are bound by its program, before there is a server.

A Unix socket's file can be removed while it listens. Its program may then bind another one, and have the server serve
that in the place of the first: `Rebinding`.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Protocol


class Rebinding(Protocol):
    """Serves a socket in the place of another one."""

    async def rebind(self, listening: socket.socket) -> None:
        """Serve a Unix socket that took the place of the first one."""


class Listeners(Protocol):
    """The sockets that a server serves: each listens, and does not block."""

    listening: list[socket.socket]
    """A Unix socket that may be bound anew stands first."""

    def attach(self, server: Rebinding) -> None:
        """They are served from now on. One that is bound anew is given to the server."""

    def detach(self) -> None:
        """They are not served any more."""

    def close(self) -> None:
        """Stop listening."""


class FixedListeners:
    """Sockets that are never bound anew."""

    def __init__(self, listening: Iterable[socket.socket]) -> None:
        self.listening = list(listening)

    def attach(self, server: Rebinding) -> None:
        """Nothing is ever bound anew."""

    def detach(self) -> None:
        """Nothing is ever bound anew."""

    def close(self) -> None:
        """Stop listening."""
        for listening in self.listening:
            listening.close()
        self.listening.clear()
