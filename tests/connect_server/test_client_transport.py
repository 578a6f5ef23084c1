"""Generated clients over aiohttp, against a server of the toolbox."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path

import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from pyqwest import Client

from connect_server.client_transport import AiohttpTransport
from platform_wire import environment_automation_pb2 as automation_pb
from platform_wire import event_pb2
from platform_wire.environment_automation_connect import EnvironmentAutomationServiceClient
from platform_wire.event_connect import EventServiceClient
from tests.connect_server.serving import ALL, ID, Missing, serving

pytestmark = pytest.mark.anyio
REQUEST = automation_pb.GetServiceRequest(id=ID)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_call_over_tcp_with_a_token_and_its_error(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, AiohttpTransport() as transport:
        client = EnvironmentAutomationServiceClient(served.url, http_client=Client(transport))
        headers = {"Authorization": f"Bearer {served.tokens.mint(ALL, 60)}"}

        assert (await client.get_service(REQUEST, headers=headers)).service.id == ID
        served.toy.fails_with = Missing("cannot find it")
        with pytest.raises(ConnectError, match="cannot find it") as caught:
            await client.get_service(REQUEST, headers=headers)
        assert caught.value.code is Code.NOT_FOUND
        with pytest.raises(ConnectError) as caught:
            await client.get_service(REQUEST)
        assert caught.value.code is Code.UNAUTHENTICATED


async def test_a_call_and_a_stream_over_a_unix_socket(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, AiohttpTransport(str(tmp_path / "api.sock")) as transport:
        automations = EnvironmentAutomationServiceClient("http://local", http_client=Client(transport))
        events = EventServiceClient("http://local", http_client=Client(transport))

        assert (await automations.get_service(REQUEST)).service.id == ID
        served.toy.tell("r1")
        served.toy.tell("r2")
        async with aclosing(events.watch_events(event_pb2.WatchEventsRequest())) as stream:  # type: ignore[type-var]
            seen = [(await anext(stream)).resource_id for _ in range(2)]
        assert seen == ["r1", "r2"]


async def test_nobody_there(tmp_path: Path) -> None:
    async with AiohttpTransport(str(tmp_path / "none.sock")) as transport:
        client = EnvironmentAutomationServiceClient("http://local", http_client=Client(transport))
        with pytest.raises(ConnectError) as caught:
            await client.get_service(REQUEST)
        assert caught.value.code is Code.UNAVAILABLE
