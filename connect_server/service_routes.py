"""Connect services as routes of aiohttp.

Every service answers at `/<service>/<method>`, below each prefix of its mount. A method that is not served is
unimplemented, and a request that is not Connect's is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import web
from google.protobuf.message_factory import GetMessageClass

from connect_server import body, calls, relayed, streams
from connect_server.calls import Call, Handler, Method, Surroundings
from connect_server.codecs import BinaryCodec, JSONCodec
from connect_server.connect_errors import Code, error_response
from connect_server.pages import with_query
from connect_server.relayed import CarriedMethod, CarriedStream

_BINARY, _JSON = Call(BinaryCodec()), Call(JSONCodec())
_UNARY = {"application/json": _JSON, "application/proto": _BINARY}
_STREAM = {"application/connect+json": _JSON, "application/connect+proto": _BINARY}
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
"""Where a method's name is cut, as in `Get|ID|Token`."""


@dataclass(frozen=True, slots=True)
class Mount:
    """Where services are mounted."""

    around: Surroundings
    """What stands around every handler."""
    names: Sequence[str] = ()
    """Services whose methods are never not found: those that are not served are unimplemented."""
    prefixes: Sequence[str] = ("",)
    """Paths below which every service answers."""
    body_still_s: float = body.STILL_S
    """How long the body of a call may stand still."""


class ConnectService:
    """One service. `handlers`: each has some of its methods, none has one that another has; empty: it is not served."""

    def __init__(self, name: str, handlers: Sequence[Handler], mount: Mount) -> None:
        self.name = name
        self._handlers = handlers
        self._mount = mount
        self._methods: dict[str, Method | None] = {}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """An aiohttp handler: one call of a method. Raises ConnectError."""
        name = request.match_info["method"]
        if request.method != "POST":
            message = f"cannot {request.method} a method: use POST"
            return error_response(Code.INVALID_ARGUMENT, message, 405, {"Allow": "POST"})
        if not self._handlers:
            return self._unimplemented(name)
        content_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        call = _UNARY.get(content_type) or _STREAM.get(content_type)
        form = _form(content_type, request)
        if call is None and form is None:
            return _unsupported(content_type)
        carried = self._carried(name, (call or _JSON).codec.name)
        method: CarriedStream | Method | None = CarriedStream(carried) if carried else self._method(name)
        if method is None:
            return self._unimplemented(name)
        if (carried or method).streams != (form is not None):
            return _unsupported(content_type)
        still_s = self._mount.body_still_s
        if carried is not None and form is None:
            return await relayed.answer(carried, call or _JSON, self._mount.around, request, still_s)
        data = await body.read_body(request, body.LIMIT_BYTES, still_s)
        if form is not None:
            return await streams.answer(method, call or _JSON, self._mount.around, request, data, form)
        if request.query_string and call is _JSON and name.startswith("List"):
            data = with_query(data, request.query, request.headers.get("Content-Encoding", "").lower())
        assert isinstance(method, Method)
        return await calls.answer(method, call or _JSON, self._mount.around, request, data)

    def _carried(self, name: str, form: str) -> CarriedMethod | None:
        """The method of a name, if one of the handlers carries it elsewhere."""
        for handler in self._handlers:
            carry = getattr(handler, "carried", None)
            if carry is not None and (found := carry(name, form)) is not None:
                return cast(CarriedMethod, found)
        return None

    def _method(self, name: str) -> Method | None:
        """The method of a name; None if there is none."""
        known = self._handlers[0].DESCRIPTOR.methods_by_name
        if name not in self._methods and name in known:  # so that nobody fills it with names of his own
            declared = known[name]
            function = _served(self._handlers, attribute(name))
            self._methods[name] = function and Method(
                function, GetMessageClass(declared.input_type), declared.server_streaming
            )
        return self._methods.get(name)

    def _unimplemented(self, method: str) -> web.Response:
        message = f"{self.name}/{method} is not served by this {self._mount.around.program.name}"
        return error_response(Code.UNIMPLEMENTED, message)


def service_routes(handlers: Iterable[Handler], mount: Mount) -> list[web.RouteDef]:
    """The routes of services that are served, and of those that the mount names."""
    served: dict[str, list[Handler]] = {}
    for handler in handlers:
        served.setdefault(handler.DESCRIPTOR.full_name, []).append(handler)
    services = {name: ConnectService(name, parts, mount).answer for name, parts in served.items()}
    # One route for all that are not served: a route has its own pattern, and there may be many services.
    others = "|".join(re.escape(name) for name in mount.names if name not in served)
    if others:
        services[f"{{service:{others}}}"] = _Unserved(mount).answer
    return [
        web.route("*", f"{prefix}/{name}/{{method:[^/]+}}", answer)
        for name, answer in services.items()
        for prefix in mount.prefixes
    ]


class _Unserved:
    """The services that are known and not served."""

    def __init__(self, mount: Mount) -> None:
        self._mount = mount

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """An aiohttp handler, which refuses."""
        return await ConnectService(request.match_info["service"], (), self._mount).answer(request)


def _served(handlers: Iterable[Handler], name: str) -> Any:
    """The method of the handler that has it for itself; None: all have it from the generated class, which refuses."""
    for handler in handlers:
        owner = next((kind for kind in type(handler).__mro__ if name in vars(kind)), None)
        if owner is not None and "DESCRIPTOR" not in vars(owner):
            return getattr(handler, name)
    return None


def attribute(method: str) -> str:
    """The name in Python of a method: `get_id_token` for `GetIDToken`."""
    return _WORD.sub("_", method).lower()


def _form(content_type: str, request: web.Request) -> type[streams.Envelopes] | type[streams.Lines] | None:
    """The form of a stream that is asked for; None: one answer."""
    if content_type in _STREAM:
        return streams.Envelopes
    if content_type == streams.JSON_LINES:  # what some public SDKs call the one object that they send
        return streams.Lines
    if content_type == "application/json" and streams.JSON_LINES in request.headers.get("Accept", ""):
        return streams.Lines
    return None


def _unsupported(content_type: str) -> web.Response:
    forms = (
        f"{' or '.join(_UNARY)} for one answer, {' or '.join(_STREAM)}, or application/json with "
        f"Accept: {streams.JSON_LINES}, for a stream of them"
    )
    sent = f"content type {content_type[:80]!r}" if content_type else "a request without content type"
    return error_response(
        Code.INVALID_ARGUMENT,
        f"cannot read {sent} here: send {forms}",
        415,
        {"Accept-Post": ", ".join(_UNARY)},
    )
