"""HTTP: one request, and the head of its answer. Bodies are not read: a whole release would come."""

from __future__ import annotations

import email.utils
import io
import re
import time
from http.client import HTTPException, parse_headers

import anyio
from anyio.abc import ByteStream

from supervisor import __version__
from supervisor.doctor.network.dial import trouble_of
from supervisor.doctor.network.observation import Answer, Seen, Stopped, Trouble

_LONGEST_HEAD = 64 * 1024
_STATUS = re.compile(r"HTTP/1\.[01] ([1-5][0-9][0-9])(?: (.*))?")
_SHOWN = 60


async def ask(stream: ByteStream, method: str, target: str, host: str, seen: Seen, *headers: str) -> Answer:
    """The answer to a request. Raises Stopped; `seen.step` is the caller's.

    Args:
        stream: a connection that nothing was sent on.
        method: as GET.
        target: what follows the method: a path, a URL for a proxy, or host:port for CONNECT.
        host: the value of the Host header.
        seen: where trouble is noted.
        headers: more of them, as lines.
    """
    lines = (
        f"{method} {target} HTTP/1.1",
        f"Host: {host}",
        f"User-Agent: supervisor/{__version__}",
        *headers,
    )
    began_s = time.monotonic()
    try:
        await stream.send(("\r\n".join(lines) + "\r\n\r\n").encode("ascii"))
        head = await _head(stream)
    except (anyio.BrokenResourceError, anyio.EndOfStream) as error:
        cause = error.__cause__
        trouble = trouble_of(cause) if isinstance(cause, OSError) else Trouble.CLOSED
        seen.breaks(Trouble.CLOSED if trouble is Trouble.OTHER else trouble)
        raise Stopped from None
    answer = _parsed(head, time.monotonic() - began_s)
    if answer is None:
        seen.breaks(Trouble.NO_HTTP, shown(head))
        raise Stopped
    return answer


async def _head(stream: ByteStream) -> bytes:
    """All up to the empty line, or what came in its place."""
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0 and len(data) < _LONGEST_HEAD and _may_be_http(data):
        try:
            data += await stream.receive(_LONGEST_HEAD)
        except anyio.EndOfStream:
            if data:
                break
            raise
    return data if end < 0 else data[: end + 4]


def _may_be_http(data: bytes) -> bool:
    return data[:5] == b"HTTP/"[: len(data)]


def _parsed(head: bytes, took_s: float) -> Answer | None:
    status_line, ended, rest = head.partition(b"\r\n")
    found = _STATUS.fullmatch(status_line.decode("latin-1"))
    if found is None or not ended or not head.endswith(b"\r\n\r\n"):
        return None
    try:
        headers = parse_headers(io.BytesIO(rest))
    except (HTTPException, ValueError):
        return None
    location = shown(headers.get("Location", "").encode("latin-1", "replace"), 200)
    reason = shown((found[2] or "").strip().encode("latin-1"))
    return Answer(int(found[1]), reason, location, _seconds(headers.get("Date", "")), time.time(), took_s)


def _seconds(date: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def shown(data: bytes, longest: int = _SHOWN) -> str:
    """The beginning of what somebody sent, fit for a line on a terminal."""
    text = data[:longest].decode("ascii", "replace")
    return "".join(c if c.isprintable() else "?" for c in text)
