"""`POST /control/resumed`: the runner tells that the machine was resumed."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from supervisor.api.control.control_body import read


def routes(tell: Callable[[], bool]) -> list[web.RouteDef]:
    """The route. `tell` returns whether it was news; answers `{"fired": whether postEnvironmentStart was fired}`."""

    async def resumed(request: web.Request) -> web.Response:
        (await read(request)).only()
        return web.json_response({"fired": tell()})

    return [web.post("/control/resumed", resumed)]
