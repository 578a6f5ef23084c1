"""A management plane on loopback: records the requests that really come, and answers as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

METHOD = "/gitpod.v1.EnvironmentService/MarkEnvironmentActive"
ENVIRONMENT = "11111111-2222-4333-8444-555555555555"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Told:
    """One request."""

    path: str
    headers: dict[str, str]
    body: Any

    @property
    def source(self) -> str:
        source: str = self.body["activitySignal"]["source"]
        return source


@dataclass
class Plane:
    """Where it is, what came, how it answers from now on."""

    url: str = ""
    told: list[Told] = field(default_factory=list)
    answer: Answer | None = None
    """None: as a plane does that is well."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.told.append(Told(request.path, headers, body))
        if self.answer is not None:
            return await self.answer(request)
        return web.json_response({})


def status(code: int, text: str = "", **headers: str) -> Answer:
    """Answers with an error as Connect writes them."""

    async def answer(_request: web.Request) -> web.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response({"code": "unknown", "message": text}, status=code, headers=sent)

    return answer


def raw(body: bytes, content_type: str = "application/json", code: int = 200) -> Answer:
    """Answers with anything."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type=content_type, status=code)

    return answer


async def never(_request: web.Request) -> web.Response:
    """Gives no answer."""
    await asyncio.Event().wait()
    raise AssertionError


async def slowly(request: web.Request) -> web.StreamResponse:
    """Gives an answer byte by byte, without end."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.01)


@asynccontextmanager
async def plane(prefix: str = "", ssl: Any = None) -> AsyncIterator[Plane]:
    """A plane below a prefix, for the time of a test."""
    made = Plane()
    app = web.Application()
    app.router.add_post(prefix + METHOD, made.handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=ssl)
        await site.start()
        host, port = runner.addresses[0][:2]
        made.url = f"{'https' if ssl else 'http'}://{host}:{port}{prefix}"
        yield made
    finally:
        await runner.cleanup()
