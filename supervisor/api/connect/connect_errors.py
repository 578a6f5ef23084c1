"""Errors as Connect writes them: a code, its HTTP status and a sentence, as JSON, never a stack trace.

What a handler raises becomes a code here. An error that nobody foresaw is told to its client as an id, which the log
explains.

Source: https://connectrpc.com/docs/protocol#error-codes, and the contract's table of codes.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Mapping

from aiohttp import web
from connectrpc.code import Code
from connectrpc.errors import ConnectError

from supervisor.api.connect.request_errors import InvalidArgument
from supervisor.host.proc.errnos import PASSING
from supervisor.model.errors import AlreadyExists, InvalidActivity, NotFound, Precondition

_log = logging.getLogger(__name__)

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


def error_body(code: Code, message: str) -> bytes:
    """An error's JSON. Half of a surrogate pair, which a message may quote from a request, becomes a question mark."""
    return json.dumps({"code": code.value, "message": message}, ensure_ascii=False).encode("utf-8", "replace")


def error_response(
    code: Code, message: str, status: int | None = None, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A refusal. `status`: where HTTP itself knows a better one than the code's."""
    return web.Response(
        body=error_body(code, message),
        status=status or STATUS[code],
        headers=headers,
        content_type="application/json",
    )


def http_error_response(error: web.HTTPException, path: str) -> web.Response:
    """What aiohttp, or a handler of plain HTTP, refused."""
    code = _OF_HTTP.get(error.status, Code.INVALID_ARGUMENT if error.status < 500 else Code.INTERNAL)
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
    message = error.text or ""
    if not message or message == f"{error.status}: {error.reason}":  # aiohttp's own
        message = f"nothing is served at {path[:200]}" if error.status == 404 else error.reason.lower()
    return error_response(code, message, error.status, headers)


def as_connect_error(error: Exception) -> ConnectError:
    """The error that a client is told. Logs what nobody foresaw."""
    match error:
        case ConnectError():
            return error
        case InvalidArgument() | InvalidActivity():
            return ConnectError(Code.INVALID_ARGUMENT, str(error))
        case NotFound():
            return ConnectError(Code.NOT_FOUND, str(error))
        case AlreadyExists():
            return ConnectError(Code.ALREADY_EXISTS, str(error))
        case Precondition():
            return ConnectError(Code.FAILED_PRECONDITION, str(error))
        case OSError(errno=number) if number in PASSING:
            return ConnectError(
                Code.RESOURCE_EXHAUSTED, f"the machine is short of something, try again: {error.strerror}"
            )
        case _:
            mark = secrets.token_hex(4)
            _log.error("request %s failed", mark, exc_info=error)
            return ConnectError(
                Code.INTERNAL, f"an error inside the supervisor; its log has it as request {mark}"
            )
