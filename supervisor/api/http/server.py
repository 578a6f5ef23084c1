"""The server: one aiohttp application on the supervisor's sockets, for as long as it is run.

aiohttp's runner prepares the application and ends it. Listening is done here, so that connections are our own kind
(see `connection`), and so is the end, which does not wait for streams that would never end by themselves.
"""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
from aiohttp import web
from aiohttp.typedefs import Handler
from connectrpc.code import Code
from connectrpc.server import ConnectASGIApplication

from supervisor.api.connect.asgi import BODY_TIMEOUT_S
from supervisor.api.connect.connect_errors import error_response
from supervisor.api.connect.service_routes import service_routes
from supervisor.api.http.access import Access
from supervisor.api.http.admission import Admission
from supervisor.api.http.connection import Connection
from supervisor.api.http.fd_exhaustion import Shortage
from supervisor.api.http.sockets import Sockets, room_for_clients

IDLE_S = 75.0
"""How long a connection may be without a complete request head: idle, half-open or slow."""
LAST_WORDS_S = 0.5
"""How long calls are still taken by a server that is to stop, if a stream was open just before: who followed a log to
its end asks next how that ended, and the end of the last log is often the end of everything."""
STOP_GRACE_S = 0.2
"""How long calls may go on when the server stops. Streams, which do not end by themselves, are ended at once."""
HAND_OVER_S = 5.0
"""How long calls may go on when another program takes over."""
_LOOK_S = 0.001
_TURNS = 10
"""Turns of the loop after which what asyncio has accepted is a connection; it takes three."""
_CALL = web.RequestKey("call", asyncio.Task[Any])
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Server:
    """Serves until `run` is cancelled."""

    def __init__(
        self,
        sockets: Sockets,
        access: Access,
        services: Sequence[ConnectASGIApplication[Any]] = (),
        routes: Sequence[web.AbstractRouteDef] = (),
        *,
        metrics: Callable[[], Awaitable[bytes]] | None = None,
        not_ready: Callable[[], str] = str,
        idle_s: float = IDLE_S,
        body_timeout_s: float = BODY_TIMEOUT_S,
        most_clients: int | None = None,
        connections: Sequence[int] = (),
        met: Callable[[str], None] = lambda _why: None,
    ) -> None:
        """Put the parts together.

        Args:
            sockets: what to listen on; closed when `run` ends.
            access: guards every request.
            services: Connect applications; the contract's services that are missing are unimplemented.
            routes: what else is served, logs for example. Handlers may raise ConnectError, SupervisorError or
                aiohttp's HTTPException, and are cancelled when their client goes away.
            metrics: the text of /metrics; None: there are none.
            not_ready: what the supervisor waits for before it is ready; empty once it is.
            idle_s: see IDLE_S.
            body_timeout_s: how long the body of a call may take.
            connections: descriptors of connections that a supervisor before this one had accepted.
            met: told why clients have to wait to be accepted, and with an empty text once none has to.
            most_clients: how many connections there may be; None: as many as the limit of descriptors leaves room for.
        """
        self.stopping = False
        """Whether the server ends: what is cancelled now is not the client's doing."""
        self._sockets = sockets
        self._connections = tuple(connections)
        self._met = met
        self._runner: web.AppRunner | None = None
        self._listeners: list[asyncio.Server] = []
        self._idle_s = idle_s
        self._admission = Admission(most_clients or room_for_clients())
        self._metrics = metrics
        self._not_ready = not_ready
        self._calls: set[asyncio.Task[Any]] = set()
        self._streams: set[asyncio.Task[Any]] = set()
        self._stream_ended_s = -math.inf
        self._app = web.Application(middlewares=[self._count, access.guard])
        self._app.on_response_prepare.append(self._prepare)
        self._app.on_response_prepare.append(access.add_headers)
        self._app.add_routes(
            [
                web.get("/healthz", self._health),
                web.get("/readyz", self._readiness),
                web.get("/metrics", self._measurements),
                *service_routes(services, body_timeout_s),
                *routes,
            ]
        )

    async def run(self, serving: Callable[[], None] = lambda: None) -> None:
        """Serve until cancelled; `serving` is called once clients are answered. A task of the supervisor's group."""
        runner = web.AppRunner(
            self._app, access_log=None, handler_cancellation=True, shutdown_timeout=STOP_GRACE_S
        )
        shortage = Shortage(asyncio.get_running_loop(), self._short)
        try:
            await runner.setup()
            assert runner.server is not None
            self._runner = runner
            await self._listen(runner.server)
            serving()
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await self._stop(runner)
            shortage.close()

    async def hand_over(self) -> tuple[int, ...]:
        """Answer what was asked, end streams, and read no more; returns the connections that are to go on.

        Listening has to be kept up by others: it ends here. Calls that take longer than HAND_OVER_S break off, as do
        connections in the middle of a request.
        """
        if self._runner is None or self._runner.server is None:
            return self._connections  # it had not begun to serve
        self.stopping = True
        self._sockets.rebound = None
        loop = asyncio.get_running_loop()
        for listening in self._sockets.listening:
            loop.remove_reader(listening)
        # A closed asyncio.Server loses what it has accepted and not yet made a connection of.
        for _ in range(_TURNS):
            await anyio.lowlevel.checkpoint()
        for listener in self._listeners:
            listener.close()
        self._end_streams()
        give_up_at = loop.time() + HAND_OVER_S
        while True:
            connections = [c for c in self._runner.server.connections if isinstance(c, Connection)]
            resting = [connection for connection in connections if connection.rest()]
            late = loop.time() >= give_up_at
            if late or (len(resting) == len(connections) and not self._calls):
                return tuple(fd for connection in resting if (fd := connection.keep()) is not None)
            await anyio.sleep(_LOOK_S)

    async def _listen(self, server: web.Server) -> None:
        loop = asyncio.get_running_loop()

        def connection(known: bool = False) -> Connection:
            return Connection(
                server,
                self._admission,
                known=known,
                loop=loop,
                keepalive_timeout=self._idle_s,
                access_log=None,
                auto_decompress=False,  # connectrpc does that, within its limits
            )

        for listening in self._sockets.listening:
            if listening.family == socket.AF_UNIX:
                self._listeners.append(await loop.create_unix_server(connection, sock=listening))
            else:
                self._listeners.append(await loop.create_server(connection, sock=listening))

        async def rebound(listening: socket.socket) -> None:
            before, self._listeners[0] = (
                self._listeners[0],
                await loop.create_unix_server(connection, sock=listening),
            )
            before.close()

        self._sockets.rebound = rebound
        for fd in self._connections:
            # Most of those that rest between two requests have shown a token, and to whom we cannot know any more.
            await loop.connect_accepted_socket(partial(connection, known=True), socket.socket(fileno=fd))

    def _short(self, why: str) -> None:
        """Descriptors have run out, or not any more: who merely rests makes room for who wants something."""
        if why:
            self._admission.relieve()
        self._met(why)

    async def _stop(self, runner: web.AppRunner) -> None:
        ended_ago_s = asyncio.get_running_loop().time() - self._stream_ended_s
        self._sockets.rebound = None
        followed = not self.stopping and (bool(self._streams) or ended_ago_s < LAST_WORDS_S)
        self.stopping = True
        self._end_streams()
        if followed:
            await asyncio.sleep(LAST_WORDS_S)
        for listener in self._listeners:
            listener.close()
        self._end_streams()
        if self._calls:
            _, late = await asyncio.wait(self._calls, timeout=STOP_GRACE_S)
            for call in late:
                call.cancel()
        await runner.cleanup()
        self._sockets.close()

    def _end_streams(self) -> None:
        for stream in self._streams:
            stream.cancel()

    @web.middleware
    async def _count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Know the calls that are in progress, for the end."""
        call = asyncio.current_task()
        assert call is not None
        self._calls.add(call)
        request[_CALL] = call
        try:
            return await handler(request)
        finally:
            self._calls.discard(call)
            if call in self._streams:
                self._streams.discard(call)
                self._stream_ended_s = asyncio.get_running_loop().time()

    async def _prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Server"] = "supervisor"
        if not isinstance(response, web.Response) and _CALL in request:
            self._streams.add(request[_CALL])

    async def _health(self, _request: web.Request) -> web.Response:
        """That this is answered shows that the event loop turns."""
        return web.Response(text="ok\n")

    async def _readiness(self, _request: web.Request) -> web.Response:
        why = self._not_ready()
        if why:
            return error_response(Code.UNAVAILABLE, f"not ready yet: {why}")
        return web.Response(text="ok\n")

    async def _measurements(self, _request: web.Request) -> web.Response:
        if self._metrics is None:
            raise web.HTTPNotFound
        return web.Response(body=await self._metrics(), headers={"Content-Type": _METRICS_TYPE})
