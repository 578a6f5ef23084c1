"""The other side: generated Connect clients over aiohttp, on TCP or on a Unix socket.

The clients' own transport has threads of its own, which may abort an interpreter that ends, and knows no Unix sockets.
This one lives in the event loop:

    async with AiohttpTransport() as transport:
        client = IdentityServiceClient("http://127.0.0.1:8080", http_client=Client(transport))
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import aiohttp
from pyqwest import Headers, Request, Response


class AiohttpTransport:
    """Sends the requests of clients. Redirects are not followed: a token is for one place."""

    def __init__(self, socket_path: str = "") -> None:
        """`socket_path`: of a Unix socket, whatever host a client's address names; empty: TCP."""
        self._socket_path = socket_path
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.UnixConnector(self._socket_path) if self._socket_path else None
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def execute(self, request: Request) -> Response:
        """Send a request. Raises OSError and aiohttp.ClientError, of which a client makes a ConnectError."""
        if self._session is None:
            raise RuntimeError("the transport is used outside of its `async with`")
        response = await self._session.request(
            request.method,
            request.url,
            headers=list(request.headers.items()),
            data=request.content,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None),  # the client has a deadline for the whole call
        )
        headers = Headers(response.headers.items())
        return Response(status=response.status, headers=headers, content=_body(response))


async def _body(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for piece in response.content.iter_any():
            yield piece
    finally:
        response.close()
