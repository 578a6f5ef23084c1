"""Reads the running supervisor's answers: JSON objects, refusals, and streams of events and of log parts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any

from supervisor.model.errors import SupervisorError

READ_BYTES = 64 * 1024

Json = dict[str, Any]


class RequestRefused(SupervisorError):
    """The supervisor refuses a request, and the text is its reason. `code`: one of Connect's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ConnectionLost(SupervisorError):
    """The supervisor ended, or closed the connection, in the middle of an answer. It may only be upgraded."""

    def __init__(self, message: str = "the supervisor went away") -> None:
        super().__init__(message)


def send(
    http: HTTPConnection, method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> HTTPResponse:
    """Send a request and read the head of the answer. Raises ConnectionLost, OSError."""
    try:
        http.request(method, path, body, headers)
        return http.getresponse()
    except (HTTPException, BrokenPipeError, ConnectionResetError):
        raise ConnectionLost from None


class LogParts:
    """Takes apart a log that comes in parts."""

    def __init__(self) -> None:
        self._received = bytearray()

    def feed(self, piece: bytes) -> Iterator[tuple[str, bytes]]:
        """The parts that a piece of the stream completes, each with the cursor of the next one."""
        # Not by readline(), which cannot tell a stream that broke off from one that has ended.
        received = self._received
        received += piece
        while (end := received.find(b"\n")) >= 0:
            cursor, _, length = received[:end].decode("utf-8", "replace").partition(" ")
            if not (length.isascii() and length.isdigit() and len(length) <= 18):
                raise not_a_supervisor()
            after = end + 1 + int(length)
            if len(received) < after:
                break
            data = bytes(received[end + 1 : after])
            del received[:after]
            yield cursor, data


def read_parts(response: HTTPResponse) -> Iterator[tuple[str, bytes]]:
    """The parts of a log, each with the cursor of the next one."""
    parts = LogParts()
    for piece in read_pieces(response):
        yield from parts.feed(piece)


def read_all(response: HTTPResponse) -> bytes:
    """The whole body."""
    return b"".join(read_pieces(response))


def read_pieces(response: HTTPResponse) -> Iterator[bytes]:
    """The body, piece by piece as it arrives."""
    while True:
        try:
            piece = response.read1(READ_BYTES)
        except (HTTPException, ConnectionResetError):
            raise ConnectionLost from None
        if not piece:
            return
        yield piece


def read_events(response: HTTPResponse) -> Iterator[Json]:
    """The events of a stream. It ends only with ConnectionLost, since there is no last event."""
    while True:
        try:
            line = response.readline()
        except (HTTPException, ConnectionResetError):
            raise ConnectionLost from None
        if not line:
            raise ConnectionLost
        yield event_of(line)


def event_of(line: bytes) -> Json:
    """The event in a line of a stream. Raises ConnectionLost, RequestRefused: the stream ends with an error."""
    event = json_object(line)
    if "error" in event:
        raise _stream_error(event["error"])
    result: Json = event.get("result", event)
    return result


def _stream_error(error: Json) -> SupervisorError:
    code, message = error.get("code", "unknown"), error.get("message", "the stream broke off")
    return ConnectionLost(message) if code == "unavailable" else RequestRefused(code, message)


def json_object(data: bytes) -> Json:
    """A JSON object. Raises SupervisorError for anything else: then the server is not a supervisor."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise not_a_supervisor()
    return value


def not_a_supervisor() -> SupervisorError:
    """The error for an answer that no supervisor gives."""
    return SupervisorError(
        "cannot understand the answer: what listens on the socket is not a supervisor of this kind"
    )


def refusal(body: bytes, status: int) -> RequestRefused:
    """The error in the body of an answer with an error status."""
    try:
        error = json.loads(body)
        return RequestRefused(str(error["code"]), str(error["message"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return RequestRefused("unknown", f"the supervisor answered with HTTP status {status}")
