"""One client's connection, as aiohttp handles it, with three habits changed.

What is no HTTP is answered in JSON, and not logged: anybody may send garbage. A response that broke off because its
client left is no error. And when there are as many connections as there is room for, one more is told so and closed:
without a descriptor left the supervisor could start no command.
"""

from __future__ import annotations

import asyncio
import logging
import os
from http import HTTPStatus
from typing import Any

from aiohttp import web
from connectrpc.code import Code

from supervisor.api.connect_errors import as_connect_error, error_body, error_response

_log = logging.getLogger(__name__)

_FULL_BODY = error_body(Code.UNAVAILABLE, "too many connections: try again later")
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_FULL_BODY), _FULL_BODY)
)
_STATUS_OF_GARBAGE = HTTPStatus.BAD_REQUEST


class Room:
    """How many connections there may be, and are."""

    __slots__ = ("limit", "taken")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0


class Connection(web.RequestHandler):
    """A connection that counts, and that speaks JSON when it fails."""

    __slots__ = ("_begun", "_counted", "_room")

    def __init__(self, server: web.Server, room: Room, **options: Any) -> None:
        """`options`: those of aiohttp's RequestHandler."""
        super().__init__(server, **options)
        self._room = room
        self._counted = False
        self._begun = False
        """Whether a part of a request has come, and not yet its whole head."""

    def rest(self) -> bool:
        """Read no further request. Returns whether all that was read is answered, and the answer is with the kernel."""
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
        waits = self._waiter is not None and not self._waiter.done()
        before = self._request_count
        super().data_received(data)
        if waits:
            self._begun = self._request_count == before

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._room.taken >= self._room.limit:
            assert isinstance(transport, asyncio.Transport)
            transport.write(_FULL)
            transport.close()
            return
        self._room.taken += 1
        self._counted = True
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._counted:
            self._room.taken -= 1
            self._counted = False
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            if isinstance(exc, Exception) and not isinstance(exc, ConnectionError):
                _log.error("a response broke off", exc_info=exc)
            raise ConnectionError("the response has begun: nothing can be said any more")
        if status == _STATUS_OF_GARBAGE:
            # aiohttp's first line says it; what follows quotes the request.
            why = (message or "it is no HTTP").partition("\n")[0].partition(": b'")[0].rstrip(":")
            response = error_response(Code.INVALID_ARGUMENT, f"cannot read the request: {why}")
        else:
            known = as_connect_error(exc if isinstance(exc, Exception) else RuntimeError(message))
            response = error_response(known.code, known.message)
        response.force_close()
        return response
