"""`GET /control/recent`: what changed last in this supervisor, for a support bundle.

As all below /control for whoever may do everything (see `control`): reasons may tell of what is not everybody's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web


def routes(recent: Callable[[], dict[str, Any]]) -> list[web.RouteDef]:
    """The route. Answers `{"forgotten": number, "changes": [{"time", "kind", "id", "reference", ...}]}`.

    `time` in seconds since the epoch; `before` and `after` are phases, null for what was new and what is gone.
    """

    async def handle(_request: web.Request) -> web.Response:
        return web.json_response(recent())

    return [web.get("/control/recent", handle)]
