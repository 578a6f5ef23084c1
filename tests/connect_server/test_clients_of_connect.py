"""connectrpc's own client against a server of the toolbox: another implementation of the protocol as the judge."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from connectrpc.code import Code
from connectrpc.compat import google_protobuf_binary_codec, google_protobuf_json_codec
from connectrpc.compression.gzip import GzipCompression
from connectrpc.errors import ConnectError
from pyqwest import Client

from connect_server import connect_errors
from connect_server.client_transport import AiohttpTransport
from platform_wire import environment_automation_pb2 as automation_pb
from platform_wire import event_pb2
from platform_wire.environment_automation_connect import EnvironmentAutomationServiceClient
from platform_wire.event_connect import EventServiceClient
from tests.connect_server.serving import ENVIRONMENT, ID, Missing, serving

pytestmark = pytest.mark.anyio
CODECS = {"binary": google_protobuf_binary_codec, "JSON": google_protobuf_json_codec}
COMPRESSIONS = {"plain": None, "gzip": GzipCompression()}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def forms() -> list[Any]:
    """Every form that a client may speak, as its options."""
    found = []
    for name, codec in CODECS.items():
        for packed, compression in COMPRESSIONS.items():
            accepted = [compression] if compression else []
            options = {"codec": codec(), "send_compression": compression, "accept_compression": accepted}
            found.append(pytest.param(options, id=f"{name}, {packed}"))
    return found


@pytest.mark.parametrize("form", forms())
async def test_a_call_its_error_and_its_deadline(tmp_path: Path, form: dict[str, Any]) -> None:
    async with serving(tmp_path) as served, AiohttpTransport(str(tmp_path / "api.sock")) as transport:
        client = EnvironmentAutomationServiceClient("http://local/api", http_client=Client(transport), **form)
        request = automation_pb.GetServiceRequest(id=ID)

        service = (await client.get_service(request)).service
        assert (service.id, service.environment_id) == (ID, ENVIRONMENT)
        served.toy.name = "é" * 5000
        assert (await client.get_service(request)).service.metadata.name == served.toy.name

        served.toy.fails_with = Missing("cannot find it")
        assert await refused(client.get_service(request)) == (Code.NOT_FOUND, "cannot find it")
        served.toy.fails_with = Missing("é" * 5000)  # long enough to be compressed
        assert await refused(client.get_service(request)) == (Code.NOT_FOUND, "é" * 5000)
        code, message = await refused(client.get_service(automation_pb.GetServiceRequest(id="no uuid")))
        assert code is Code.INVALID_ARGUMENT
        assert "id must be a UUID" in message
        assert (await refused(client.list_tasks(automation_pb.ListTasksRequest())))[0] is Code.UNIMPLEMENTED

        served.toy.fails_with, served.toy.answer = None, asyncio.Event().wait
        assert (await refused(client.get_service(request, timeout_ms=50)))[0] is Code.DEADLINE_EXCEEDED


@pytest.mark.parametrize("form", forms())
async def test_a_stream_and_its_ends(tmp_path: Path, form: dict[str, Any]) -> None:
    request = event_pb2.WatchEventsRequest(environment_id=ENVIRONMENT)
    async with serving(tmp_path) as served, AiohttpTransport(str(tmp_path / "api.sock")) as transport:
        client = EventServiceClient("http://local", http_client=Client(transport), **form)

        async def seen(**options: Any) -> list[str]:
            stream: Any = client.watch_events(request, **options)
            async with aclosing(stream):
                return [event.resource_id async for event in stream]

        for name in ("r1", "é" * 5000):
            served.toy.tell(name)
        served.toy.news.put_nowait(None)
        assert await seen() == ["r1", "é" * 5000]
        served.toy.news.put_nowait(None)
        assert await seen() == []
        served.toy.news.put_nowait(Missing("gone"))
        assert await refused(seen()) == (Code.NOT_FOUND, "gone")
        served.toy.tell("r1")
        served.toy.news.put_nowait(Missing("gone"))
        assert await refused(seen()) == (Code.NOT_FOUND, "gone")
        assert (await refused(seen(timeout_ms=50)))[0] is Code.DEADLINE_EXCEEDED
        request.resource_type_filters.add(resource_type=999)
        assert (await refused(seen()))[0] is Code.INVALID_ARGUMENT


async def refused(call: Any) -> tuple[Code, str]:
    """The code and the message that a call ends with."""
    with pytest.raises(ConnectError) as caught:
        await call
    return caught.value.code, caught.value.message


def test_codes_are_those_of_connect() -> None:
    assert {each.name: each.value for each in connect_errors.Code} == {each.name: each.value for each in Code}
    assert set(connect_errors.STATUS) == set(connect_errors.Code)
