"""The supervisor's own routes about activity; as all below /control (see `control`), for whoever may do everything.

GET  /control/activity     what keeps the environment awake, and the last signals; see `activity.explain`
POST /control/keep-alive   {"pid", "startTicks", "source"}: stay awake while that process lives
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from supervisor.activity.activity import Activity
from supervisor.activity.keep_alive import SOURCE
from supervisor.api.control.control_body import Body
from supervisor.api.control.control_routes import handler


class ControlActivity:
    """The handlers."""

    def __init__(self, activity: Activity) -> None:
        self._activity = activity

    def routes(self) -> list[web.RouteDef]:
        """The routes, for `Server`."""
        return [
            web.get("/control/activity", self._explain),
            web.post("/control/keep-alive", handler(self._keep_alive, "pid", "startTicks", "source")),
        ]

    async def _explain(self, _request: web.Request) -> web.Response:
        return web.json_response(await self._activity.explain())

    async def _keep_alive(self, body: Body) -> dict[str, Any]:
        """`startTicks`: when the process began, as the caller sees it; null: it did not look."""
        pid, source = body.whole("pid"), body.text_or_null("source")
        start_ticks = None if body.absent("startTicks") else body.whole("startTicks")
        made = self._activity.keep_alive(pid, SOURCE if source is None else source, start_ticks)
        return {"pid": made.process.pid, "startTicks": made.process.start_ticks, "source": made.source}


def routes(activity: Activity) -> list[web.RouteDef]:
    """The routes; see `ControlActivity`."""
    return ControlActivity(activity).routes()
