"""Who gets a connection when there are too many: on real sockets, a client each."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest

from connect_server.http import connection
from tests.connect_server.serving import LOGS, WATCH, Served, envelope, eventually, serving

pytestmark = pytest.mark.anyio
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def status(folder: Path) -> int:
    """What a client of the Unix socket is answered."""
    connector = aiohttp.UnixConnector(str(folder / "api.sock"))
    async with aiohttp.ClientSession("http://x", connector=connector) as local:
        return (await local.get("/healthz")).status


async def is_closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read(1) == b""
    except ConnectionResetError:
        return True


async def stream(served: Served) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client with a token that watches; over a connection of its own."""
    body = envelope(b"{}")
    head = served.head(WATCH, Content_Type="application/connect+json", Content_Length=str(len(body)))
    return await served.connect(head + body)


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: ", HEALTH])
async def test_clients_without_a_token_take_nothing_from_others(tmp_path: Path, sent: bytes) -> None:
    async with serving(tmp_path, most_clients=40) as served:
        reader, writer = await stream(served)
        await eventually(lambda: served.toy.watching == 1)
        idle = [await served.connect(sent) for _ in range(200)]
        assert await status(tmp_path) == 200
        assert (await served.bare.get("/healthz")).status == 200
        assert (await served.http.get("/healthz")).status == 200
        served.toy.tell("r1")
        assert (await reader.readuntil(b"r1")).startswith(b"HTTP/1.1 200 ")
        for _, client in [*idle, (reader, writer)]:
            client.close()


async def test_the_connection_that_was_idle_longest_is_closed(tmp_path: Path) -> None:
    async with serving(tmp_path, most_clients=8) as served:  # three without a token
        first, second, third = [await served.connect(HEALTH) for _ in range(3)]
        for reader, _ in (first, second, third):
            await reader.readuntil(b"ok\n")
        first[1].write(HEALTH)
        await first[0].readuntil(b"ok\n")
        fourth = await served.connect()
        assert await is_closed(second[0])
        third[1].write(HEALTH)
        await third[0].readuntil(b"ok\n")
        for _, writer in (first, second, third, fourth):
            writer.close()


async def test_streams_of_all_who_have_tokens_leave_the_socket_room(tmp_path: Path) -> None:
    async with serving(tmp_path, most_clients=16) as served:
        streams = [await stream(served) for _ in range(12)]
        await eventually(lambda: served.toy.watching == 12)
        reader, one_more = await served.connect(HEALTH)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert json.loads(answer.split(b"\r\n\r\n")[1])["code"] == "unavailable"
        assert await status(tmp_path) == 200
        for _, writer in (*streams, ("", one_more)):
            writer.close()


async def test_idle_clients_of_the_socket_make_room_for_new_ones(tmp_path: Path) -> None:
    async with serving(tmp_path, most_clients=8) as served:
        with ExitStack() as idle:
            for _ in range(20):
                idle.enter_context(socket.socket(socket.AF_UNIX)).connect(str(tmp_path / "api.sock"))
            assert await status(tmp_path) == 200
            assert (await served.http.get("/healthz")).status == 200


@pytest.mark.parametrize("drip", [b"", b"X"])
async def test_a_client_shows_its_token_soon_or_goes(
    tmp_path: Path, drip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "SHOW_TOKEN_S", 0.2)
    async with serving(tmp_path) as served:
        known, known_writer = await served.connect(
            b"GET /logs/nothing HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
            + served.tokens.mint(LOGS, 60).encode()
            + b"\r\n\r\n"
        )
        await known.readuntil(b"}")
        reader, writer = await served.connect(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        closed = asyncio.create_task(is_closed(reader))
        while not closed.done():
            writer.write(drip)
            await asyncio.sleep(0.01)
        known_writer.write(HEALTH)
        await known.readuntil(b"ok\n")
        writer.close()
        known_writer.close()
