"""Methods whose requests and answers are carried to another process, and back, as they are.

Nothing here reads a message, holds a whole one or waits for one side with the other's bytes in memory: a piece is taken
when the other side has room for it. A message of 128 MiB would stop the event loop for longer than others can wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web
from google.protobuf.descriptor import ServiceDescriptor

from connect_server.body import discard, pieces, unpacked_pieces
from connect_server.calls import Call, Surroundings, check_version, compressed, deadline
from connect_server.codecs import Encoded
from connect_server.connect_errors import Code, ConnectError, error_response

STALLED_S = 30.0
"""How long a client may take no byte of its answer. What waits for it takes up memory elsewhere."""
_SILENT = (Code.DEADLINE_EXCEEDED, Code.CANCELED)
"""Errors after which there is nothing to be read of a request that has not come to its end."""


class CarriedCall(Protocol):
    """One call at the other process. All of it may raise the program's exceptions and ConnectError."""

    async def send(self, piece: bytes) -> None:
        """Send a piece of the request, once there is room."""

    async def finish(self) -> None:
        """The request is whole."""

    async def answer(self) -> tuple[int, bytes]:
        """How many bytes the answer has, and the first of them."""

    async def more(self) -> bytes:
        """The next piece of the answer."""

    async def begun(self) -> bytes | None:
        """Wait until a stream's subscription stands. Returns a first message that came in place of that."""

    def messages(self, first: bytes | None) -> AsyncIterator[bytes]:
        """The messages of a stream. `first`: what `begun` has given."""


@dataclass(frozen=True, slots=True)
class CarriedMethod:
    """A method that is served elsewhere."""

    open: Callable[[str], AbstractAsyncContextManager[CarriedCall]]
    """Begins a call in a form (`proto`, `json`). Who leaves it before its end cancels the call."""
    limit_bytes: int
    """Of the request."""
    streams: bool = False


class Carrier(Protocol):
    """Serves methods of a service by carrying them elsewhere: a handler beside others."""

    DESCRIPTOR: ServiceDescriptor

    def carried(self, method: str, form: str) -> CarriedMethod | None:
        """The method of this name, as clients of a form have it; None: it is not served here."""


async def answer(
    method: CarriedMethod, call: Call, around: Surroundings, request: web.Request, still_s: float
) -> web.StreamResponse:
    """Have a method answer a request once. `still_s`: how long the request's body may stand still."""
    try:
        with around.errors():
            check_version(request)
            async with deadline(request), method.open(call.codec.name) as carried:
                await _carry_body(request, carried, method.limit_bytes, still_s)
                return await _carry_answer(request, carried, call.codec.name)
    except ConnectError as error:
        if request.writer.output_size > 0:
            raise ConnectionResetError(error.message) from error  # nothing can be said any more
        if error.code not in _SILENT:
            await discard(request, still_s)
        return compressed(request, error_response(error.code, error.message))


async def _carry_body(request: web.Request, carried: CarriedCall, limit_bytes: int, still_s: float) -> None:
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    body = pieces(request, limit_bytes, still_s)
    if encoding not in ("", "identity"):
        body = unpacked_pieces(body, encoding, limit_bytes)
    async for piece in body:
        await carried.send(piece)
    await carried.finish()


async def _carry_answer(request: web.Request, carried: CarriedCall, form: str) -> web.StreamResponse:
    size, piece = await carried.answer()
    head = {"Content-Type": f"application/{form}"}
    if len(piece) == size:
        return compressed(request, web.Response(body=piece, headers=head))
    response = web.StreamResponse(headers=head)
    response.content_length = size
    await response.prepare(request)
    left = size - len(piece)
    while True:
        try:
            async with asyncio.timeout(STALLED_S):
                await response.write(piece)
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("the client does not take its answer") from None
        if not left:
            break
        piece = await carried.more()
        left -= len(piece)
    await response.write_eof()
    return response


class CarriedStream:
    """A method that a stream answers, for `streams.answer`: a `calls.Method` that leaves messages as they are."""

    streams = True

    def __init__(self, method: CarriedMethod) -> None:
        self._method = method

    def message(self, data: bytes, call: Call, around: Surroundings) -> bytes:
        """The request."""
        return data

    async def function(self, data: bytes, call: Call) -> AsyncIterator[Encoded]:
        """Subscribe. Returns the messages."""
        async with AsyncExitStack() as stack:
            carried = await stack.enter_async_context(self._method.open(call.codec.name))
            await carried.send(data)
            await carried.finish()
            first = await carried.begun()
            return _Messages(carried.messages(first), stack.pop_all())


class _Messages:
    """The messages of a stream. Closing them ends the call, also before the first was asked for."""

    def __init__(self, messages: AsyncIterator[bytes], stack: AsyncExitStack) -> None:
        self._messages = messages
        self._stack = stack

    def __aiter__(self) -> _Messages:
        return self

    async def __anext__(self) -> Encoded:
        return Encoded(await anext(self._messages))

    async def aclose(self) -> None:
        """End the call."""
        close: Any = getattr(self._messages, "aclose", None)
        try:
            if close is not None:
                await close()
        finally:
            await self._stack.aclose()
