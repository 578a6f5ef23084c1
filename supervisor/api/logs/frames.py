"""Frames: pieces of a log as they are sent, each with the cursor that goes on after it, in one of three encodings.

Server-sent events are text with cursors, so that a browser's EventSource resumes by itself. The `data` of all events,
one after the other without anything between, is the text of the log. CR cannot be sent: it ends a line there, as CRLF
does, and so becomes a newline. Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import codecs
import enum
from typing import assert_never

EVENT_STREAM = "text/event-stream"
HELLO = b"retry: 1000\n\n"
KEEP_ALIVE = b":\n\n"
"""A comment. Proxies close a silent connection, and a send finds out that a client is gone."""


class Encoding(enum.Enum):
    """How frames are sent. The value is the media type."""

    TEXT = "text/plain"
    EVENTS = EVENT_STREAM
    PARTS = "application/vnd.supervisor.log-parts"
    """Each frame's bytes, after a line with its cursor and its length: for clients that resume to the byte."""


class Frame:
    """Bytes to send, and the cursor that goes on after them. All readers share what it makes of itself.

    `time`: of the first byte, for events; empty: none is said.
    """

    __slots__ = ("_event", "_http_chunks", "cursor", "data", "time")

    def __init__(self, data: bytes, cursor: str, time: str = "") -> None:
        self.data = data
        self.cursor = cursor
        self.time = time
        self._event: bytes | None = None
        self._http_chunks: dict[Encoding, bytes] = {}

    @property
    def event(self) -> bytes:
        """The frame as a server-sent event; made once."""
        if self._event is None:
            self._event = event(self.data, self.cursor, self.time)
        return self._event

    def encoded(self, encoding: Encoding) -> bytes:
        """The frame as it is sent."""
        match encoding:
            case Encoding.TEXT:
                return self.data
            case Encoding.EVENTS:
                return self.event
            case Encoding.PARTS:
                return b"%b %d\n%b" % (self.cursor.encode(), len(self.data), self.data)
            case _:
                assert_never(encoding)

    def http_chunk(self, encoding: Encoding) -> bytes:
        """The frame as a chunk of HTTP's chunked encoding; made once."""
        chunk = self._http_chunks.get(encoding)
        if chunk is None:
            body = self.encoded(encoding)
            chunk = self._http_chunks[encoding] = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        return chunk


def event(data: bytes, cursor: str, time: str = "") -> bytes:
    """An event with a piece of text, which ends where `whole` says. Bytes that are not UTF-8 are replaced.

    Browsers pass over the field `time`.
    """
    if not data:  # moves the cursor, and the page gets no event
        return f"id: {cursor}\n\n".encode()
    text = data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    said = f"time: {time}\n" if time else ""
    return f"id: {cursor}\n{said}data: {text.replace(chr(10), chr(10) + 'data: ')}\n\n".encode()


def end(cursor: str | None) -> bytes:
    """The last event, with the cursor to which the answer is 204: no need to reconnect."""
    return b"event: end\ndata:\n" + (f"id: {cursor}\n\n".encode() if cursor else b"\n")


def whole(data: bytes) -> int:
    """How many bytes can become text by themselves: not the beginning of a character, nor a CR that LF may follow."""
    _, length = codecs.utf_8_decode(data, "replace", False)
    return length - data.endswith(b"\r", 0, length)
