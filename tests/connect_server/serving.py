"""A server on real sockets, with a toy service that the tests tell what to do, and clients for it."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import anyio
from aiohttp import web

from connect_server.calls import Call, Handler, Surroundings
from connect_server.connect_errors import Code, Program
from connect_server.http.access import Access, CallerPolicy, HostPolicy, caller
from connect_server.http.begun_call import Caller
from connect_server.http.connection import Connection
from connect_server.http.listeners import FixedListeners
from connect_server.http.server import Limits, Observer, Released, Server
from connect_server.http.tokens import Issuer, Tokens
from connect_server.service_routes import Mount, service_routes
from connect_server.validation import Validator
from platform_wire import OTHERS, PREFIXES, SERVICES
from platform_wire import environment_automation_pb2 as automation_pb
from platform_wire import event_pb2 as pb
from platform_wire.environment_automation_handler import EnvironmentAutomationServiceHandler
from platform_wire.event_handler import EventServiceHandler
from platform_wire.rules import RULES

ENVIRONMENT = "11111111-2222-4333-8444-555555555555"
ID = "99999999-2222-4333-8444-555555555555"
GET_SERVICE = "/gitpod.v1.EnvironmentAutomationService/GetService"
WATCH = "/gitpod.v1.EventService/WatchEvents"
JSON = {"Content-Type": "application/json"}
PATIENCE_S = 10.0
ALL, LOGS = "environment", "logs"
"""The scopes of tokens."""


class Missing(Exception):
    """An error of the program's own."""


PROGRAM = Program("demo", {Missing: Code.NOT_FOUND, FileExistsError: Code.ALREADY_EXISTS})


def issuer(subject: str = ENVIRONMENT) -> Issuer:
    return Issuer("demo", "demo-api", (ALL, LOGS), subject, "environment")


class DemoPolicy:
    """Everybody may do everything."""

    def local_caller(self, peer: socket.socket) -> Caller:
        return Caller(ENVIRONMENT, ALL)

    def check_scope(self, scope: str, request: web.Request) -> None:
        pass


class Listening(FixedListeners):
    """A Unix socket in a folder, and a free TCP port."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "api.sock"
        local = socket.socket(socket.AF_UNIX)
        local.bind(str(self.path))
        self.path.chmod(0o600)
        local.listen()
        tcp = socket.create_server(("127.0.0.1", 0))
        self.port: int = tcp.getsockname()[1]
        super().__init__([local, tcp])
        for each in self.listening:
            each.setblocking(False)

    def close(self) -> None:
        super().close()
        self.path.unlink(missing_ok=True)


@dataclass
class Toy(EnvironmentAutomationServiceHandler):
    """One unary method, and one stream that sends what is put into it: messages, errors, None for the end."""

    fails_with: Exception | None = None
    callers: list[Caller] = field(default_factory=list)
    answer: Callable[[], Any] | None = None
    news: asyncio.Queue[pb.WatchEventsResponse | Exception | None] = field(default_factory=asyncio.Queue)
    watching: int = 0
    subscribes: asyncio.Event | None = None
    """Set lets the stream's handler, a coroutine then, return its messages; None: it is an async generator."""
    name: str = ""
    """Of the service that it answers with."""
    passed_on: automation_pb.GetServiceRequest | None = None
    """What another program may answer in its place; None: nothing."""
    called: asyncio.Event = field(default_factory=asyncio.Event)

    async def get_service(
        self, request: automation_pb.GetServiceRequest, call: Call
    ) -> automation_pb.GetServiceResponse:
        self.callers.append(caller())
        if self.passed_on is not None:
            call.may_pass_on(self.passed_on)
        self.called.set()
        if self.fails_with is not None:
            raise self.fails_with
        if self.answer is not None:
            await self.answer()
        service = automation_pb.Service(id=request.id, environment_id=ENVIRONMENT)
        if self.name:
            service.metadata.name = self.name
        return automation_pb.GetServiceResponse(service=service)

    async def stream(self) -> AsyncIterator[pb.WatchEventsResponse]:
        self.watching += 1
        try:
            while (message := await self.news.get()) is not None:
                if isinstance(message, Exception):
                    raise message
                yield message
        finally:
            self.watching -= 1

    def tell(self, resource_id: str) -> None:
        self.news.put_nowait(pb.WatchEventsResponse(resource_id=resource_id))


class Events(EventServiceHandler):
    """The toy's stream."""

    def __init__(self, toy: Toy) -> None:
        self._toy = toy

    def watch_events(
        self, _request: pb.WatchEventsRequest, _call: Call
    ) -> AsyncIterator[pb.WatchEventsResponse] | Awaitable[AsyncIterator[pb.WatchEventsResponse]]:
        return self._toy.stream() if self._toy.subscribes is None else self._subscribe(self._toy.subscribes)

    async def _subscribe(self, subscribed: asyncio.Event) -> AsyncIterator[pb.WatchEventsResponse]:
        self._toy.called.set()
        await subscribed.wait()
        if self._toy.fails_with is not None:
            raise self._toy.fails_with
        return self._toy.stream()


