"""Access: who calls, and whether they may.

On the Unix socket the kernel says who the peer is, and the program's policy whether it may call. Over TCP every request
needs a token in its Authorization header. Two more checks guard a port on the user's machine against the web pages that
its browser shows. `Host` must be one of the server's own names: a page that has its own name resolve to 127.0.0.1 sends
that name. And `Origin`, where there is one, must be allowed. Health answers anybody.

A call in progress ends within seconds once its token is revoked.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Protocol

from aiohttp import web
from aiohttp.typedefs import Handler

from connect_server.connect_errors import Code, ConnectError, Program, error_response, http_error_response
from connect_server.http.begun_call import CALLER, Caller
from connect_server.http.connection import Connection
from connect_server.http.tokens import BadToken, Tokens

OPEN = frozenset({"/healthz", "/readyz"})
LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_HOST = re.compile(r"(?:\[(?P<address>[^\]]*)\]|(?P<name>[^:]*))(?::[0-9]{0,5})?", re.ASCII)
_IN_QUERY = ("token", "access_token", "auth_token", "authorization", "jwt")
_PREFLIGHT_S = "7200"
LOOK_S = 2.0
"""How often the tokens of calls in progress are checked for revocation."""


_CALLER: ContextVar[Caller] = ContextVar("CALLER")


def caller() -> Caller:
    """Who makes the request that is being handled."""
    return _CALLER.get()


class CallerPolicy(Protocol):
    """What a program lets callers do."""

    def local_caller(self, peer: socket.socket) -> Caller:
        """Who the peer on the Unix socket is. Raises ConnectError if it may not use that."""

    def check_scope(self, scope: str, request: web.Request) -> None:
        """Raise ConnectError if a token of this scope may not make the request."""


@dataclass(frozen=True, slots=True)
class HostPolicy:
    """Which `Host` and `Origin` a request may name, and the hints that refusals end with."""

    host_names: Sequence[str] = ()
    """Names of the server beside the local ones, without port."""
    origins: Sequence[str] = ()
    """Pages that may call, as browsers write them: https://example.org."""
    exposed_headers: Sequence[str] = ("*",)
    """What such pages may read of a response's head."""
    host_hint: str = ""
    """How to add a name; ends the message that refuses one."""
    origin_hint: str = ""
    """How to allow pages; ends the message that refuses some."""
    token_hint: str = ""
    """Where to get a token; ends the message that asks for one."""


