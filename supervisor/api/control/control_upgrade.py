"""POST /control/upgrade: the program on the disk takes the place of this one, in the same process.

For whoever owns the process alone: what is executed is whatever stands on the disk then.

Answered once that program has passed its self-check; what comes then is not seen from here. Who wants to see it asks
for the status until another `instance` answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from connectrpc.code import Code
from connectrpc.errors import ConnectError

from connect_server.http.access import caller
from supervisor import __version__
from supervisor.api.control.control_body import read


def routes(upgrade: Callable[[], Awaitable[str]]) -> list[web.RouteDef]:
    """`upgrade` checks, has the end of this program begin, and returns the new version. Raises Precondition."""

    async def handle(request: web.Request) -> web.Response:
        (await read(request)).only()
        if not caller().owns_process:
            raise ConnectError(
                Code.PERMISSION_DENIED,
                "an upgrade is for root and the supervisor's own user, on its Unix socket and without a token",
            )
        return web.json_response({"from": __version__, "to": await upgrade()})

    return [web.post("/control/upgrade", handle)]
