"""One client's connection, as aiohttp handles it, with three differences.

Garbage is answered in JSON, and not logged: anybody may send it. A response that broke off because its client left is
not an error. And `admission` decides whether there is room for the connection: without a descriptor left the program
could do nothing else, and a client that has shown no token may hold up nobody.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from http import HTTPStatus
from typing import Any

from aiohttp import web

from connect_server.connect_errors import Code, Program, error_body, error_response
from connect_server.http.admission import SHOW_TOKEN_S, Admission, ConnectionKind
from connect_server.http.begun_call import BegunCall, Caller

_log = logging.getLogger(__name__)

_FULL_BODY = error_body(Code.UNAVAILABLE, "too many connections: try again later")
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_FULL_BODY), _FULL_BODY)
)
_STATUS_OF_GARBAGE = HTTPStatus.BAD_REQUEST


class Connection(web.RequestHandler):
    """A connection that admission counts, and that fails in JSON."""

    __slots__ = (
        "_admission",
        "_begun",
        "_begun_call",
        "_behind",
        "_caller",
        "_known",
        "_patience",
        "_program",
        "_rested_s",
    )

    def __init__(
        self,
        server: web.Server,
        program: Program,
        admission: Admission,
        *,
        known: bool = False,
        begun_call: BegunCall | None = None,
        **options: Any,
    ) -> None:
        """Not connected yet.

        `known`: it counts as one that has shown a token. `begun_call`: its first request, which another program has
        read. `options`: those of aiohttp's RequestHandler.
        """
        super().__init__(server, **options)
        self._begun_call = begun_call
        self._caller = None if begun_call is None else begun_call.caller
        self._program = program
        self._admission = admission
        self._known = known
        self._patience: asyncio.TimerHandle | None = None
        self._rested_s = self._loop.time()
        self._begun = False
        """Whether a part of a request's head has come, and not yet the whole."""
        self._behind = False
        """Whether more than its body has come behind the request that is being answered."""

    @property
    def idle_since_s(self) -> float | None:
        """See `admission.Member`."""
        # A new connection does not wait yet.
        waits = self._request_count == 0 or (self._waiter is not None and not self._waiter.done())
        return self._rested_s if waits else None

    def drop(self) -> None:
        """Close it at once. Unsent data is lost: a client that does not read would keep the connection open."""
        transport = self.transport
        self.force_close()
        if transport is not None:
            transport.abort()

    def show_token(self) -> None:
        """Its client has shown a valid token."""
        self._admission.recognize(self)

    def admitted_caller(self) -> Caller | None:
        """Who makes the first request, if another program has let it in; None from the second request on."""
        caller, self._caller = self._caller, None
        return caller

    def pass_on(self) -> tuple[int, BegunCall] | None:
        """Give up the call that is being answered, if another program may answer it: its connection's descriptor.

        The connection closes here, which cancels the handler. A client that has sent another request behind this one
        keeps its connection: what was read of that would be lost.
        """
        transport, request = self.transport, self._current_request
        if transport is None or transport.is_closing() or request is None:
            return None
        if self._messages or self._behind or request.writer.output_size > 0:
            return None
        call = BegunCall.of(request, self._loop.time())
        if call is None:
            return None
        kept = os.dup(transport.get_extra_info("socket").fileno())
        self.drop()
        return kept, call

    def rest(self) -> bool:
        """Read no further request. Returns whether all that was read is answered, and the kernel has the answer."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return True
        request, waiter = self._current_request, self._waiter
        idle = waiter is not None and not waiter.done() and not self._messages and not self._begun
        if idle or (request is not None and not request.can_read_body):
            transport.pause_reading()
        return idle and transport.get_write_buffer_size() == 0

    def keep(self) -> int | None:
        """The connection's descriptor, for a program that takes over; it stays open when this one closes."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return None
        return os.dup(transport.get_extra_info("socket").fileno())

    def data_received(self, data: bytes) -> None:
        """Note whether a request has begun, and when the last one came."""
        waits = self._waiter is not None and not self._waiter.done()
        before, request = self._request_count, self._current_request
        # Nothing at all comes when aiohttp goes on reading.
        come_behind = bool(data) and request is not None and not request.can_read_body
        self._behind = request is not None and (self._behind or come_behind)
        super().data_received(data)
        if waits:
            self._begun = self._request_count == before
        if self._request_count != before:
            self._rested_s = self._loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection in, or refuse it: there is no room."""
        assert isinstance(transport, asyncio.Transport)
        is_local = transport.get_extra_info("socket").family == socket.AF_UNIX
        tcp_kind = ConnectionKind.KNOWN if self._known else ConnectionKind.STRANGER
        kind = ConnectionKind.LOCAL if is_local else tcp_kind
        if not self._admission.admit(self, kind):
            transport.write(_FULL)
            transport.close()
            return
        super().connection_made(transport)
        if kind is ConnectionKind.STRANGER:
            self._patience = self._loop.call_later(SHOW_TOKEN_S, self._lose_patience)
        if self._begun_call is not None:
            self.data_received(self._begun_call.request)
            self._begun_call = None

    def connection_lost(self, exc: BaseException | None) -> None:
        """Make room for another one."""
        self._admission.leave(self)
        if self._patience is not None:
            self._patience.cancel()
        super().connection_lost(exc)

    def _lose_patience(self) -> None:
        """Close it if for long it has shown no token, and sent no request."""
        if not self._admission.is_stranger(self):
            return
        rest_s = self._rested_s + SHOW_TOKEN_S - self._loop.time()
        if rest_s <= 0:
            self._admission.leave(self)
            self.drop()
        else:
            self._patience = self._loop.call_later(rest_s, self._lose_patience)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer in JSON; a response that has begun breaks off."""
        if request.writer.output_size > 0:
            if isinstance(exc, Exception) and not isinstance(exc, ConnectionError):
                _log.error("a response broke off", exc_info=exc)
            raise ConnectionError("the response has begun: nothing can be said any more")
        if status == _STATUS_OF_GARBAGE:
            # aiohttp's first line says it; what follows quotes the request.
            why = (message or "it is not HTTP").partition("\n")[0].partition(": b'")[0].rstrip(":")
            response = error_response(Code.INVALID_ARGUMENT, f"cannot read the request: {why}")
        else:
            known = self._program.connect_error(exc if isinstance(exc, Exception) else RuntimeError(message))
            response = error_response(known.code, known.message)
        response.force_close()
        return response
