"""Admission: which connections there may be, and which one is closed for a newer one.

| kind | at most | when one more comes |
|---|---|---|
| TCP, no token shown yet | 1,536 | the one that was idle longest is closed; each has 10 s to show a token |
| TCP, all | what is not kept for the Unix socket | the one that was idle longest is closed, else 503 |
| all | the limit of descriptors | as above; for one on the Unix socket TCP connections go first |

So a client that can merely reach the port takes nothing from those that hold a token, and all of those together leave
the Unix socket to the program's own commands. Idle: no request is being answered.

Where descriptors run out all the same, asyncio leaves the listening socket alone for a second, and reports each of its
attempts as an error with a traceback, a hundred at once. Clients wait meanwhile in the kernel's queue. `AcceptErrors`
reports that once, and once it is over.
"""

from __future__ import annotations

import asyncio
import enum
import errno
from collections.abc import Iterable
from typing import Any, Protocol

STRANGERS = 1536
"""How many TCP connections may have shown no token yet."""
SHOW_TOKEN_S = 10.0
"""How long a TCP connection may live, or live on after a request, without having shown one."""
QUIET_S = 3.0
"""With no attempt to accept failing for so long it is over: asyncio tries every second."""
_SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class ConnectionKind(enum.Enum):
    """What a connection is known by."""

    LOCAL = "local"
    """It came over the Unix socket."""
    KNOWN = "known"
    """It came over TCP and has shown a token."""
    STRANGER = "stranger"
    """It came over TCP."""


class Member(Protocol):
    """A connection."""

    @property
    def idle_since_s(self) -> float | None:
        """When its last request came or, if there was none, it was made; None: one is being answered."""

    def drop(self) -> None:
        """Close it at once, whatever it does."""


class Admission:
    """The connections of a server."""

    def __init__(self, limit: int) -> None:
        """`limit`: how many connections there may be."""
        self.limit = limit
        self.tcp_limit = limit - max(1, limit // 4)
        self.stranger_limit = max(1, min(STRANGERS, self.tcp_limit // 2))
        self._members: dict[ConnectionKind, dict[Member, None]] = {kind: {} for kind in ConnectionKind}

    def admit(self, member: Member, kind: ConnectionKind) -> bool:
        """Take in a new connection, and close another one for it if need be; False: there is no room."""
        strangers = self._members[ConnectionKind.STRANGER]
        if kind is ConnectionKind.STRANGER and len(strangers) >= self.stranger_limit:
            # If all are being answered the oldest goes: none of them is in the middle of much.
            self._drop(self._longest_idle([ConnectionKind.STRANGER]) or next(iter(strangers)))
        if self._is_full(kind):
            tcp = [ConnectionKind.STRANGER, ConnectionKind.KNOWN]
            victim = self._longest_idle(tcp) or (
                self._longest_idle([ConnectionKind.LOCAL]) if kind is ConnectionKind.LOCAL else None
            )
            if victim is None:
                return False
            self._drop(victim)
        self._members[kind][member] = None
        return True

    def recognize(self, member: Member) -> None:
        """A stranger has shown a token."""
        if member in self._members[ConnectionKind.STRANGER]:
            del self._members[ConnectionKind.STRANGER][member]
            self._members[ConnectionKind.KNOWN][member] = None

    def is_stranger(self, member: Member) -> bool:
        """Whether it came over TCP and has shown no token."""
        return member in self._members[ConnectionKind.STRANGER]

    def leave(self, member: Member) -> None:
        """A connection was closed; it need not be one of these."""
        for members in self._members.values():
            members.pop(member, None)

    def relieve(self) -> None:
        """Descriptors have run out: close what is idle on TCP."""
        for kind in (ConnectionKind.STRANGER, ConnectionKind.KNOWN):
            for member in list(self._members[kind]):
                if member.idle_since_s is not None:
                    self._drop(member)

    def _is_full(self, kind: ConnectionKind) -> bool:
        tcp = len(self._members[ConnectionKind.STRANGER]) + len(self._members[ConnectionKind.KNOWN])
        if kind is not ConnectionKind.LOCAL and tcp >= self.tcp_limit:
            return True
        return tcp + len(self._members[ConnectionKind.LOCAL]) >= self.limit

    def _longest_idle(self, kinds: Iterable[ConnectionKind]) -> Member | None:
        """Of the first of these kinds that has an idle connection."""
        for kind in kinds:
            idle = [
                (since_s, member)
                for member in self._members[kind]
                if (since_s := member.idle_since_s) is not None
            ]
            if idle:
                return min(idle, key=lambda pair: pair[0])[1]
        return None

    def _drop(self, member: Member) -> None:
        self.leave(member)
        member.drop()


class ShortageListener(Protocol):
    """Is told when descriptors run out."""

    def on_shortage(self, why: str) -> None:
        """Clients have to wait, and why; with an empty text: they need not any more."""


class AcceptErrors:
    """Takes the errors of accept(2) out of those that a loop reports."""

    def __init__(self, loop: asyncio.AbstractEventLoop, listener: ShortageListener) -> None:
        self._loop = loop
        self._listener = listener
        self._over: asyncio.TimerHandle | None = None
        loop.set_exception_handler(self._handle)

    def close(self) -> None:
        """Let the loop report everything again."""
        self._loop.set_exception_handler(None)
        if self._over is not None:
            self._over.cancel()

    def _handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        # Of the loop's own errors only those of accept() name a listening socket.
        if not isinstance(error, OSError) or "socket" not in context or error.errno not in _SHORT:
            loop.default_exception_handler(context)
            return
        if self._over is not None:
            self._over.cancel()
        self._over = loop.call_later(QUIET_S, self._listener.on_shortage, "")
        self._listener.on_shortage((error.strerror or str(error)).lower())
