"""One call of a method: its head as Connect writes it, and the way of a request with one answer through its handler.

    head -> body, unpacked -> message -> rules -> handler -> answer

Whatever goes wrong on the way is a ConnectError in the end. `streams` has the calls that a stream answers.
Source: https://connectrpc.com/docs/protocol.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from aiohttp import web
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from connect_server.body import unpacked
from connect_server.codecs import BinaryCodec, JSONCodec
from connect_server.connect_errors import Code, ConnectError, Program, error_response, quoted
from connect_server.http.begun_call import BODY, ENDS_AT_S
from connect_server.large_body import LARGE_BYTES, LargeBody
from connect_server.validation import Validator

_LONGEST_TIMEOUT = 10
"""Digits of a deadline, in milliseconds."""
_WORTH_COMPRESSING = 1024


class Handler(Protocol):
    """What serves: a class derived from one of `platform_wire`, say. A method it leaves out is unimplemented."""

    DESCRIPTOR: ServiceDescriptor
    """The service, whose `GetThing` is the method `get_thing`."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler may want to know of its call beside the message."""

    codec: BinaryCodec | JSONCodec
    """The form of its answer."""
    request: web.Request | None = None
    """None: there is none, as in a test."""

    def may_pass_on(self, message: Message) -> None:
        """From now on, until it is answered, the program that comes next may answer `message` instead.

        Then the handler is cancelled here, as if the client had left. See `begun_call`.
        """
        if self.request is not None:
            self.request[BODY] = partial(self.codec.encode, message)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands around every handler: rules on the way in, codes on the way out."""

    program: Program
    """Gives exceptions their codes."""
    validator: Validator
    """Checks requests."""
    stopping: asyncio.Event
    """Is set when the server ends. It cancels its streams, which tell clients to come back later."""

    @contextmanager
    def errors(self, stopping: asyncio.Event | None = None) -> Iterator[None]:
        """Makes a ConnectError of every exception; also of a cancellation, if `stopping` is set by then."""
        try:
            yield
        except asyncio.CancelledError:
            if stopping is not None and stopping.is_set():
                raise ConnectError(Code.UNAVAILABLE, f"the {self.program.name} stops") from None
            raise
        except Exception as error:
            raise self.program.connect_error(error) from error


@asynccontextmanager
async def deadline(request: web.Request) -> AsyncIterator[None]:
    """The time that a client gives its call, by the header Connect-Timeout-Ms. Raises ConnectError."""
    scope = asyncio.timeout(timeout_s(request))
    try:
        async with scope:
            if (ends_at_s := scope.when()) is not None:
                request[ENDS_AT_S] = ends_at_s
            yield
    except TimeoutError:
        if scope.expired():  # else it is the handler's
            raise ConnectError(Code.DEADLINE_EXCEEDED, "the deadline of the call has passed") from None
        raise


def check_version(request: web.Request) -> None:
    """Raise ConnectError for another version of Connect. Most clients name none."""
    version = request.headers.get("Connect-Protocol-Version", "1")
    if version != "1":
        why = f"cannot speak version {quoted(version)} of Connect: send Connect-Protocol-Version: 1"
        raise ConnectError(Code.INVALID_ARGUMENT, why)


def timeout_s(request: web.Request) -> float | None:
    """The time that a client gives its call; None: it does not say. Raises ConnectError."""
    text = request.headers.get("Connect-Timeout-Ms")
    if not text:
        return None
    # int() would also accept a sign, blanks and underscores.
    if len(text) > _LONGEST_TIMEOUT or not (text.isascii() and text.isdigit()):
        why = f"cannot read the header Connect-Timeout-Ms: {quoted(text)} is not up to 10 digits"
        raise ConnectError(Code.INVALID_ARGUMENT, why)
    return int(text) / 1000


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a service that is served."""

    function: Callable[[Any, Call], Any]
    request_class: type[Message]
    streams: bool
    """Whether a stream answers."""

    def message(self, data: bytes, call: Call, around: Surroundings) -> Message:
        """The request in `data`, which holds to the rules. Raises ConnectError and InvalidArgument."""
        message = call.codec.decode(data, self.request_class)
        around.validator.validate(message)
        return message


async def answer(
    method: Method, call: Call, around: Surroundings, request: web.Request, body: bytes
) -> web.Response:
    """Have a method answer a request once."""
    try:
        with around.errors():
            check_version(request)
            async with deadline(request):
                data = unpacked(body, request.headers.get("Content-Encoding", "").strip().lower())
                message = method.message(data, call, around)
                answered = await method.function(message, replace(call, request=request))
                encoded = call.codec.encode(answered)
    except ConnectError as error:
        return compressed(request, error_response(error.code, error.message))
    head = {"Content-Type": f"application/{call.codec.name}"}
    if len(encoded) > LARGE_BYTES:
        return web.Response(body=LargeBody(encoded), headers=head)
    return compressed(request, web.Response(body=encoded, headers=head))


def compressed(request: web.Request, response: web.Response) -> web.Response:
    """The response, compressed if it is long and the client takes that."""
    response.headers["Vary"] = "Accept-Encoding"
    if len(response.body or b"") >= _WORTH_COMPRESSING and _takes_gzip(request):  # type: ignore[arg-type]
        response.enable_compression(web.ContentCoding.gzip)
    return response


def _takes_gzip(request: web.Request) -> bool:
    offers = request.headers.get("Accept-Encoding", "").replace(" ", "").lower().split(",")
    return "gzip" in offers or any(
        offer.startswith("gzip;") and not offer.endswith(("=0", "=0.0")) for offer in offers
    )
