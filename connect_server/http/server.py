"""The server: one aiohttp application on sockets that listen, for as long as it runs.

aiohttp's runner prepares the application and ends it. Listening is done here, so that connections are those of
`connection`, and so is the end, which does not wait for streams that would never end by themselves.
"""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import anyio
import anyio.lowlevel
from aiohttp import web
from aiohttp.typedefs import Handler

from connect_server.connect_errors import Code, Program, error_response
from connect_server.http.access import Access
from connect_server.http.admission import AcceptErrors, Admission
from connect_server.http.begun_call import BegunCall
from connect_server.http.connection import Connection
from connect_server.http.listeners import Listeners

IDLE_S = 75.0
"""How long a connection may be without a complete request head: idle, half-open or slow."""
LAST_WORDS_S = 0.5
"""How long a server that stops still takes calls if a stream was open just before. A client that followed a log to its
end asks next how that ended, and the end of the last log is often the end of everything."""
STOP_GRACE_S = 0.2
"""How long calls may go on when the server stops. Streams, which do not end by themselves, are ended at once."""
RELEASE_S = 5.0
"""How long calls may go on when another program takes over."""
BACKLOG = 2048
"""How many clients may connect at one moment. asyncio would make it 100, and where it is full the kernel may reset
connections. As many are accepted in one turn of the loop, in 50 ms."""
_LOOK_S = 0.001
_TURNS = 10
"""Turns of the loop after which what asyncio has accepted is a connection; it takes three."""
_CALL = web.RequestKey("call", asyncio.Task[Any])
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Observer(Protocol):
    """What a program tells of itself through its server, and what it wants to know."""

    async def metrics(self) -> bytes | None:
        """The text of /metrics; None: there are none."""

    def not_ready(self) -> str:
        """What the program waits for before it is ready; empty once it is."""

    def on_shortage(self, why: str) -> None:
        """Clients have to wait to be accepted, and why; with an empty text: they need not any more."""


class SilentObserver:
    """A program that is always ready, and has no metrics."""

    async def metrics(self) -> bytes | None:
        """None."""
        return None

    def not_ready(self) -> str:
        """Nothing."""
        return ""

    def on_shortage(self, why: str) -> None:
        """Ignored."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a server takes."""

    most_clients: int = 1024
    """How many connections there may be: descriptors for twice as many must be left."""
    idle_s: float = IDLE_S


@dataclass(frozen=True, slots=True)
class Released:
    """Connections that another program goes on with, by their descriptors."""

    idle: tuple[int, ...] = ()
    """Those between two requests."""
    begun: Mapping[int, bytes] = field(default_factory=dict)
    """Those whose call that program answers: `{descriptor: what it must know of the call}`, as `BegunCall` encodes."""


