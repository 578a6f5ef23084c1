"""The server as a whole: what it answers by itself, whom it gives up, how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from connect_server.http import server
from connect_server.http.server import STOP_GRACE_S, SilentObserver
from tests.connect_server.serving import (
    GET_SERVICE,
    ID,
    JSON,
    WATCH,
    Served,
    envelope,
    error,
    eventually,
    next_envelope,
    serving,
)

pytestmark = pytest.mark.anyio
BODY = json.dumps({"id": ID}).encode()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Told(SilentObserver):
    """A program that waits for something, and has a metric."""

    waits_for = "the file was not read"

    async def metrics(self) -> bytes:
        return b"answer 42\n"

    def not_ready(self) -> str:
        return self.waits_for


async def test_readiness_says_what_is_waited_for(tmp_path: Path) -> None:
    observer = Told()
    async with serving(tmp_path, observer=observer) as served:
        status, code, message = await error(await served.bare.get("/readyz"))
        assert (status, code) == (503, "unavailable")
        assert "the file was not read" in message
        assert (await served.bare.get("/healthz")).status == 200
        observer.waits_for = ""
        assert (await served.bare.get("/readyz")).status == 200


async def test_metrics_are_served(tmp_path: Path) -> None:
    async with serving(tmp_path, observer=Told()) as served:
        response = await served.http.get("/metrics")
        assert response.content_type == "text/plain"
        assert await response.text() == "answer 42\n"


async def test_the_socket_and_tcp_serve_the_same(tmp_path: Path) -> None:
    async with (
        serving(tmp_path) as served,
        aiohttp.ClientSession(
            "http://x", connector=aiohttp.UnixConnector(str(tmp_path / "api.sock"))
        ) as local,
    ):
        for client in (local, served.http):
            assert (await client.post(GET_SERVICE, data=BODY, headers=JSON)).status == 200
        here, there = served.toy.callers
        assert (here.subject, here.scope) == (there.subject, there.scope)


async def test_the_server_says_little_about_itself(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for path in ("/healthz", "/nothing"):
            assert (await served.http.get(path)).headers["Server"] == "demo"


@pytest.mark.parametrize(
    "data",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nno header\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"secret" * 10_000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_in_json_and_not_logged(
    tmp_path: Path, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path) as served:
        reader, writer = await served.connect(data)
        head, body = (await reader.read()).split(b"\r\n\r\n")
        assert head.split()[1] == b"400"
        assert json.loads(body)["code"] == "invalid_argument"
        assert b"secret" not in body
        writer.close()
    assert caplog.records == []


@pytest.mark.parametrize(
    "data", [b"", b"GET /healthz HTTP/1.1\r\nHost: ", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"]
)
async def test_a_connection_without_a_whole_request_is_closed_in_time(tmp_path: Path, data: bytes) -> None:
    async with serving(tmp_path, idle_s=0.2) as served:
        reader, writer = await served.connect(data)
        begun = time.monotonic()
        await reader.read()  # up to the end of the connection
        assert 0.1 < time.monotonic() - begun < 5
        writer.close()


async def test_a_stream_may_be_silent_for_longer(tmp_path: Path) -> None:
    async with serving(tmp_path, idle_s=0.05) as served:
        response = await watch(served)
        await asyncio.sleep(0.2)
        served.toy.tell("r1")
        assert (await next_envelope(response))[0] == 0


async def test_a_response_that_breaks_off_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        raise RuntimeError("the other half is missing")

    async with serving(tmp_path, routes=[web.get("/logs/half", half)]) as served:
        response = await served.http.get("/logs/half")
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
    assert "the other half is missing" in caplog.text


async def watch(served: Served) -> aiohttp.ClientResponse:
    headers = {"Content-Type": "application/connect+json"}
    return await served.http.post(WATCH, data=envelope(b"{}"), headers=headers)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> float:
    """A server that waits so long for calls, which no busy machine makes of what needs no wait."""
    monkeypatch.setattr(server, "STOP_GRACE_S", 10.0)
    return 10.0


async def test_the_end_ends_streams_at_once_and_says_why(tmp_path: Path, patient: float) -> None:
    async with serving(tmp_path) as served:
        stream = await watch(served)
        lines = await served.http.post(WATCH, data=b"{}", headers={**JSON, "Accept": "application/jsonl"})
        begun = time.monotonic()
        served.stop()
        expected = {"error": {"code": "unavailable", "message": "the demo stops"}}
        flags, data = await next_envelope(stream)
        assert (flags, json.loads(data)) == (2, expected)
        assert json.loads(await lines.read()) == expected
        assert time.monotonic() - begun < patient
        await eventually(lambda: not (tmp_path / "api.sock").exists())


async def test_the_end_lets_a_call_in_progress_finish(tmp_path: Path, patient: float) -> None:
    async with serving(tmp_path) as served:
        served.toy.answer = lambda: asyncio.sleep(patient / 200)
        call = asyncio.create_task(served.http.post(GET_SERVICE, data=BODY, headers=JSON))
        await served.toy.called.wait()
        served.stop()
        assert (await call).status == 200


async def test_the_end_does_not_wait_for_a_call_that_hangs(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.toy.answer = asyncio.Event().wait
        call = asyncio.create_task(served.http.post(GET_SERVICE, data=BODY, headers=JSON))
        await served.toy.called.wait()
        begun = time.monotonic()
        served.stop()
        with pytest.raises(aiohttp.ClientError):
            (await call).raise_for_status()
        assert time.monotonic() - begun < 10 * STOP_GRACE_S


async def test_the_end_does_not_wait_for_idle_connections(tmp_path: Path, patient: float) -> None:
    async with serving(tmp_path) as served:
        reader, writer = await served.connect()
        await served.bare.get("/healthz")
        begun = time.monotonic()
        served.stop()
        assert await reader.read() == b""
        assert time.monotonic() - begun < patient
        writer.close()


async def test_the_end_removes_the_socket_and_frees_the_port(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        port = served.port
        await served.bare.get("/healthz")
    assert os.listdir(tmp_path) == []
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