@dataclass
class Served:
    """A server that runs, and what a test needs to call it."""

    server: Server
    toy: Toy
    tokens: Tokens
    listening: Listening
    http: aiohttp.ClientSession
    """Shows an environment token."""
    bare: aiohttp.ClientSession
    """Shows none."""
    stop: Callable[[], None]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        return self.listening.port

    def connections(self) -> list[Connection]:
        """The connections that are open."""
        assert self.server._runner is not None
        assert self.server._runner.server is not None
        return [one for one in self.server._runner.server.connections if isinstance(one, Connection)]

    async def connect(self, data: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A raw connection over TCP."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        await writer.drain()
        return reader, writer

    def head(self, path: str, **headers: str) -> bytes:
        """The head of a POST, with a token."""
        token = self.tokens.mint(ALL, 60)
        lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {token}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode()


@asynccontextmanager
async def serving(
    folder: Path,
    *,
    routes: Sequence[web.AbstractRouteDef] = (),
    origins: Sequence[str] = (),
    host_names: Sequence[str] = (),
    policy: CallerPolicy | None = None,
    program: Program = PROGRAM,
    observer: Observer | None = None,
    body_still_s: float = 30.0,
    connections: Released = Released(),  # noqa: B008 - frozen
    key: bytes = b"k" * 32,
    begins: bool = True,
    **limits: Any,
) -> AsyncIterator[Served]:
    """A server for the time of a test, which fails if a task of it is left when it has stopped.

    `connections`: of a server before this one; `key`: of its tokens; `begins`: whether it serves at all.
    """
    before = asyncio.all_tasks()
    tokens, toy, stopping = Tokens(key, issuer()), Toy(), asyncio.Event()
    listening = Listening(folder)
    around = Surroundings(program, Validator(RULES), stopping)
    host_policy = HostPolicy(host_names, origins, host_hint="--host-name", origin_hint="--allow-origin")
    handlers: list[Handler] = [toy, Events(toy)]
    server = Server(
        program,
        listening,
        Access(program, tokens, policy or DemoPolicy(), host_policy),
        [*service_routes(handlers, Mount(around, (*SERVICES, *OTHERS), PREFIXES, body_still_s)), *routes],
        observer=observer,
        limits=Limits(**{"most_clients": 100, **limits}),
        connections=connections,
        stopping=stopping,
    )
    headers = {"Authorization": f"Bearer {tokens.mint(ALL, 60)}"}
    serving_scope, served_url = anyio.CancelScope(), f"http://127.0.0.1:{listening.port}"

    async def serve() -> None:
        with serving_scope:
            await server.run()

    responses: list[aiohttp.ClientResponse] = []

    class Kept(aiohttp.ClientResponse):
        """A test may leave a stream before its end; aiohttp wants every response closed all the same."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            responses.append(self)

    with anyio.fail_after(PATIENCE_S):
        async with (
            aiohttp.ClientSession(
                served_url, headers=headers, auto_decompress=False, response_class=Kept
            ) as http,
            aiohttp.ClientSession(served_url, response_class=Kept) as bare,
            anyio.create_task_group() as group,
        ):
            if begins:
                group.start_soon(serve)
            yield Served(server, toy, tokens, listening, http, bare, serving_scope.cancel)
            serving_scope.cancel()
            for response in responses:
                response.close()
            if not begins:
                listening.close()
        await eventually(lambda: not asyncio.all_tasks() - before)
    assert toy.watching == 0


async def eventually(condition: Callable[[], object]) -> None:
    """Wait until something holds."""
    with anyio.fail_after(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  # conditions of any kind, which nobody announces
            await anyio.sleep(0.002)


async def error(response: aiohttp.ClientResponse) -> tuple[int, str, str]:
    """Status, code and message of a Connect error, which must have just these in it."""
    assert response.content_type == "application/json"
    body = json.loads(await response.read())
    assert list(body) == ["code", "message"]
    assert "Traceback" not in body["message"]
    return response.status, body["code"], body["message"]


def envelope(data: bytes, flags: int = 0) -> bytes:
    """A message of a Connect stream."""
    return struct.pack(">BI", flags, len(data)) + data


async def next_envelope(response: aiohttp.ClientResponse) -> tuple[int, bytes]:
    """Flags and content of the stream's next message."""
    flags, length = struct.unpack(">BI", await response.content.readexactly(5))
    return flags, await response.content.readexactly(length)
