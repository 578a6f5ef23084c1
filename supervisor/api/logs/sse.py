"""Server-sent events: text with cursors, so that a browser's EventSource resumes by itself.

The `data` of all events, one after the other without anything between, is the text of the log. CR cannot be sent: it
ends a line there, as CRLF does, and so becomes a newline. Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import codecs

CONTENT_TYPE = "text/event-stream"
HELLO = b"retry: 1000\n\n"
KEEP_ALIVE = b":\n\n"
"""A comment. Proxies close what is silent, and a client that is gone is found out."""


def event(data: bytes, cursor: str) -> bytes:
    """An event with a piece of text. What is not UTF-8 is replaced; cut where `whole` says."""
    if not data:  # moves the cursor, and nobody is told
        return f"id: {cursor}\n\n".encode()
    text = data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    return f"id: {cursor}\ndata: {text.replace(chr(10), chr(10) + 'data: ')}\n\n".encode()


def end(cursor: str | None) -> bytes:
    """The event after which nothing comes, with the cursor to which the answer is 204: no need to reconnect."""
    return b"event: end\ndata:\n" + (f"id: {cursor}\n\n".encode() if cursor else b"\n")


def whole(data: bytes) -> int:
    """How many bytes can be made text by themselves: not the beginning of a character, nor a CR that LF may follow."""
    _, length = codecs.utf_8_decode(data, "replace", False)
    return length - data.endswith(b"\r", 0, length)
