"""Server streams of Connect for clients that wait: ASGI applications around another one.

- The response's head goes out as soon as the handler has begun. connectrpc holds it back until the first message. A
  client that watches first and acts then, as the public SDKs do, would wait for ever: it waits for the head before it
  does what causes the first message.
- With `Accept: application/jsonl` the same stream is one JSON object a line (older public SDKs). The request's plain
  body goes in as an envelope, the envelopes that come out are unwrapped. An error before the first message is an
  ordinary one, with its status; a later one is a last line {"error": {"code", "message"}}.

Source of the envelopes: https://connectrpc.com/docs/protocol#streaming-request.
"""

from __future__ import annotations

import asyncio
import json
import struct

from connectrpc.code import Code

from connect_server.asgi import Application, Message, Receive, Send
from connect_server.connect_errors import STATUS
from connect_server.interceptor import BEGUN

JSON_LINES = "application/jsonl"
_ENVELOPE = struct.Struct(">BI")  # flags, length
_COMPRESSED, _END = 0b01, 0b10
_BLOCK = 64
"""Lines are padded to a multiple of this. gitpod-sdk 0.11 reads blocks of so many bytes, and would see the end of a
line, and so the event, only when the next one comes: its `run_service` would wait for the last one for ever."""


def early(application: Application, content_type: str) -> Application:
    """The application, with the heads of its responses sent as soon as its handler has begun."""

    async def streaming(scope: Message, receive: Receive, send: Send) -> None:
        begun, body_taken, started = asyncio.Event(), False, False
        BEGUN.set(begun)

        async def receive_or_begin() -> Message:
            nonlocal body_taken, started
            if body_taken:
                # connectrpc asks again beside the handler, to learn of the client's end.
                await begun.wait()
                if not started:
                    started = True
                    await send(_head(200, content_type))
                    await send({"type": "http.response.body", "body": b"", "more_body": True})
            body_taken = True
            return await receive()

        async def send_after_head(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                if started:
                    return
                started = True
            await send(message)

        await application(scope, receive_or_begin, send_after_head)

    return streaming


def json_lines(application: Application) -> Application:
    """The application, with plain JSON going in and lines coming out."""

    async def unwrapped(scope: Message, receive: Receive, send: Send) -> None:
        headers = [(name, value) for name, value in scope["headers"] if name not in _REPLACED]
        headers.append((b"content-type", b"application/connect+json"))
        lines = _Lines(send)

        async def receive_enveloped() -> Message:
            message = await receive()
            if message["type"] != "http.request":
                return message
            body = message["body"]
            return {**message, "body": _ENVELOPE.pack(0, len(body)) + body}

        await application({**scope, "headers": headers}, receive_enveloped, lines.send)

    return unwrapped


_REPLACED = {b"content-type", b"content-length", b"connect-content-encoding"}


class _Lines:
    """Takes a Connect stream apart and sends its messages as lines."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._status = 200
        self._begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
        elif self._status != 200:  # refused as a request, before there was a stream
            await self._send(_head(self._status, "application/json"))
            await self._send(message)
        else:
            await self._body(message)

    async def _body(self, message: Message) -> None:
        # connectrpc sends whole envelopes, and here never compressed ones: see `asgi._headers`.
        body, lines = message["body"], []
        if not body:
            await self._write(b"", more=True)
        while body:
            flags, length = _ENVELOPE.unpack_from(body)
            content, body = body[_ENVELOPE.size :][:length], body[_ENVELOPE.size + length :]
            if not flags & _END:
                lines.append(_line(content))
                continue
            error = json.loads(content).get("error")
            if error is not None and not self._begun and not lines:
                await self._refuse(error)
                return
            if error is not None:
                lines.append(_line(json.dumps({"error": error}, ensure_ascii=False).encode()))
        await self._write(b"".join(lines), message.get("more_body", False))

    async def _write(self, data: bytes, more: bool) -> None:
        if not self._begun:
            self._begun = True
            await self._send(_head(200, JSON_LINES))
            # Even a stream that ends at once is one.
            await self._send({"type": "http.response.body", "body": b"", "more_body": True})
        if data or not more:
            await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def _refuse(self, error: dict[str, str]) -> None:
        await self._send(_head(STATUS[Code(error["code"])], "application/json"))
        body = json.dumps(error, ensure_ascii=False).encode()
        await self._send({"type": "http.response.body", "body": body, "more_body": False})


def _line(content: bytes) -> bytes:
    """A line, padded to whole blocks; JSON allows blanks at its end."""
    return content + b" " * (-(len(content) + 1) % _BLOCK) + b"\n"


def _head(status: int, content_type: str) -> Message:
    return {
        "type": "http.response.start",
        "status": status,
        "headers": [(b"content-type", content_type.encode())],
    }
