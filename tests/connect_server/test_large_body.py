"""An answer of many megabytes comes whole, while others are answered."""

import asyncio
import time
from pathlib import Path

import pytest

from platform_wire import environment_automation_pb2 as pb
from tests.connect_server.serving import GET_SERVICE, ID, serving

pytestmark = pytest.mark.anyio
SIZE = 16 << 20


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_large_answer_is_sent_as_it_is_while_others_are_answered(tmp_path: Path, encoding: str) -> None:
    async with serving(tmp_path) as served:
        served.toy.name = "x" * SIZE
        headers = {"Content-Type": "application/proto", "Accept-Encoding": encoding}
        body = pb.GetServiceRequest(id=ID).SerializeToString()
        response = await served.http.post(GET_SERVICE, data=body, headers=headers)
        assert response.headers.get("Content-Encoding") is None
        assert int(response.headers["Content-Length"]) > SIZE
        slowest_s, read = 0.0, asyncio.create_task(response.read())
        while not read.done():
            begun = time.monotonic()
            await (await served.bare.get("/healthz")).read()
            slowest_s = max(slowest_s, time.monotonic() - begun)
        answer = pb.GetServiceResponse.FromString(await read)
        assert answer.service.metadata.name == served.toy.name
        print(f"the slowest other answer took {slowest_s * 1000:.0f} ms")


async def test_client_that_leaves_in_the_middle_is_no_matter(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.toy.name = "x" * SIZE
        body = pb.GetServiceRequest(id=ID).SerializeToString()
        head = served.head(GET_SERVICE, Content_Type="application/proto", Content_Length=str(len(body)))
        reader, writer = await served.connect(head + body)
        await reader.readexactly(1 << 20)
        writer.transport.abort()
        assert (await served.bare.get("/healthz")).status == 200
