"""Connect services as routes of aiohttp.

Every service answers at `/<service>/<method>`, below each prefix of its mount. A method that is not served is
unimplemented, and a request that is not Connect's is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiohttp import web
from connectrpc.code import Code
from connectrpc.server import ConnectASGIApplication

from connect_server import asgi, streams
from connect_server.asgi import Application
from connect_server.connect_errors import error_response
from connect_server.pages import with_query

_UNARY = ("application/json", "application/proto")
_STREAM = ("application/connect+json", "application/connect+proto")


@dataclass(frozen=True, slots=True)
class Mount:
    """Where services are mounted."""

    program: str = "server"
    """What messages call the program that serves."""
    names: Sequence[str] = ()
    """Services whose methods are never not found: those that are not served are unimplemented."""
    prefixes: Sequence[str] = ("",)
    """Paths below which every service answers."""
    body_timeout_s: float = asgi.BODY_TIMEOUT_S
    """How long the body of a call may take."""


class ConnectService:
    """One service. `application`: None if nothing of it is served."""

    def __init__(self, name: str, application: Application | None, mount: Mount) -> None:
        self.name = name
        self._application = application
        self._mount = mount

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """An aiohttp handler: one call of a method. Raises ConnectError."""
        method = request.match_info["method"]
        if request.method != "POST":
            message = f"cannot {request.method} a method: use POST"
            return error_response(Code.INVALID_ARGUMENT, message, 405, {"Allow": "POST"})
        if self._application is None:
            return self._unimplemented(method)
        content_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        application = _speaking(self._application, content_type, request)
        if application is None:
            return _unsupported(content_type)
        body = await asgi.read_body(request, asgi.BODY_LIMIT_BYTES, self._mount.body_timeout_s)
        if request.query_string and content_type == _UNARY[0] and method.startswith("List"):
            body = with_query(body, request.query, request.headers.get("Content-Encoding", "").lower())
        response = await asgi.call(application, request, f"/{self.name}/{method}", body)
        if response.prepared or response.status not in (404, 415) or response.content_length:
            return response
        return self._unimplemented(method) if response.status == 404 else _unsupported(content_type)

    def _unimplemented(self, method: str) -> web.Response:
        message = f"{self.name}/{method} is not served by this {self._mount.program}"
        return error_response(Code.UNIMPLEMENTED, message)


def service_routes(
    applications: Iterable[ConnectASGIApplication[object]], mount: Mount
) -> list[web.RouteDef]:
    """The routes of services that are served, and of those that the mount names."""
    served: dict[str, Application | None] = dict.fromkeys(mount.names)
    served.update((application.path.strip("/"), application) for application in applications)
    return [
        web.route("*", f"{prefix}/{service.name}/{{method:[^/]+}}", service.answer)
        for service in (ConnectService(name, application, mount) for name, application in served.items())
        for prefix in mount.prefixes
    ]


def _speaking(application: Application, content_type: str, request: web.Request) -> Application | None:
    """The application for a request's form; None if the form is unknown."""
    if content_type in _STREAM:
        return streams.early(application, content_type)
    if content_type == streams.JSON_LINES:  # what some public SDKs call the one object that they send
        return streams.json_lines(streams.early(application, content_type))
    if content_type not in _UNARY:
        return None
    if content_type == _UNARY[0] and streams.JSON_LINES in request.headers.get("Accept", ""):
        return streams.json_lines(streams.early(application, content_type))
    return application


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
