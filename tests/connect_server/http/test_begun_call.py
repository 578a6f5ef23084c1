"""A call that one server has begun is answered by the next one, on the client's connection."""

import asyncio
import gzip
import json
import os
from pathlib import Path

import pytest

from connect_server.http import server
from connect_server.http.begun_call import BegunCall, Caller
from connect_server.http.server import Released
from platform_wire import environment_automation_pb2 as pb
from tests.connect_server.serving import ALL, ENVIRONMENT, GET_SERVICE, ID, JSON, Served, eventually, serving

pytestmark = pytest.mark.anyio

OTHER = ID.replace("9", "8")
BODY = json.dumps({"id": ID}).encode()
PASSED_ON = pb.GetServiceRequest(id=OTHER)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def begun_call(
    served: Served, head: bytes, body: bytes, behind: bytes = b""
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection whose call the toy does not answer."""
    served.toy.answer, served.toy.passed_on = asyncio.Event().wait, PASSED_ON
    reader, writer = await served.connect(head + body + behind)
    await served.toy.called.wait()
    return reader, writer


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, object]]:
    """The next response: its status and its body as JSON."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length: ")[2].partition("\r")[0])
    return int(head.split()[1]), json.loads(await reader.readexactly(length))


def head(served: Served, body: bytes, **headers: str) -> bytes:
    known = {"Content_Type": "application/json", "Content_Length": str(len(body)), **headers}
    return served.head(GET_SERVICE, **known)


async def test_next_server_answers_what_the_handler_said_on_the_same_connection(tmp_path: Path) -> None:
    async with serving(tmp_path) as first:
        reader, writer = await begun_call(first, head(first, BODY), BODY)
        released = await first.server.release_connections()
    assert (released.idle, len(released.begun)) == ((), 1)
    # With another key the token of the request is good for nothing any more.
    async with serving(tmp_path, connections=released, key=b"K" * 32) as second:
        status, body = await answer(reader)
        assert (status, body["service"]) == (200, {"id": OTHER, "environmentId": ENVIRONMENT})
        assert second.toy.callers == first.toy.callers == [Caller(ENVIRONMENT, ALL, host="localhost")]
        writer.write(head(first, BODY) + BODY)
        assert (await answer(reader))[0] == 401
        writer.close()


async def test_call_is_passed_on_from_server_to_server_until_one_answers(tmp_path: Path) -> None:
    async with serving(tmp_path) as first:
        packed = gzip.compress(BODY)
        sent = head(first, packed, Content_Encoding="gzip", Connect_Timeout_Ms="60000")
        reader, writer = await begun_call(first, sent, packed)
        released = await first.server.release_connections()
    for _ in range(2):
        async with serving(tmp_path, connections=released) as next_one:
            next_one.toy.answer, next_one.toy.passed_on = asyncio.Event().wait, PASSED_ON
            await next_one.toy.called.wait()
            released = await next_one.server.release_connections()
    (call,) = released.begun.values()
    lines = BegunCall.decoded(call).request.partition(b"\r\n\r\n")[0].split(b"\r\n")
    timeouts = [int(line.partition(b": ")[2]) for line in lines if line.startswith(b"Connect-Timeout-Ms")]
    assert len(timeouts) == 1
    assert 0 < timeouts[0] < 60000
    async with serving(tmp_path, connections=released):
        assert (await answer(reader))[0] == 200
        writer.close()


async def test_client_that_leaves_cancels_the_handler_of_the_next_server(tmp_path: Path) -> None:
    async with serving(tmp_path) as first:
        _, writer = await begun_call(first, head(first, BODY), BODY)
        released = await first.server.release_connections()
    left = asyncio.Event()

    async def wait_for_the_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    async with serving(tmp_path, connections=released) as second:
        second.toy.answer = wait_for_the_end
        await second.toy.called.wait()
        writer.close()
        await left.wait()


async def test_deadline_goes_on_with_the_call(tmp_path: Path) -> None:
    async with serving(tmp_path) as first:
        reader, writer = await begun_call(first, head(first, BODY, Connect_Timeout_Ms="100"), BODY)
        released = await first.server.release_connections()
    if released.begun:  # it had not passed yet
        async with serving(tmp_path, connections=released) as second:
            second.toy.answer = asyncio.Event().wait
            _, body = await answer(reader)
    else:
        _, body = await answer(reader)
    assert body["code"] == "deadline_exceeded"
    writer.close()


@pytest.mark.parametrize("behind", [b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /hea"])
async def test_call_with_a_request_behind_it_stays_where_it_is(
    tmp_path: Path, behind: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "RELEASE_S", 0.0)
    async with serving(tmp_path) as first:
        reader, writer = await begun_call(first, head(first, BODY), BODY)
        writer.write(behind)
        (connection,) = first.connections()
        await eventually(lambda: connection._behind)
        assert await first.server.release_connections() == Released()
    assert await reader.read() == b""
    writer.close()


async def test_call_of_a_handler_that_says_nothing_is_answered_or_breaks_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "RELEASE_S", 0.0)
    async with serving(tmp_path) as first:
        first.toy.answer = asyncio.Event().wait
        call = asyncio.create_task(first.http.post(GET_SERVICE, data=BODY, headers=JSON))
        await first.toy.called.wait()
        assert await first.server.release_connections() == Released()
    assert isinstance((await asyncio.gather(call, return_exceptions=True))[0], Exception)


async def test_server_that_has_not_begun_to_serve_gives_up_what_it_was_given(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    given = Released((read_end,), {write_end: b"{}\n"})
    async with serving(tmp_path, connections=given, begins=False) as served:
        assert await served.server.release_connections() == given
    os.close(read_end)
    os.close(write_end)


def test_what_is_added_to_a_call_by_another_version_is_no_matter() -> None:
    call = BegunCall(Caller("me", "all", True, "host:80"), b"POST / HTTP/1.1\r\n\r\na\nb")
    line, _, request = call.encoded().partition(b"\n")
    more = json.dumps({**json.loads(line), "of the future": 1}).encode()
    assert BegunCall.decoded(more + b"\n" + request) == call
