"""Who may call this supervisor, what its tokens are good for, and which codes its errors have.

On the Unix socket that are root, our own user, and the one that commands run as. The codes are here, and not with the
errors, because the core knows nothing of Connect.
"""

from __future__ import annotations

import enum
import os
import socket
from collections.abc import Iterable, Sequence

from aiohttp import web

from connect_server.connect_errors import Code, ConnectError, Program
from connect_server.http.access import HostPolicy
from connect_server.http.begun_call import Caller
from connect_server.http.tokens import Issuer, Tokens
from supervisor.model.errors import (
    TRANSIENT_ERRNOS,
    AlreadyExists,
    Draining,
    Exhausted,
    InvalidActivity,
    NotFound,
    Precondition,
)
from supervisor.shim.unix_socket import peer_credentials

PROGRAM = Program(
    "supervisor",
    {
        InvalidActivity: Code.INVALID_ARGUMENT,
        NotFound: Code.NOT_FOUND,
        AlreadyExists: Code.ALREADY_EXISTS,
        Draining: Code.UNAVAILABLE,
        Exhausted: Code.RESOURCE_EXHAUSTED,
        Precondition: Code.FAILED_PRECONDITION,
    },
    TRANSIENT_ERRNOS,
)
_LOGS = ("/logs/", "/api/logs/")


class Scope(enum.StrEnum):
    """What a token is good for."""

    ENVIRONMENT = "environment"
    """Everything that concerns the environment."""
    LOGS = "logs"
    """Reading its logs."""


LIFETIMES_S = {Scope.ENVIRONMENT: 24 * 3600.0, Scope.LOGS: 3600.0}
"""How long a token lives for which no other time was asked."""


def issuer(environment_id: str) -> Issuer:
    """Who signs the tokens of this environment."""
    return Issuer(
        subject=environment_id,
        name="supervisor",
        audience="supervisor-api",
        scopes=tuple(scope.value for scope in Scope),
        subject_kind="environment",
        renewal="get a new one, for example with `supervisor token`",
    )


def host_policy(host_names: Sequence[str] = (), origins: Sequence[str] = ()) -> HostPolicy:
    """Which names and web pages lead to this supervisor."""
    return HostPolicy(
        host_names,
        origins,
        host_hint="--host-name tells it names that it has",
        origin_hint="--allow-origin names those that may",
        token_hint="`supervisor token` makes one",
    )


class TokenMint:
    """Makes the tokens of this environment."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def mint(self, scope: Scope, ttl_s: float | None = None) -> str:
        """A token that lives so long; None: as long as tokens of its scope do."""
        return self._tokens.mint(scope, LIFETIMES_S[scope] if ttl_s is None else ttl_s)


class AccessPolicy:
    """What callers may do."""

    def __init__(self, environment_id: str, users: Iterable[int] = ()) -> None:
        """`users`: who may use the Unix socket, beside root and our own user."""
        self._environment_id = environment_id
        self._owners = {0, os.geteuid()}
        self._others = frozenset(users)

    def local_caller(self, peer: socket.socket) -> Caller:
        """The caller owns the process if it is root or our own user; root of a container is the commands' user."""
        pid, uid = peer_credentials(peer)
        if uid not in self._owners and uid not in self._others:
            raise ConnectError(
                Code.PERMISSION_DENIED, f"process {pid} of user {uid} may not use this supervisor's socket"
            )
        owns = uid in self._owners and not (self._others and _is_in_container(pid))
        return Caller(self._environment_id, Scope.ENVIRONMENT, owns)

    def check_scope(self, scope: str, request: web.Request) -> None:
        """A token of scope logs reads logs alone."""
        reads_logs = request.method in ("GET", "HEAD") and request.path.startswith(_LOGS)
        if scope == Scope.LOGS and not reads_logs:
            raise ConnectError(
                Code.PERMISSION_DENIED, "a token of scope logs is good for reading logs alone: GET /logs/..."
            )


def _is_in_container(pid: int) -> bool:
    """Whether a process is in namespaces below ours, of users or of processes: its root is another one than ours."""
    if pid == 0:  # it is above ours, where we see nobody
        return False
    try:
        return any(
            os.stat(f"/proc/{pid}/ns/{kind}").st_ino != os.stat(f"/proc/self/ns/{kind}").st_ino
            for kind in ("user", "pid")
        )
    except OSError:
        return True  # it has ended: it may have been in one