class Server:
    """Serves until `run` is cancelled."""

    def __init__(
        self,
        program: Program,
        listeners: Listeners,
        access: Access,
        routes: Sequence[web.AbstractRouteDef] = (),
        *,
        observer: Observer | None = None,
        limits: Limits = Limits(),
        connections: Released = Released(),
        stopping: asyncio.Event | None = None,
    ) -> None:
        """Put the parts together.

        Args:
            program: gives exceptions their codes.
            listeners: closed when `run` ends.
            access: guards every request.
            routes: what is served, Connect services for example (see `service_routes`). Handlers may raise
                ConnectError, the program's exceptions or aiohttp's HTTPException, and are cancelled when their client
                goes away.
            observer: None: a silent one.
            limits: how many clients, and how long.
            connections: those that a program before this one had accepted.
            stopping: is set when the server ends: a later cancellation is not the client's doing.
        """
        self.stopping = stopping or asyncio.Event()
        self._program = program
        self._listeners = listeners
        self._observer = observer or SilentObserver()
        self._limits = limits
        self._connections = connections
        self._runner: web.AppRunner | None = None
        self._servers: list[asyncio.Server] = []
        self._admission = Admission(limits.most_clients)
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
                *routes,
            ]
        )

    async def run(self, serving: Callable[[], None] = lambda: None) -> None:
        """Serve until cancelled; `serving` is called once clients are answered."""
        runner = web.AppRunner(
            self._app, access_log=None, handler_cancellation=True, shutdown_timeout=STOP_GRACE_S
        )
        errors = AcceptErrors(asyncio.get_running_loop(), self)
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
            errors.close()

    async def release_connections(self) -> Released:
        """Answer what was asked, end streams, and read no more; returns the connections that go on.

        Calls that another program may answer go on there. Others that take longer than RELEASE_S break off, as do
        connections in the middle of a request. Listening ends here: somebody else must keep the sockets open.
        """
        if self._runner is None or self._runner.server is None:
            return self._connections  # it had not begun to serve
        self._listeners.detach()
        loop = asyncio.get_running_loop()
        for listening in self._listeners.listening:
            loop.remove_reader(listening)
        # A closed asyncio.Server loses what it has accepted and not yet made a connection of.
        for _ in range(_TURNS):
            await anyio.lowlevel.checkpoint()
        for server in self._servers:
            server.close()
        begun: dict[int, bytes] = {}
        give_up_at = loop.time() + RELEASE_S
        while True:
            connections = [c for c in self._runner.server.connections if isinstance(c, Connection)]
            # Again each time: a call that has just come says only after a moment that it may be passed on.
            passed_on = [passed for connection in connections if (passed := connection.pass_on()) is not None]
            begun.update((fd, call.encoded()) for fd, call in passed_on)
            if not self.stopping.is_set():
                # After the first look: what waits for something and hears that the server stops gives up.
                self.stopping.set()
                self._end_streams()
            resting = [connection for connection in connections if connection.rest()]
            late = loop.time() >= give_up_at
            if late or (len(resting) == len(connections) and not self._calls):
                idle = tuple(fd for connection in resting if (fd := connection.keep()) is not None)
                return Released(idle, begun)
            await anyio.sleep(_LOOK_S)

    async def rebind(self, listening: socket.socket) -> None:
        """Serve a Unix socket that took the place of the first one."""
        loop = asyncio.get_running_loop()
        before, self._servers[0] = (
            self._servers[0],
            await loop.create_unix_server(self._connection, sock=listening, backlog=BACKLOG),
        )
        before.close()

    def on_shortage(self, why: str) -> None:
        """Descriptors have run out, or not any more: idle connections make room for those that want something."""
        if why:
            self._admission.relieve()
        self._observer.on_shortage(why)

    async def _listen(self, server: web.Server) -> None:
        loop = asyncio.get_running_loop()
        for listening in self._listeners.listening:
            if listening.family == socket.AF_UNIX:
                self._servers.append(
                    await loop.create_unix_server(self._connection, sock=listening, backlog=BACKLOG)
                )
            else:
                self._servers.append(
                    await loop.create_server(self._connection, sock=listening, backlog=BACKLOG)
                )
        self._listeners.attach(self)
        for fd in self._connections.idle:
            # Most of those that rest between two requests have shown a token; which ones is not known any more.
            made = partial(self._connection, known=True)
            await loop.connect_accepted_socket(made, socket.socket(fileno=fd))
        for fd, call in self._connections.begun.items():
            made = partial(self._connection, known=True, begun_call=BegunCall.decoded(call))
            await loop.connect_accepted_socket(made, socket.socket(fileno=fd))

    def _connection(self, known: bool = False, begun_call: BegunCall | None = None) -> Connection:
        assert self._runner is not None
        assert self._runner.server is not None
        return Connection(
            self._runner.server,
            self._program,
            self._admission,
            known=known,
            begun_call=begun_call,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=self._limits.idle_s,
            access_log=None,
            auto_decompress=False,  # `body.unpacked` does that, within its limits
        )

    async def _stop(self, runner: web.AppRunner) -> None:
        ended_ago_s = asyncio.get_running_loop().time() - self._stream_ended_s
        self._listeners.detach()
        followed = not self.stopping.is_set() and (bool(self._streams) or ended_ago_s < LAST_WORDS_S)
        self.stopping.set()
        self._end_streams()
        if followed:
            await asyncio.sleep(LAST_WORDS_S)
        for server in self._servers:
            server.close()
        self._end_streams()
        if self._calls:
            _, late = await asyncio.wait(self._calls, timeout=STOP_GRACE_S)
            for call in late:
                call.cancel()
        await runner.cleanup()
        self._listeners.close()

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
        response.headers["Server"] = self._program.name
        if not isinstance(response, web.Response) and _CALL in request:
            self._streams.add(request[_CALL])

    async def _health(self, _request: web.Request) -> web.Response:
        """An answer shows that the event loop turns."""
        return web.Response(text="ok\n")

    async def _readiness(self, _request: web.Request) -> web.Response:
        why = self._observer.not_ready()
        if why:
            return error_response(Code.UNAVAILABLE, f"not ready yet: {why}")
        return web.Response(text="ok\n")

    async def _measurements(self, _request: web.Request) -> web.Response:
        text = await self._observer.metrics()
        if text is None:
            raise web.HTTPNotFound
        return web.Response(body=text, headers={"Content-Type": _METRICS_TYPE})