class Access:
    """Decides about every request before its handler runs, and answers those that may not pass."""

    def __init__(
        self, program: Program, tokens: Tokens, policy: CallerPolicy, host_policy: HostPolicy
    ) -> None:
        self._program = program
        self._tokens = tokens
        self._policy = policy
        self._hosts = host_policy
        self._names = (LOCAL_NAMES | {_bare(name) for name in host_policy.host_names}) - {""}
        self._origins = {origin.rstrip("/").lower() for origin in host_policy.origins}
        self._calls: dict[asyncio.Task[Any], int] = {}
        """Calls in progress that a token lets through, each with the generation of its key."""
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
            connection = request.protocol if isinstance(request.protocol, Connection) else None
            admitted = None if connection is None else connection.admitted_caller()
            if admitted is not None:
                known = admitted
            elif peer.family == socket.AF_UNIX:
                self._check_origin(request)
                local = self._policy.local_caller(peer)
                # A peer that shows a token all the same, a proxy perhaps, may do what the token lets it.
                known = self._bearer(request) if "Authorization" in request.headers else local
            else:
                host = self._checked_host(request, transport.get_extra_info("sockname"))
                self._check_origin(request)
                if _is_preflight(request):
                    return self._preflight(request)
                known = replace(self._bearer(request), host=host)
                if connection is not None:
                    connection.show_token()
            _CALLER.set(known)
            request[CALLER] = known
            return await self._handled(request, handler)
        except Exception as error:
            if request.writer.output_size > 0:
                raise  # the response has begun: nothing can be said any more, so the connection breaks off
            return self._refusal(error, request.path)

    async def add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """For `on_response_prepare`: the headers that let an allowed page read the response."""
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower() in self._origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = ", ".join(self._hosts.exposed_headers)
            response.headers.add("Vary", "Origin")

    async def _handled(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The handler's answer. The call is cancelled if its token is revoked meanwhile."""
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

    def _bearer(self, request: web.Request) -> Caller:
        if request.query_string and _has_token_in_url(request):
            raise _unauthenticated(
                "a token in a URL ends up in logs: send it in the header Authorization: Bearer"
            )
        header = request.headers.get("Authorization")
        if header is None:
            text = "the token is missing: send one in the header Authorization: Bearer"
            raise _unauthenticated(_joined(text, "; ", self._hosts.token_hint))
        kind, _, token = header.partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise _unauthenticated("the header Authorization is invalid: it must be Bearer and a token")
        try:
            claims = self._tokens.check(token.strip())
        except BadToken as error:
            raise _unauthenticated(str(error)) from error
        self._policy.check_scope(claims.scope, request)
        return Caller(claims.subject, claims.scope)

    def _checked_host(self, request: web.Request, sockname: tuple[str, int] | None) -> str:
        """The header Host, which names this server. Raises ConnectError."""
        hosts = request.headers.getall("Host", [])
        name = _bare(hosts[0]) if len(hosts) == 1 else ""
        # The address that the client has connected to is not a name that a page could have made up.
        if name in self._names or (sockname is not None and name == sockname[0]):
            return hosts[0].strip()
        shown = f"the header Host: {hosts[0][:80]}" if any(hosts[:1]) else "a request without one header Host"
        text = f"{shown} is not for this {self._program.name}"
        raise ConnectError(Code.PERMISSION_DENIED, _joined(text, ": ", self._hosts.host_hint))

    def _check_origin(self, request: web.Request) -> None:
        origin = request.headers.get("Origin")
        if origin is None or origin.lower() in self._origins:
            return
        # A page of this server. `_checked_host` has checked the name that it uses.
        if origin.partition("://")[2] == request.headers.get("Host"):
            return
        text = f"pages of {origin[:80]} may not use this {self._program.name}"
        raise ConnectError(Code.PERMISSION_DENIED, _joined(text, ": ", self._hosts.origin_hint))

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

    def _refusal(self, error: Exception, path: str) -> web.Response:
        if isinstance(error, web.HTTPException):
            return http_error_response(error, path)
        known = self._program.connect_error(error)
        headers = {"WWW-Authenticate": "Bearer"} if known.code is Code.UNAUTHENTICATED else None
        return error_response(known.code, known.message, headers=headers)


def _is_preflight(request: web.Request) -> bool:
    return (
        request.method == "OPTIONS"
        and "Origin" in request.headers
        and "Access-Control-Request-Method" in request.headers
    )


def _has_token_in_url(request: web.Request) -> bool:
    """Whether the URL holds a credential. The `token` of a list is a page's (see `pages`)."""
    found = [name for name in _IN_QUERY if name in request.query]
    is_page = found == ["token"] and request.path.rpartition("/")[2].startswith("List")
    return bool(found) and not (is_page and "Authorization" in request.headers)


def _bare(host: str) -> str:
    """A host's name as compared: without port, brackets, final dot and capitals; empty if that is not all there is."""
    text = host.strip().lower()
    if text.count(":") > 1 and not text.startswith("["):
        return text  # an IPv6 address as people write it
    # What follows the name may lead elsewhere, as in `127.0.0.1:1@evil.example`, where a URL is made of it.
    found = _HOST.fullmatch(text)
    return (found["address"] or found["name"] or "").rstrip(".") if found else ""


def _joined(text: str, separator: str, hint: str) -> str:
    return f"{text}{separator}{hint}" if hint else text


def _unauthenticated(message: str) -> ConnectError:
    return ConnectError(Code.UNAUTHENTICATED, message)
