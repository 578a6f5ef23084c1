"""Methods that are carried elsewhere: over real sockets, with a carrier in place of the other process."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import anyio
import pytest

from connect_server import relayed
from connect_server.calls import Surroundings
from connect_server.connect_errors import Code, ConnectError
from connect_server.relayed import CarriedCall, CarriedMethod
from connect_server.service_routes import Mount, service_routes
from connect_server.validation import Validator
from platform_wire import environmentopts_pb2 as pb
from tests.connect_server.serving import PROGRAM, Served, envelope, error, eventually, next_envelope, serving

pytestmark = pytest.mark.anyio
READ = "/supervisor.v1.EnvironmentOpsService/ReadFile"
WATCH = "/supervisor.v1.EnvironmentOpsService/Watch"
PROTO = {"Content-Type": "application/proto"}
LIMIT = 1 << 20
PIECE = 1 << 18


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Elsewhere:
    """Answers ReadFile with what it was sent, a number of times, and Watch with what `told` gets."""

    DESCRIPTOR = pb.DESCRIPTOR.services_by_name["EnvironmentOpsService"]

    def __init__(self) -> None:
        self.times = 1
        self.fails: ConnectError | None = None
        self.held = asyncio.Event()
        self.held.set()
        self.forms: list[str] = []
        self.open = 0
        self.largest = 0
        """Piece of a request."""
        self.asked = 0
        """For how many further pieces."""
        self.subscribed = asyncio.Event()
        self.told: asyncio.Queue[bytes] = asyncio.Queue()

    def carried(self, method: str, form: str) -> CarriedMethod | None:
        if method == "ReadFile":
            return CarriedMethod(self._begin, LIMIT)
        return CarriedMethod(self._begin, LIMIT, streams=True) if method == "Watch" else None

    def _begin(self, form: str) -> AbstractAsyncContextManager[CarriedCall]:
        self.forms.append(form)
        return self._call()

    @asynccontextmanager
    async def _call(self) -> AsyncIterator[CarriedCall]:
        self.open += 1
        try:
            yield Echo(self)
        finally:
            self.open -= 1


class Echo:
    def __init__(self, of: Elsewhere) -> None:
        self._of = of
        self._data = b""

    async def send(self, piece: bytes) -> None:
        if self._of.fails is not None:
            raise self._of.fails
        self._of.largest = max(self._of.largest, len(piece))
        self._data += piece

    async def finish(self) -> None:
        self._data *= self._of.times

    async def answer(self) -> tuple[int, bytes]:
        await self._of.held.wait()
        size = len(self._data)
        return size, self._cut()

    async def more(self) -> bytes:
        self._of.asked += 1
        return self._cut()

    async def begun(self) -> bytes | None:
        await self._of.subscribed.wait()
        return None

    async def messages(self, first: bytes | None) -> AsyncIterator[bytes]:
        while message := await self._of.told.get():
            yield message

    def _cut(self) -> bytes:
        piece, self._data = self._data[:PIECE], self._data[PIECE:]
        return piece


@asynccontextmanager
async def carrying(folder: Path, still_s: float = 30.0) -> AsyncIterator[tuple[Served, Elsewhere]]:
    elsewhere = Elsewhere()
    around = Surroundings(PROGRAM, Validator({}), asyncio.Event())
    routes = service_routes([elsewhere], Mount(around, body_still_s=still_s))
    async with serving(folder, routes=routes) as served:
        yield served, elsewhere


async def test_bytes_are_carried_both_ways_as_they_are(tmp_path: Path) -> None:
    async with carrying(tmp_path) as (served, elsewhere):
        for form, body in (("proto", b"\xff\x00no message"), ("json", b"{nor this")):
            response = await served.http.post(
                READ, data=body, headers={"Content-Type": f"application/{form}"}
            )
            assert (response.status, await response.read()) == (200, body)
            assert response.headers["Content-Type"] == f"application/{form}"
        assert elsewhere.forms == ["proto", "json"]


async def test_a_compressed_request_is_unpacked(tmp_path: Path) -> None:
    async with carrying(tmp_path) as (served, elsewhere):
        head = {**PROTO, "Content-Encoding": "gzip"}
        response = await served.http.post(READ, data=gzip.compress(b"x" * 1000), headers=head)
        assert await response.read() == b"x" * 1000
        response = await served.http.post(READ, data=gzip.compress(bytes(LIMIT)), headers=head)
        assert await response.read() == bytes(LIMIT)
        response = await served.http.post(READ, data=gzip.compress(bytes(LIMIT + 1)), headers=head)
        assert (await error(response))[:2] == (429, "resource_exhausted")
        assert 0 < elsewhere.largest <= PIECE


async def test_a_request_that_is_not_gzip_is_refused(tmp_path: Path) -> None:
    async with carrying(tmp_path) as (served, _):
        packed = gzip.compress(b"x" * 1000)
        for body in (b"plain", packed[:-1], packed + b"x", packed + bytes(1 << 18), b""):
            head = {**PROTO, "Content-Encoding": "gzip"}
            response = await served.http.post(READ, data=body, headers=head)
            assert (await error(response))[:2] == (400, "invalid_argument")
        response = await served.http.post(READ, data=b"", headers={**PROTO, "Content-Encoding": "br"})
        assert (await error(response))[1] == "unimplemented"


async def test_a_large_answer_has_its_length_and_comes_piece_by_piece(tmp_path: Path) -> None:
    async with carrying(tmp_path) as (served, elsewhere):
        elsewhere.times = 20
        response = await served.http.post(READ, data=b"x" * 100_000, headers=PROTO)
        assert response.headers["Content-Length"] == "2000000"
        assert await response.read() == b"x" * 2_000_000
        assert elsewhere.asked == 7
        await eventually(lambda: not elsewhere.open)


async def test_a_request_that_is_too_large_or_fails_early_is_read_to_its_end(tmp_path: Path) -> None:
    async with carrying(tmp_path) as (served, elsewhere):
        for fails, size in ((None, 9 << 20), (ConnectError(Code.UNAVAILABLE, "away"), LIMIT)):
            elsewhere.fails = fails
            head = served.head(READ, Content_Type="application/proto", Content_Length=str(size))
            reader, writer = await served.connect(head)
            for _ in range(0, size, PIECE):  # as a client that sends everything before it reads
                writer.write(bytes(PIECE))
                await writer.drain()
            answer = await reader.readuntil(b"}")
            assert (b"unavailable" if fails else b"resource_exhausted") in answer
            writer.close()


async def test_a_request_that_stands_still_is_given_up(tmp_path: Path) -> None:
    async with carrying(tmp_path, still_s=0.05) as (served, elsewhere):
        head = served.head(READ, Content_Type="application/proto", Content_Length="100")
        reader, writer = await served.connect(head + b"x")
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 504 ")
        await eventually(lambda: not elsewhere.open)
        writer.close()


async def test_a_client_that_leaves_ends_its_call(tmp_path: Path) -> None:
    async with carrying(tmp_path) as (served, elsewhere):
        elsewhere.held.clear()
        head = served.head(READ, Content_Type="application/proto", Content_Length="1")
        _, writer = await served.connect(head + b"x")
        await eventually(lambda: elsewhere.open == 1)
        writer.close()
        await eventually(lambda: elsewhere.open == 0)


async def test_a_deadline_ends_the_call(tmp_path: Path) -> None:
    async with carrying(tmp_path) as (served, elsewhere):
        elsewhere.held.clear()
        response = await served.http.post(READ, data=b"", headers={**PROTO, "Connect-Timeout-Ms": "50"})
        assert (await error(response))[:2] == (504, "deadline_exceeded")
        assert elsewhere.open == 0


async def test_a_client_that_does_not_take_its_answer_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relayed, "STALLED_S", 0.1)
    async with carrying(tmp_path) as (served, elsewhere):
        elsewhere.times = 40
        head = served.head(READ, Content_Type="application/proto", Content_Length=str(LIMIT))
        reader, writer = await served.connect(head + bytes(LIMIT))
        await eventually(lambda: elsewhere.asked > 0)
        await eventually(lambda: elsewhere.open == 0)
        assert elsewhere.asked < 4 * 40 - 1
        with suppress(ConnectionResetError):
            while await reader.read(1 << 20):
                pass
        writer.close()


async def test_the_head_of_a_stream_goes_out_once_the_subscription_stands(tmp_path: Path) -> None:
    async with carrying(tmp_path) as (served, elsewhere):
        head = {"Content-Type": "application/connect+proto"}
        asking = asyncio.create_task(served.http.post(WATCH, data=envelope(b""), headers=head))
        await eventually(lambda: elsewhere.open == 1)
        with anyio.move_on_after(0.1):
            await asyncio.wait([asking])
        assert not asking.done()
        elsewhere.subscribed.set()
        response: aiohttp.ClientResponse = await asking
        elsewhere.told.put_nowait(b"first")
        assert (await next_envelope(response))[1] == b"first"
        response.close()
        await eventually(lambda: elsewhere.open == 0)
