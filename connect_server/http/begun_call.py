"""A call that one program has accepted and another one answers: what passes between them beside the connection.

A handler that waits for long says which message another program may answer in its place (`Call.may_pass_on`), once its
call has its effect. A server that gives up its connections then makes a `BegunCall` of each such call. The next server
takes the connection, reads the request from the `BegunCall` as if it had come just now, and lets its caller in without
looking at its token: that may have run out since, and a token that runs out ends no call.

Two things of the request differ. The message is the handler's, and the deadline what is left of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from aiohttp import web

_OWN_HEADERS = frozenset(
    {b"content-length", b"transfer-encoding", b"content-encoding", b"expect", b"connect-timeout-ms"}
)
"""They speak of the body and the deadline as they were."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request."""

    subject: str
    """What it speaks for, by id."""
    scope: str
    """What it may do."""
    owns_process: bool = False
    """Whether it may have the program execute another one, as its policy says. A token never lets it."""
    host: str = ""
    """The `Host` by which it reached the server over TCP, as checked: `localhost:8080`; empty: it came another way."""


CALLER = web.RequestKey("caller", Caller)
"""Who makes the request, once that is known."""
BODY: web.RequestKey[partial[bytes]] = web.RequestKey("body", partial)
"""Gives the body that another program may answer instead; missing: none may."""
ENDS_AT_S = web.RequestKey("ends_at", float)
"""When the call's deadline passes, on the event loop's clock; missing: never."""


@dataclass(frozen=True, slots=True)
class BegunCall:
    """A call to go on with."""

    caller: Caller
    request: bytes
    """All of it, as it comes over a connection."""

    @classmethod
    def of(cls, request: web.BaseRequest, now_s: float) -> BegunCall | None:
        """The call that a request is; None: no other program may answer it. `now_s`: on the event loop's clock."""
        if BODY not in request or CALLER not in request:
            return None
        body = request[BODY]()
        head = b"\r\n".join(_head(request, len(body), now_s))
        return cls(request[CALLER], head + b"\r\n\r\n" + body)

    def encoded(self) -> bytes:
        """As it passes to a program of another version: what is added to the first line is ignored there."""
        caller = self.caller
        known = {
            "subject": caller.subject,
            "scope": caller.scope,
            "ownsProcess": caller.owns_process,
            "host": caller.host,
        }
        return json.dumps(known).encode() + b"\n" + self.request

    @classmethod
    def decoded(cls, data: bytes) -> BegunCall:
        """The inverse of `encoded`."""
        line, _, request = data.partition(b"\n")
        known = json.loads(line)
        caller = Caller(known["subject"], known["scope"], known["ownsProcess"], known.get("host", ""))
        return cls(caller, request)


def _head(request: web.BaseRequest, length: int, now_s: float) -> Iterator[bytes]:
    version = request.version
    yield f"{request.method} {request.raw_path} HTTP/{version.major}.{version.minor}".encode()
    for name, value in request.raw_headers:
        if name.lower() not in _OWN_HEADERS:
            yield name + b": " + value
    yield b"Content-Length: %d" % length
    if ENDS_AT_S in request:
        yield b"Connect-Timeout-Ms: %d" % max(0.0, (request[ENDS_AT_S] - now_s) * 1000)
