"""HTTP: one request, and the head of its answer. The body is not read: it may be a whole release."""

from __future__ import annotations

import email.utils
import io
import re
import time
from http.client import HTTPException, parse_headers

import anyio
from anyio.abc import ByteStream

from supervisor import __version__
from supervisor.doctor.network.observation import Answer, AttemptFailed, Cause, Observation
from supervisor.doctor.network.transport import cause_of_loss

_LONGEST_HEAD = 64 * 1024
_STATUS = re.compile(r"HTTP/1\.[01] ([1-5][0-9][0-9])(?: (.*))?")
_SHOWN = 60


async def ask(
    stream: ByteStream, method: str, target: str, host: str, seen: Observation, *headers: str
) -> Answer:
    """The answer to a request. Raises AttemptFailed. The caller has set `seen.step`.

    Args:
        stream: a connection that is not used yet.
        method: for example GET.
        target: a path, a URL for a proxy, or host:port for CONNECT.
        host: the value of the Host header.
        seen: where a failure is recorded.
        headers: more header lines.
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
        seen.fail(cause_of_loss(error))
        raise AttemptFailed from None
    answer = _parsed(head, time.monotonic() - began_s)
    if answer is None:
        seen.fail(Cause.NO_HTTP, shown(head))
        raise AttemptFailed
    return answer


async def _head(stream: ByteStream) -> bytes:
    """The bytes up to the empty line, or what came instead of a head."""
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
    """The beginning of received bytes, safe to print on a line of a terminal."""
    text = data[:longest].decode("ascii", "replace")
    return "".join(c if c.isprintable() else "?" for c in text)
