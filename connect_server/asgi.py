"""ASGI applications behind aiohttp: one request is one call of the application.

The request's body is read before the application runs: that bounds its size and time in one place, and leaves reading
the connection to aiohttp, which cancels the request's task when the client goes away. So a `receive` after the body
waits for ever: the cancellation ends it.

A response in one piece is sent with its length; the pieces of any other are sent as they come.
Source: https://asgi.readthedocs.io/en/latest/specs/www.html.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from aiohttp import web
from connectrpc.code import Code
from connectrpc.errors import ConnectError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

BODY_LIMIT_BYTES = 4 * 1024 * 1024
BODY_TIMEOUT_S = 30.0
_WORTH_COMPRESSING = 1024


async def read_body(request: web.Request, limit_bytes: int, timeout_s: float) -> bytes:
    """The whole body, as it was sent. Raises ConnectError if it is too large, too slow or broken."""
    if (request.content_length or 0) > limit_bytes:
        raise _too_large(limit_bytes)
    pieces, size = [], 0
    try:
        async with asyncio.timeout(timeout_s):
            while piece := await request.content.readany():
                pieces.append(piece)
                size += len(piece)
                if size > limit_bytes:
                    raise _too_large(limit_bytes)
    except TimeoutError:
        raise ConnectError(
            Code.DEADLINE_EXCEEDED, f"the body did not arrive within {timeout_s:g} seconds"
        ) from None
    except web.RequestPayloadError as error:
        raise ConnectError(Code.INVALID_ARGUMENT, f"cannot read the body: {error}") from error
    return b"".join(pieces)


async def call(application: Application, request: web.Request, path: str, body: bytes) -> web.StreamResponse:
    """Have an application answer a request as if its path were `path`."""
    exchange = _Exchange(request, body)
    await application(_scope(request, path), exchange.receive, exchange.send)
    if exchange.response is None:
        raise RuntimeError(f"the application ended without an answer to {path}")
    return exchange.response


class _Exchange:
    """One request's way through an application."""

    __slots__ = ("_body", "_head", "_request", "response")

    def __init__(self, request: web.Request, body: bytes) -> None:
        self._request = request
        self._body: bytes | None = body
        self._head: tuple[int, list[tuple[str, str]]] = (500, [])
        self.response: web.StreamResponse | None = None

    async def receive(self) -> Message:
        if self._body is None:
            await asyncio.get_running_loop().create_future()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [(name.decode(), value.decode()) for name, value in message["headers"]]
            self._head = (message["status"], headers)
        elif self.response is None and not message.get("more_body", False):
            self.response = self._whole(message.get("body", b""))
        else:
            await self._piece(message.get("body", b""), message.get("more_body", False))

    def _whole(self, body: bytes) -> web.Response:
        status, headers = self._head
        response = web.Response(body=body, status=status, headers=headers)
        if len(body) >= _WORTH_COMPRESSING and _takes_gzip(self._request):
            response.enable_compression(web.ContentCoding.gzip)
        return response

    async def _piece(self, body: bytes, more: bool) -> None:
        if self.response is None:
            status, headers = self._head
            self.response = web.StreamResponse(status=status, headers=headers)
            await self.response.prepare(self._request)
        if body:
            await self.response.write(body)
        if not more:
            await self.response.write_eof()


def _scope(request: web.Request, path: str) -> Message:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": f"{request.version.major}.{request.version.minor}",
        "method": request.method,
        "scheme": request.scheme,
        "path": path,
        "raw_path": request.raw_path.encode("ascii", "replace"),
        "query_string": request.rel_url.raw_query_string.encode(),
        "root_path": "",
        "headers": _headers(request),
        "client": None,
        "server": None,
    }


def _headers(request: web.Request) -> list[tuple[bytes, bytes]]:
    """The headers as sent, without those that are dealt with here: the token, and compression."""
    return [
        (name.lower(), value if value.isascii() else value.decode("utf-8", "replace").encode())
        for name, value in request.raw_headers
        if name.lower() not in _OURS and name.isascii()
    ]


_OURS = {b"authorization", b"cookie", b"accept-encoding", b"connect-accept-encoding"}


def _takes_gzip(request: web.Request) -> bool:
    offers = request.headers.get("Accept-Encoding", "").replace(" ", "").lower().split(",")
    return "gzip" in offers or any(
        offer.startswith("gzip;") and not offer.endswith(("=0", "=0.0")) for offer in offers
    )


def _too_large(limit_bytes: int) -> ConnectError:
    return ConnectError(Code.RESOURCE_EXHAUSTED, f"the body is larger than {limit_bytes} bytes")
