"""What is answered before there is a server, and what is left for it in the sockets."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from supervisor.api.http.early_status import _MOST as MOST
from supervisor.api.http.early_status import EarlyStatus

pytestmark = pytest.mark.anyio

STATUS = b"GET /control/status HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Supervisor:
    """Knows how it is."""

    async def status(self) -> dict[str, object]:
        return {"pid": 1}


class Desk:
    """The early answers and their clients; `left` holds the connections that it leaves to the server."""

    def __init__(self, path: Path) -> None:
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(path))
        self.listening.listen()
        self.listening.setblocking(False)
        self.early = EarlyStatus(self.listening, Supervisor())
        self.left: list[socket.socket] = []
        self.path = path

    async def ask(self, request: bytes) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(self.path))
        client.setblocking(False)
        client.sendall(request)
        return client

    async def run(self) -> None:
        self.left = [socket.socket(fileno=fd) for fd in await self.early.run()]


@asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[Desk]:
    it = Desk(folder / "sock")
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(it.run)
            yield it
            it.early.relieve()
    finally:
        it.listening.close()
        for connection in it.left:
            connection.close()


async def answer(client: socket.socket) -> bytes:
    with anyio.fail_after(20):
        await anyio.wait_readable(client)
    return client.recv(65536)


async def test_status_and_health_are_answered_again_and_again(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        client = await it.ask(STATUS)
        for _ in range(2):
            head, _, body = (await answer(client)).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert json.loads(body) == {"pid": 1}
            client.sendall(STATUS)
        await answer(client)
        client.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
        assert (await answer(client)).endswith(b"\r\n\r\nok\n")
    assert len(it.left) == 1, "the server goes on with the connection"
    client.close()


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /gitpod.v1.EventService/WatchEvents HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
        b"GET /control/status HTTP/1.1\r\nOrigin: http://evil.example\r\n\r\n",
        b"GET /control/status HTTP/1.1\r\nAuthorization: Bearer x\r\n\r\n",
        b"GET /control/status HTTP/1.0\r\n\r\n",
        b"GET /control/status HTTP/1.1\r\nHost: loc",
        b"",
    ],
)
async def test_what_is_not_for_it_stays_in_the_socket(tmp_path: Path, request_: bytes) -> None:
    async with desk(tmp_path) as it:
        client = await it.ask(request_)
        await anyio.wait_all_tasks_blocked()
        other = await it.ask(STATUS)
        await answer(other)
        it.early.relieve()
        with anyio.fail_after(20):
            while len(it.left) < 2:
                await anyio.lowlevel.checkpoint()
        it.left[0].setblocking(False)
        assert _unread(it.left[0]) == request_
    client.close()
    other.close()


def _unread(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except BlockingIOError:
        return b""


@pytest.mark.parametrize("request_", [STATUS, b"POST /gitpod.v1.X/Y HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"])
async def test_server_is_waited_with_only_until_somebody_was_attended(
    tmp_path: Path, request_: bytes
) -> None:
    async with desk(tmp_path) as it:
        client = await it.ask(request_)
        with anyio.fail_after(20):
            await it.early.first_answered(1000.0)
        await it.early.first_answered(1000.0)
        client.close()


async def test_client_of_the_server_alone_is_not_kept_waiting_for_others(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        with socket.create_server(("127.0.0.1", 0)) as tcp:
            early = EarlyStatus(it.listening, Supervisor(), others=[tcp])
            await early.first_answered(0.0)  # nobody is there
            with socket.create_connection(tcp.getsockname()), anyio.fail_after(20):
                await early.first_answered(1000.0)
            await early.first_answered(1000.0)


async def test_client_that_goes_is_forgotten(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        client = await it.ask(b"")
        await anyio.wait_all_tasks_blocked()
        client.close()
        other = await it.ask(STATUS)
        await answer(other)
    assert len(it.left) == 1
    other.close()


async def test_it_takes_so_many_connections_and_leaves_the_others_to_the_server(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        clients = [await it.ask(b"GET") for _ in range(MOST + 2)]
        with anyio.fail_after(10):
            while len(it.early._connections) < MOST:
                await anyio.lowlevel.checkpoint()
        for _ in range(10):
            await anyio.lowlevel.checkpoint()
        assert len(it.early._connections) == MOST
    assert len(it.left) == MOST
    for client in clients:
        client.close()
