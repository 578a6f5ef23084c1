"""Large answers are made beside the event loop, in the form that was asked for."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from connect_server.codecs import SMALL_BYTES, Encoded, encoded
from platform_wire import environment_automation_pb2 as pb

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def called(content_type: str) -> SimpleNamespace:
    """The context of a call with a body of this type."""
    return SimpleNamespace(request_headers={"content-type": content_type})


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        ("application/proto", pb.GetTaskRequest(id="a").SerializeToString()),
        ("application/json", b'{"id":"a"}'),
        ("Application/JSON; charset=utf-8", b'{"id":"a"}'),
    ],
)
async def test_large_answer_is_made_and_encoded_in_a_thread(content_type: str, data: bytes) -> None:
    made_in: list[threading.Thread] = []

    def make() -> pb.GetTaskRequest:
        made_in.append(threading.current_thread())
        return pb.GetTaskRequest(id="a")

    small = await encoded(make, SMALL_BYTES, called(content_type))
    large: object = await encoded(make, SMALL_BYTES + 1, called(content_type))

    assert [thread is threading.current_thread() for thread in made_in] == [True, False]
    assert small.id == "a"
    assert isinstance(large, Encoded)
    assert large.data.replace(b" ", b"") == data
