"""Large answers are made beside the event loop, in the form that was asked for."""

from __future__ import annotations

import threading

import pytest

from connect_server.calls import Call
from connect_server.codecs import SMALL_BYTES, BinaryCodec, Encoded, JSONCodec, Shared, encoded
from platform_wire import environment_automation_pb2 as pb

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize(
    ("codec", "data"),
    [
        (BinaryCodec(), pb.GetTaskRequest(id="a").SerializeToString()),
        (JSONCodec(), b'{"id":"a"}'),
    ],
)
async def test_large_answer_is_made_and_encoded_in_a_thread(
    codec: BinaryCodec | JSONCodec, data: bytes
) -> None:
    made_in: list[threading.Thread] = []

    def make() -> pb.GetTaskRequest:
        made_in.append(threading.current_thread())
        return pb.GetTaskRequest(id="a")

    small = await encoded(make, SMALL_BYTES, Call(codec))
    large: object = await encoded(make, SMALL_BYTES + 1, Call(codec))

    assert [thread is threading.current_thread() for thread in made_in] == [True, False]
    assert small.id == "a"
    assert isinstance(large, Encoded)
    assert large.data.replace(b" ", b"") == data


async def test_shared_message_is_encoded_once_in_each_form() -> None:
    shared = Shared(pb.GetTaskRequest(id="a"))
    for codec in (BinaryCodec(), JSONCodec()):
        data = codec.encode(shared)
        assert data == codec.encode(pb.GetTaskRequest(id="a"))
        assert type(codec)().encode(shared) is data
