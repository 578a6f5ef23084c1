"""Access: who calls, and whether they may.

On the Unix socket the kernel says who the peer is; root, our own user and the one that commands run as are let in.
Over TCP every request needs a token in its Authorization header. Two more things guard a port on the user's machine
against the web pages that its browser shows: `Host` must be a name that the supervisor was told it has (a page that had
its own name resolve to 127.0.0.1 sends that name), and `Origin`, where there is one, must be allowed. Health answers
anybody.

A call that goes on is ended within seconds once its token is revoked.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler
from connectrpc.code import Code
from connectrpc.errors import ConnectError

from supervisor.api.connect.connect_errors import as_connect_error, error_response, http_error_response
from supervisor.api.http.connection import Connection
from supervisor.api.http.tokens import BadToken, Scope, Tokens
from supervisor.shim.unix_socket import peer_credentials

OPEN = frozenset({"/healthz", "/readyz"})
LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_LOGS = ("/logs/", "/api/logs/")
_IN_QUERY = ("token", "access_token", "auth_token", "authorization", "jwt")
_PREFLIGHT_S = "7200"
LOOK_S = 2.0
"""How often it is looked whether the tokens of calls in progress are revoked."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request."""

    subject: str
    """The environment's id."""
    scope: Scope
    owns_process: bool = False
    """Whether it may have the supervisor execute another program: a peer of the Unix socket that is root or our own
    user, and shows no token. Whoever is root in a container only is the user that commands run as."""


_CALLER: ContextVar[Caller] = ContextVar("CALLER")


def caller() -> Caller:
    """Who makes the request that is being handled."""
    return _CALLER.get()


class Access:
    """Decides for every request before its handler runs; answers what may not pass."""

    def __init__(
        self,
        tokens: Tokens,
        environment_id: str,
        host_names: Iterable[str] = (),
        origins: Iterable[str] = (),
        exposed_headers: Iterable[str] = ("*",),
        peers: Iterable[int] = (),
    ) -> None:
        """What is known.

        Args:
            tokens: checks tokens.
            environment_id: the subject of whoever comes through the Unix socket.
            host_names: names of this server beside the local ones, without port.
            origins: pages that may call, as browsers write them: https://example.org.
            exposed_headers: what such pages may read of a response's head.
            peers: users who may use the Unix socket, beside root and our own.
        """
        self._tokens = tokens
        self._environment_id = environment_id
        self._owners = {0, os.geteuid()}
        self._has_user = bool(peers := frozenset(peers))
        self._names = LOCAL_NAMES | {_bare(name) for name in host_names}
        self._origins = {origin.rstrip("/").lower() for origin in origins}
        self._exposed = ", ".join(exposed_headers)
        self._peers = {0, os.geteuid(), *peers}
        self._calls: dict[asyncio.Task[Any], int] = {}
        """Those in progress that a token lets through, each with the generation of its key."""
        self._look: asyncio.TimerHandle | None = None

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The outermost middleware: lets a request through to its handler, or says in JSON why not."""
        try:
            if request.path in OPEN:
                return await handler(request)
            transport = request.transport
            if transport is None:
                raise ConnectError(Code.CANCELED, "the client is gone")
            peer = transport.get_extra_info("socket")
            if peer.family == socket.AF_UNIX:
                self._check_origin(request)
                _CALLER.set(self._peer(request, peer))
            else:
                self._check_host(request, transport.get_extra_info("sockname"))
                self._check_origin(request)
                if _is_preflight(request):
                    return self._preflight(request)
                _CALLER.set(self._bearer(request))
                if isinstance(request.protocol, Connection):
                    request.protocol.show_token()
            return await self._handled(request, handler)
        except Exception as error:
            if request.writer.output_size > 0:
                raise  # the response has begun: nothing can be said any more, so the connection breaks off
            return _refusal(error, request.path)

    async def add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """For `on_response_prepare`: what lets an allowed page read the response."""
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower() in self._origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = self._exposed
            response.headers.add("Vary", "Origin")

    async def _handled(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The handler's answer, for as long as the token holds that was shown."""
        call = asyncio.current_task()
        if call is None or "Authorization" not in request.headers:
            return await handler(request)
        if self._look is None:
            self._look = asyncio.get_running_loop().call_later(LOOK_S, self._end_revoked)
        self._calls[call] = self._tokens.generation
        try:
            return await handler(request)
        finally:
            del self._calls[call]

    def _end_revoked(self) -> None:
        """End the calls whose token is revoked. Looks again as long as there are calls."""
        self._look = None
        if not self._calls:
            return
        self._tokens.renew()
        for call, generation in self._calls.items():
            if generation != self._tokens.generation:
                call.cancel()
        self._look = asyncio.get_running_loop().call_later(LOOK_S, self._end_revoked)

    def _peer(self, request: web.Request, peer: socket.socket) -> Caller:
        pid, uid = peer_credentials(peer)
        if uid not in self._peers:
            raise ConnectError(
                Code.PERMISSION_DENIED, f"process {pid} of user {uid} may not use this supervisor's socket"
            )
        # Who shows a token all the same, a proxy for others perhaps, has what the token is good for.
        return self._bearer(request) if "Authorization" in request.headers else self._local(pid, uid)

    def _local(self, pid: int, uid: int) -> Caller:
        owns = uid in self._owners and not (self._has_user and _is_in_container(pid))
        return Caller(self._environment_id, Scope.ENVIRONMENT, owns)

    def _bearer(self, request: web.Request) -> Caller:
        if request.query_string and _has_token_in_url(request):
            raise _unauthenticated(
                "a token in a URL ends up in logs: send it in the header Authorization: Bearer"
            )
        header = request.headers.get("Authorization")
        if header is None:
            raise _unauthenticated(
                "the token is missing: send one in the header Authorization: Bearer; `supervisor token` makes one"
            )
        kind, _, token = header.partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise _unauthenticated("the header Authorization is invalid: it must be Bearer and a token")
        try:
            claims = self._tokens.check(token.strip())
        except BadToken as error:
            raise _unauthenticated(str(error)) from error
        if claims.scope is Scope.LOGS and not _reads_logs(request):
            raise ConnectError(
                Code.PERMISSION_DENIED, "a token of scope logs is good for reading logs alone: GET /logs/..."
            )
        return Caller(claims.subject, claims.scope)

    def _check_host(self, request: web.Request, sockname: tuple[str, int] | None) -> None:
        hosts = request.headers.getall("Host", [])
        name = _bare(hosts[0]) if len(hosts) == 1 else ""
        # An address that the client has really connected to is no name that somebody could have made up.
        if name in self._names or (sockname is not None and name == sockname[0]):
            return
        shown = f"the header Host: {name[:80]}" if name else "a request without one header Host"
        raise ConnectError(
            Code.PERMISSION_DENIED,
            f"{shown} is not for this supervisor: --host-name tells it names that it has",
        )

    def _check_origin(self, request: web.Request) -> None:
        origin = request.headers.get("Origin")
        if origin is None or origin.lower() in self._origins:
            return
        # A page that came from here. What it was asked for as, Host, has been checked.
        if origin.partition("://")[2] == request.headers.get("Host"):
            return
        raise ConnectError(
            Code.PERMISSION_DENIED,
            f"pages of {origin[:80]} may not use this supervisor: --allow-origin names those that may",
        )

    def _preflight(self, request: web.Request) -> web.Response:
        """The answer to a browser that asks what an allowed page may send. The Origin has been checked."""
        headers = {
            "Access-Control-Allow-Methods": "GET, HEAD, POST",
            "Access-Control-Allow-Headers": request.headers.get("Access-Control-Request-Headers", "*"),
            "Access-Control-Max-Age": _PREFLIGHT_S,
        }
        if request.headers.get("Access-Control-Request-Private-Network") == "true":
            headers["Access-Control-Allow-Private-Network"] = "true"
        return web.Response(status=204, headers=headers)


