"""Errors as Connect writes them: a code, its HTTP status and a sentence, as JSON, never a stack trace.

A handler raises ConnectError, or an exception of its program's own, whose code `Program` knows. An error that nobody
expected reaches its client as an id, which the log explains.

Source: https://connectrpc.com/docs/protocol#error-codes.
"""

from __future__ import annotations

import enum
import json
import logging
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import web

_log = logging.getLogger(__name__)

Path = tuple[str | int, ...]
"""The way to a value in a request: names of fields, keys of maps, and indices (from 0) of lists."""

SHOWN_VIOLATIONS = 5
"""A message names so many violations; a request can have thousands."""
KEY_LIMIT = 128
"""A longer key of a map, or name of a field, is cut; those that clients mean are shorter."""
QUOTE_LIMIT = 80
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


class Code(enum.Enum):
    """What is wrong, in the words of Connect."""

    CANCELED = "canceled"
    UNKNOWN = "unknown"
    INVALID_ARGUMENT = "invalid_argument"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    NOT_FOUND = "not_found"
    ALREADY_EXISTS = "already_exists"
    PERMISSION_DENIED = "permission_denied"
    RESOURCE_EXHAUSTED = "resource_exhausted"
    FAILED_PRECONDITION = "failed_precondition"
    ABORTED = "aborted"
    OUT_OF_RANGE = "out_of_range"
    UNIMPLEMENTED = "unimplemented"
    INTERNAL = "internal"
    UNAVAILABLE = "unavailable"
    DATA_LOSS = "data_loss"
    UNAUTHENTICATED = "unauthenticated"


STATUS = {
    Code.CANCELED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}

_OF_HTTP = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    408: Code.DEADLINE_EXCEEDED,
    413: Code.RESOURCE_EXHAUSTED,
    429: Code.RESOURCE_EXHAUSTED,
    503: Code.UNAVAILABLE,
}


class ConnectError(Exception):
    """A call is refused, or has failed: its client gets the code and the message."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Violation:
    """One problem of a request: where it is, in the names that clients write (`metadata.triggeredBy[0]`), and what."""

    path: Path
    problem: str

    def __str__(self) -> str:
        path = tuple(
            part if isinstance(part, int) or len(part) <= KEY_LIMIT else f"{part[:KEY_LIMIT]}…"
            for part in self.path
        )
        return f"{path_text(path)} {self.problem}" if path else self.problem


class InvalidArgument(Exception):
    """A request cannot be read, or holds values that it may not: Connect's `invalid_argument`."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        named = "; ".join(map(str, violations[:SHOWN_VIOLATIONS]))
        rest = len(violations) - SHOWN_VIOLATIONS
        super().__init__(f"cannot accept the request: {named}{f'; and {rest} more' if rest > 0 else ''}")
        self.violations = violations


def path_text(path: Path) -> str:
    """The path as people read it. A key that is not one plain word stands in brackets: `services["my web"].name`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{quoted(part)}]"
    return text


def quoted(text: str) -> str:
    """A request's text as part of a message: on one line, short, and unable to steer a terminal."""
    shown = text if len(text) <= QUOTE_LIMIT else f"{text[: QUOTE_LIMIT - 1]}…"
    return '"' + "".join(_visible(character) for character in shown) + '"'


def _visible(character: str) -> str:
    if character == '"':
        return '\\"'
    return character if character.isprintable() else ascii(character)[1:-1]


@dataclass(frozen=True, slots=True)
class Program:
    """The program that serves: its name in messages, and what its own exceptions mean to clients."""

    name: str = "server"
    error_codes: Mapping[type[Exception], Code] = field(default_factory=dict)
    """The codes of its exceptions, whose texts clients may read. The first class that fits counts."""
    passing_errnos: Collection[int] = ()
    """Numbers of OSError that say that the machine is short of something, and that a later call may succeed."""

    def connect_error(self, error: Exception) -> ConnectError:
        """The error that a client gets. Logs one that nobody expected."""
        if isinstance(error, ConnectError):
            return error
        if isinstance(error, InvalidArgument):
            return ConnectError(Code.INVALID_ARGUMENT, str(error))
        for kind, code in self.error_codes.items():
            if isinstance(error, kind):
                return ConnectError(code, str(error))
        if isinstance(error, OSError) and error.errno in self.passing_errnos:
            return ConnectError(
                Code.RESOURCE_EXHAUSTED, f"the machine is short of something, try again: {error.strerror}"
            )
        mark = secrets.token_hex(4)
        _log.error("request %s failed", mark, exc_info=error)
        return ConnectError(
            Code.INTERNAL, f"an error inside the {self.name}; its log has it as request {mark}"
        )


def error_body(code: Code, message: str) -> bytes:
    """An error's JSON. Half of a surrogate pair, which a message may quote from a request, becomes a question mark."""
    return json.dumps({"code": code.value, "message": message}, ensure_ascii=False).encode("utf-8", "replace")


def error_response(
    code: Code, message: str, status: int | None = None, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A refusal. `status`: where HTTP itself has a more exact one than the code's."""
    from aiohttp import web  # a program that only reads and makes messages does without

    return web.Response(
        body=error_body(code, message),
        status=status or STATUS[code],
        headers=headers,
        content_type="application/json",
    )


def http_error_response(error: web.HTTPException, path: str) -> web.Response:
    """The refusal for an error that aiohttp, or a handler of plain HTTP, raised."""
    code = _OF_HTTP.get(error.status, Code.INVALID_ARGUMENT if error.status < 500 else Code.INTERNAL)
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
    message = error.text or ""
    if not message or message == f"{error.status}: {error.reason}":  # aiohttp's own
        message = f"nothing is served at {path[:200]}" if error.status == 404 else error.reason.lower()
    return error_response(code, message, error.status, headers)
