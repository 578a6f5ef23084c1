"""Connect services as routes: what is asked for is found, what is not served says so, what is no Connect is refused.

Every service answers at `/<service>/<method>`, and below `/api` too, where the platform's base URL ends.
"""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web
from connectrpc.code import Code
from connectrpc.server import ConnectASGIApplication

from supervisor.api.connect import asgi, streams
from supervisor.api.connect.asgi import Application
from supervisor.api.connect.connect_errors import error_response
from supervisor.api.connect.query_page import with_query

PREFIXES = ("", "/api")

LISTED = (
    "gitpod.v1.EnvironmentAutomationService",
    "gitpod.v1.EventService",
    "gitpod.v1.EnvironmentService",
    "gitpod.v1.IdentityService",
    "supervisor.v1.EnvironmentOpsService",
)
"""The contract's services. Their methods are never not found: those that are not served are unimplemented."""

_UNARY = ("application/json", "application/proto")
_STREAM = ("application/connect+json", "application/connect+proto")


class Service:
    """One service. `application`: None if nothing of it is served."""

    def __init__(
        self,
        name: str,
        application: Application | None,
        body_timeout_s: float,
    ) -> None:
        self.name = name
        self._application = application
        self._body_timeout_s = body_timeout_s

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """An aiohttp handler: one call of a method. Raises ConnectError."""
        method = request.match_info["method"]
        if request.method != "POST":
            message = f"cannot {request.method} a method: use POST"
            return error_response(Code.INVALID_ARGUMENT, message, 405, {"Allow": "POST"})
        if self._application is None:
            return self._unimplemented(method)
        content_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        application = self._speaking(self._application, content_type, request)
        if application is None:
            return _unsupported(content_type)
        body = await asgi.read_body(request, asgi.BODY_LIMIT_BYTES, self._body_timeout_s)
        if request.query_string and content_type == _UNARY[0] and method.startswith("List"):
            body = with_query(body, request.query, request.headers.get("Content-Encoding", "").lower())
        response = await asgi.call(application, request, f"/{self.name}/{method}", body)
        if response.prepared or response.status not in (404, 415) or response.content_length:
            return response
        return self._unimplemented(method) if response.status == 404 else _unsupported(content_type)

    def _speaking(
        self, application: Application, content_type: str, request: web.Request
    ) -> Application | None:
        """The application for the form that a request has; None if it has none that is known."""
        if content_type in _STREAM:
            return streams.early(application, content_type)
        if content_type == streams.JSON_LINES:  # what some public SDKs call the one object that they send
            return streams.json_lines(streams.early(application, content_type))
        if content_type not in _UNARY:
            return None
        if content_type == _UNARY[0] and streams.JSON_LINES in request.headers.get("Accept", ""):
            return streams.json_lines(streams.early(application, content_type))
        return application

    def _unimplemented(self, method: str) -> web.Response:
        return error_response(Code.UNIMPLEMENTED, f"{self.name}/{method} is not served by this supervisor")


def service_routes(
    applications: Iterable[ConnectASGIApplication[object]], body_timeout_s: float = asgi.BODY_TIMEOUT_S
) -> list[web.RouteDef]:
    """The routes of services that are served and of those that are listed."""
    services: dict[str, Application | None] = dict.fromkeys(LISTED)
    services.update((application.path.strip("/"), application) for application in applications)
    return [
        web.route("*", f"{prefix}/{service.name}/{{method:[^/]+}}", service.answer)
        for service in (Service(name, served, body_timeout_s) for name, served in services.items())
        for prefix in PREFIXES
    ]


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