def _is_in_container(pid: int) -> bool:
    """Whether a process is in namespaces below ours, of users or of processes: its root is none of ours."""
    if pid == 0:  # it is above ours, where we see nobody
        return False
    try:
        return any(
            os.stat(f"/proc/{pid}/ns/{kind}").st_ino != os.stat(f"/proc/self/ns/{kind}").st_ino
            for kind in ("user", "pid")
        )
    except OSError:
        return True  # it has ended: it may have been one


def _is_preflight(request: web.Request) -> bool:
    return (
        request.method == "OPTIONS"
        and "Origin" in request.headers
        and "Access-Control-Request-Method" in request.headers
    )


def _reads_logs(request: web.Request) -> bool:
    return request.method in ("GET", "HEAD") and request.path.startswith(_LOGS)


def _has_token_in_url(request: web.Request) -> bool:
    """Whether somebody put a token there. The `token` of a list is the page to go on with (see `querypage`)."""
    found = [name for name in _IN_QUERY if name in request.query]
    is_page = found == ["token"] and request.path.rpartition("/")[2].startswith("List")
    return bool(found) and not (is_page and "Authorization" in request.headers)


def _bare(host: str) -> str:
    """A host's name as compared: without port, brackets, final dot and capitals."""
    name = host.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0].rstrip(".") if name.count(":") < 2 else name


def _unauthenticated(message: str) -> ConnectError:
    return ConnectError(Code.UNAUTHENTICATED, message)


def _refusal(error: Exception, path: str) -> web.Response:
    if isinstance(error, web.HTTPException):
        return http_error_response(error, path)
    known = as_connect_error(error)
    headers = {"WWW-Authenticate": "Bearer"} if known.code is Code.UNAUTHENTICATED else None
    return error_response(known.code, known.message, headers=headers)
