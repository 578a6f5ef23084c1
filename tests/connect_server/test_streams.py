"""Server streams in their three forms."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from platform_wire import event_pb2 as pb
from tests.connect_server.serving import (
    WATCH,
    Missing,
    Served,
    envelope,
    error,
    eventually,
    next_envelope,
    serving,
)

pytestmark = pytest.mark.anyio
CONNECT = {"Content-Type": "application/connect+json"}
LINES = {"Content-Type": "application/json", "Accept": "application/jsonl"}
FORMS = [(CONNECT, envelope(b"{}")), (LINES, b"{}")]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def watch(served: Served, headers: dict[str, str], body: bytes) -> aiohttp.ClientResponse:
    return await served.http.post(WATCH, data=body, headers=headers)


async def next_id(response: aiohttp.ClientResponse) -> str:
    if response.content_type == "application/jsonl":
        data = await response.content.readline()
    else:
        flags, data = await next_envelope(response)
        assert flags == 0
    return str(json.loads(data)["resourceId"])


@pytest.mark.parametrize(("headers", "body"), FORMS)
async def test_the_head_comes_once_the_handler_watches(
    tmp_path: Path, headers: dict[str, str], body: bytes
) -> None:
    async with serving(tmp_path) as served:
        response = await watch(served, headers, body)  # returns with the head
        assert response.status == 200
        assert response.content_type == headers.get("Accept", headers["Content-Type"])
        assert served.toy.watching == 1


@pytest.mark.parametrize(("headers", "body"), FORMS)
async def test_every_message_comes_at_once(tmp_path: Path, headers: dict[str, str], body: bytes) -> None:
    async with serving(tmp_path) as served:
        response = await watch(served, headers, body)
        for number in range(20):
            served.toy.tell(f"r{number}")
            assert await next_id(response) == f"r{number}"


@pytest.mark.parametrize(("headers", "body"), FORMS)
async def test_messages_that_are_there_already(tmp_path: Path, headers: dict[str, str], body: bytes) -> None:
    async with serving(tmp_path) as served:
        for number in range(5):
            served.toy.tell(f"r{number}")
        response = await watch(served, headers, body)
        assert [await next_id(response) for _ in range(5)] == [f"r{number}" for number in range(5)]


async def test_a_stream_of_protobuf(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        response = await watch(served, {"Content-Type": "application/connect+proto"}, envelope(b""))
        assert response.content_type == "application/connect+proto"
        served.toy.tell("r1")
        flags, data = await next_envelope(response)
        assert flags == 0
        assert pb.WatchEventsResponse.FromString(data).resource_id == "r1"


async def test_a_stream_ends(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        response = await watch(served, *FORMS[0])
        served.toy.news.put_nowait(None)
        assert await next_envelope(response) == (2, b"{}")
        assert await response.read() == b""
        response = await watch(served, *FORMS[1])
        served.toy.news.put_nowait(None)
        assert await response.read() == b""


async def test_a_stream_of_nothing_is_one(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.toy.news.put_nowait(None)
        response = await watch(served, *FORMS[1])
        assert (response.status, response.content_type) == (200, "application/jsonl")
        assert await response.read() == b""


async def test_an_error_after_the_first_message(tmp_path: Path) -> None:
    expected = {"error": {"code": "not_found", "message": "gone"}}
    async with serving(tmp_path) as served:
        for headers, body in FORMS:
            response = await watch(served, headers, body)
            served.toy.tell("r1")
            assert await next_id(response) == "r1"
            served.toy.news.put_nowait(Missing("gone"))
            if headers is LINES:
                assert json.loads(await response.read()) == expected
            else:
                flags, data = await next_envelope(response)
                assert (flags, json.loads(data)) == (2, expected)


async def test_an_error_before_the_first_message(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.toy.news.put_nowait(Missing("gone"))
        response = await watch(served, *FORMS[0])
        assert response.status == 200  # as Connect has it: the error is in the stream
        flags, data = await next_envelope(response)
        assert (flags, json.loads(data)) == (2, {"error": {"code": "not_found", "message": "gone"}})
        served.toy.news.put_nowait(Missing("gone"))
        assert await error(await watch(served, *FORMS[1])) == (404, "not_found", "gone")


@pytest.mark.parametrize("body", [b'{"scop": 1}', b"{", b"", b"[]", b'{"resourceTypeFilters": [{}]}'])
async def test_a_body_that_is_no_request(tmp_path: Path, body: bytes) -> None:
    async with serving(tmp_path) as served:
        status, code, message = await error(await watch(served, LINES, body))
        assert (status, code) == (400, "invalid_argument")
        response = await watch(served, CONNECT, envelope(body))
        flags, data = await next_envelope(response)
        assert (flags, json.loads(data)) == (2, {"error": {"code": code, "message": message}})


@pytest.mark.parametrize(
    "body", [b"\0\0\0\0", b"\0\0\0\0\x09{}", b"\xff\0\0\0\0", b"", b"\0\xff\xff\xff\xff"]
)
async def test_a_broken_envelope(tmp_path: Path, body: bytes) -> None:
    async with serving(tmp_path) as served:
        response = await watch(served, CONNECT, body)
        flags, data = await next_envelope(response)
        assert flags == 2
        assert json.loads(data)["error"]["code"] in (
            "invalid_argument",
            "unimplemented",
            "resource_exhausted",
        )


@pytest.mark.parametrize(("headers", "body"), FORMS)
async def test_a_client_that_leaves_ends_its_stream(
    tmp_path: Path, headers: dict[str, str], body: bytes
) -> None:
    async with serving(tmp_path) as served:
        responses = [await watch(served, headers, body) for _ in range(10)]
        assert served.toy.watching == 10
        for response in responses:
            response.close()
        await eventually(lambda: served.toy.watching == 0)


async def test_a_client_that_reads_nothing_holds_up_only_itself(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await watch(served, *FORMS[1])
        for _ in range(200):
            served.toy.tell("r" * 100_000)
        # Its stream takes messages until the socket's buffers are full, and then waits.
        left = -1
        while left != served.toy.news.qsize():
            left = served.toy.news.qsize()
            await served.http.get("/healthz")
        assert 0 < left < 200


@pytest.mark.parametrize(("headers", "body"), FORMS)
async def test_a_handler_that_is_a_coroutine_sends_the_head_when_it_has_subscribed(
    tmp_path: Path, headers: dict[str, str], body: bytes
) -> None:
    async with serving(tmp_path) as served:
        served.toy.subscribes = asyncio.Event()
        asked = asyncio.create_task(watch(served, headers, body))
        await served.toy.called.wait()
        assert (
            await served.http.post(WATCH, data=b"", headers=LINES)
        ).status == 400  # it serves others meanwhile
        assert not asked.done()
        served.toy.subscribes.set()
        response = await asked
        assert response.status == 200
        assert served.toy.watching == 1
        served.toy.tell("r1")
        assert await next_id(response) == "r1"


async def test_a_handler_that_cannot_subscribe(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.toy.subscribes = asyncio.Event()
        served.toy.subscribes.set()
        served.toy.fails_with = Missing("it is not there")
        assert await error(await watch(served, *FORMS[1])) == (404, "not_found", "it is not there")
        response = await watch(served, *FORMS[0])
        flags, data = await next_envelope(response)
        assert (flags, json.loads(data)["error"]["code"]) == (2, "not_found")
        assert served.toy.watching == 0


async def test_a_client_that_leaves_a_handler_which_subscribes(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.toy.subscribes = asyncio.Event()
        asked = asyncio.create_task(watch(served, *FORMS[0]))
        await served.toy.called.wait()
        asked.cancel()
        await asyncio.wait([asked])
        assert served.toy.watching == 0
