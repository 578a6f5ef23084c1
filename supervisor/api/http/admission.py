"""Admission: which connections there may be, and which one is closed for a newer one.

| kind | at most | when one more comes |
|---|---|---|
| TCP, no token shown yet | 64 | the one that was idle longest is closed; each has 10 s to show a token |
| TCP, all | what is not kept for the Unix socket | the one that was idle longest is closed, else 503 |
| all | the limit of descriptors | as above; for one on the Unix socket TCP connections go first |

So whoever can merely reach the port takes nothing from those who hold a token, and all of those together leave the Unix
socket to `supervisor status`, `shutdown` and `upgrade`. Idle: no request is being answered.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Protocol

STRANGERS = 64
"""How many TCP connections may have shown no token yet."""
SHOW_TOKEN_S = 10.0
"""How long a TCP connection may live, or live on after a request, without having shown one."""


class Kind(enum.Enum):
    """What a connection is known by."""

    LOCAL = "local"
    """It came over the Unix socket."""
    KNOWN = "known"
    """It came over TCP and has shown a token."""
    STRANGER = "stranger"
    """It came over TCP."""


class Member(Protocol):
    """A connection as it is seen here."""

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
        self._members: dict[Kind, dict[Member, None]] = {kind: {} for kind in Kind}

    def admit(self, member: Member, kind: Kind) -> bool:
        """Take a new connection in, at another one's cost if it must be; False: there is no room."""
        strangers = self._members[Kind.STRANGER]
        if kind is Kind.STRANGER and len(strangers) >= self.stranger_limit:
            # None of them is in the middle of much: the oldest goes if all are answered just now.
            self._drop(self._longest_idle([Kind.STRANGER]) or next(iter(strangers)))
        if self._is_full(kind):
            tcp = [Kind.STRANGER, Kind.KNOWN]
            victim = self._longest_idle(tcp) or (
                self._longest_idle([Kind.LOCAL]) if kind is Kind.LOCAL else None
            )
            if victim is None:
                return False
            self._drop(victim)
        self._members[kind][member] = None
        return True

    def recognize(self, member: Member) -> None:
        """A stranger has shown a token."""
        if member in self._members[Kind.STRANGER]:
            del self._members[Kind.STRANGER][member]
            self._members[Kind.KNOWN][member] = None

    def is_stranger(self, member: Member) -> bool:
        """Whether it came over TCP and has shown no token."""
        return member in self._members[Kind.STRANGER]

    def leave(self, member: Member) -> None:
        """A connection is closed, if it was one of these."""
        for members in self._members.values():
            members.pop(member, None)

    def relieve(self) -> None:
        """Descriptors have run out: close what is idle on TCP."""
        for kind in (Kind.STRANGER, Kind.KNOWN):
            for member in list(self._members[kind]):
                if member.idle_since_s is not None:
                    self._drop(member)

    def _is_full(self, kind: Kind) -> bool:
        tcp = len(self._members[Kind.STRANGER]) + len(self._members[Kind.KNOWN])
        if kind is not Kind.LOCAL and tcp >= self.tcp_limit:
            return True
        return tcp + len(self._members[Kind.LOCAL]) >= self.limit

    def _longest_idle(self, kinds: Iterable[Kind]) -> Member | None:
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
