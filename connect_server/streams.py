"""Server streams of Connect, in two forms.

- application/connect+json and application/connect+proto: one envelope comes, envelopes go. The last one is the end,
  with an error or without.
- application/json with `Accept: application/jsonl`, or application/jsonl: one JSON object comes, one a line goes (older
  public SDKs). An error before the first message is an ordinary one, with its status; a later one is a last line
  {"error": {"code", "message"}}.

The response's head goes out once the handler has subscribed to what it will stream. A client that watches first and
acts then, as the public SDKs do, waits for the head before it does what causes the first message. A handler that is an
async generator has subscribed when it waits for the first time. One that needs longer is a coroutine, and returns its
messages when it has.

Source of the envelopes: https://connectrpc.com/docs/protocol#streaming-request.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from inspect import isawaitable
from typing import Any, Protocol

from aiohttp import web

from connect_server.body import unpacked
from connect_server.calls import Call, Surroundings, check_version, compressed, deadline
from connect_server.connect_errors import Code, ConnectError, error_body, error_response

JSON_LINES = "application/jsonl"
_ENVELOPE = struct.Struct(">BI")  # flags, length
_COMPRESSED, _END = 0b01, 0b10
_BLOCK = 64
"""Lines are padded to a multiple of this. gitpod-sdk 0.11 reads blocks of so many bytes, and would see the end of a
line, and so the event, only when the next one comes: its `run_service` would wait for the last one for ever."""
_NO_MORE = object()


class StreamMethod(Protocol):
    """A `calls.Method`, or one that is like it."""

    @property
    def function(self) -> Callable[[Any, Call], Any]:
        """The handler."""

    def message(self, data: bytes, call: Call, around: Surroundings) -> Any:
        """What the handler gets for a request. Raises ConnectError and InvalidArgument."""


class Envelopes:
    """A response as Connect has it."""

    def __init__(self, request: web.Request, call: Call) -> None:
        self._request = request
        self._response = web.StreamResponse(
            headers={"Content-Type": f"application/connect+{call.codec.name}"}
        )

    @staticmethod
    def content(request: web.Request, body: bytes) -> bytes:
        """The message in a body. Raises ConnectError."""
        if len(body) < _ENVELOPE.size:
            raise ConnectError(Code.INVALID_ARGUMENT, f"the body of {len(body)} bytes is not an envelope")
        flags, length = _ENVELOPE.unpack_from(body)
        content = body[_ENVELOPE.size :]
        if flags & ~_COMPRESSED or len(content) != length:
            why = f"the body is not one envelope: flags {flags}, {length} bytes, of which {len(content)} came"
            raise ConnectError(Code.INVALID_ARGUMENT, why)
        encoding = request.headers.get("Connect-Content-Encoding", "").strip().lower()
        if not flags & _COMPRESSED:
            return content
        if encoding in ("", "identity"):
            why = "the envelope is compressed, and no header Connect-Content-Encoding says how"
            raise ConnectError(Code.INVALID_ARGUMENT, why)
        return unpacked(content, encoding)

    async def begin(self) -> None:
        """Send the head, once."""
        if not self._response.prepared:
            await self._response.prepare(self._request)

    async def send(self, data: bytes) -> None:
        """Send a message."""
        await self._response.write(_ENVELOPE.pack(0, len(data)) + data)

    async def end(self, error: ConnectError | None) -> web.StreamResponse:
        """Send the end."""
        await self.begin()
        data = _end(error)
        await self._response.write(_ENVELOPE.pack(_END, len(data)) + data)
        await self._response.write_eof()
        return self._response


class Lines:
    """A response of JSON objects, one a line."""

    def __init__(self, request: web.Request, call: Call) -> None:
        self._request = request
        self._response = web.StreamResponse(headers={"Content-Type": JSON_LINES})

    @staticmethod
    def content(request: web.Request, body: bytes) -> bytes:
        """The message in a body. Raises ConnectError."""
        return unpacked(body, request.headers.get("Content-Encoding", "").strip().lower())

    async def begin(self) -> None:
        """Send the head, once."""
        if not self._response.prepared:
            await self._response.prepare(self._request)

    async def send(self, data: bytes) -> None:
        """Send a message."""
        await self._response.write(_line(data))

    async def end(self, error: ConnectError | None) -> web.StreamResponse:
        """Send the end; or, in place of a stream that has not begun, the error."""
        if error is not None and not self._response.prepared:
            return compressed(self._request, error_response(error.code, error.message))
        await self.begin()
        if error is not None:
            await self.send(_end(error))
        await self._response.write_eof()
        return self._response


async def answer(
    method: StreamMethod,
    call: Call,
    around: Surroundings,
    request: web.Request,
    body: bytes,
    form: type[Envelopes] | type[Lines],
) -> web.StreamResponse:
    """Have a method answer a request by a stream."""
    response = form(request, call)
    try:
        with around.errors(around.stopping):
            check_version(request)
            async with deadline(request):
                message = method.message(form.content(request, body), call, around)
                messages = method.function(message, call)
                subscribes = isawaitable(messages)
                if subscribes:
                    messages = await messages
                await _send_all(messages, response, call.codec.encode, subscribes)
    except ConnectError as error:
        return await response.end(error)
    return await response.end(None)


async def _send_all(
    messages: AsyncIterator[Any],
    response: Envelopes | Lines,
    encode: Callable[[Any], bytes],
    subscribed: bool,
) -> None:
    # In a task, which shows when the handler has come to its first wait: then the head goes out. Until then nothing can
    # fail, so a generator has begun, and its end cleans up.
    first = asyncio.create_task(_next(messages))
    try:
        await asyncio.sleep(0)
        if subscribed or not first.done():
            await response.begin()
        message = await first
        await response.begin()
        while message is not _NO_MORE:
            await response.send(encode(message))
            message = await anext(messages, _NO_MORE)
    finally:
        if not first.done():  # a generator that runs cannot be closed
            first.cancel()
            await asyncio.wait([first])
        # One that is left in the middle is closed by nobody else.
        close = getattr(messages, "aclose", None)
        if close is not None:
            await close()


async def _next(messages: AsyncIterator[Any]) -> Any:
    return await anext(messages, _NO_MORE)


def _end(error: ConnectError | None) -> bytes:
    """The JSON of a stream's end."""
    return b'{"error": %b}' % error_body(error.code, error.message) if error else b"{}"


def _line(content: bytes) -> bytes:
    """A line, padded to whole blocks; JSON allows blanks at its end."""
    return content + b" " * (-(len(content) + 1) % _BLOCK) + b"\n"
