"""The addresses that an environment reports, by how the caller came: a forwarded port must lead back to itself."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from supervisor.activity import ssh_server
from supervisor.api.platform.environment_urls import EnvironmentUrls
from tests.activity.sshd import MISSING, sshd
from tests.connect_server.serving import ALL, GET_SERVICE, ID, JSON, Served, serving

pytestmark = pytest.mark.anyio
LISTENING = "http://127.0.0.1:24424"
PUBLIC = "https://24424--env.example"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def reported(served: Served, urls: EnvironmentUrls, host: str = "", running: bool = True) -> Any:
    """What a caller is told; `host`: the name by which it came over TCP, empty: over the Unix socket."""
    found = []

    async def look() -> None:
        found.append(await urls.message(running))

    served.toy.answer = look
    if host:
        headers = {**JSON, "Host": host, "Authorization": f"Bearer {served.tokens.mint(ALL, 60)}"}
        response = await served.bare.post(GET_SERVICE, data=json.dumps({"id": ID}), headers=headers)
    else:
        connector = aiohttp.UnixConnector(str(served.listening.path))
        async with aiohttp.ClientSession("http://anything:1", connector=connector) as client:
            response = await client.post(GET_SERVICE, data=json.dumps({"id": ID}), headers=JSON)
    assert response.status == 200, await response.text()
    return found[-1]


async def test_caller_over_tcp_gets_the_host_that_it_used(tmp_path: Path) -> None:
    async with serving(tmp_path, host_names=["box.example"]) as served:
        urls = EnvironmentUrls("", LISTENING)
        for host in ("localhost:9999", "127.0.0.1", "[::1]:8", "box.example:443"):
            assert (await reported(served, urls, host)).ops == f"http://{host}"


async def test_caller_on_the_socket_gets_the_address_that_listens(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        assert (await reported(served, EnvironmentUrls("", LISTENING))).ops == LISTENING
        assert (await reported(served, EnvironmentUrls("", ""))).ops == ""


async def test_public_url_decides_for_all(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for listening in (LISTENING, ""):
            urls = EnvironmentUrls(PUBLIC, listening)
            assert (await reported(served, urls, "localhost:9999")).ops == PUBLIC
            assert (await reported(served, urls)).ops == PUBLIC
            assert (await reported(served, urls)).logs == f"{PUBLIC}/logs"


async def test_environment_that_stops_has_no_place_to_work(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for urls in (EnvironmentUrls("", LISTENING), EnvironmentUrls(PUBLIC, LISTENING)):
            found = await reported(served, urls, "localhost:9999", running=False)
            assert found.ops == ""
            assert found.logs != ""


@pytest.mark.slow
@pytest.mark.skipif(MISSING, reason="there is no sshd here")
async def test_ssh_is_reported_while_an_sshd_runs(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        before = ssh_server.ssh_port()
        with sshd(tmp_path) as server:
            expected = 22 if before == 22 else server.port
            urls = EnvironmentUrls("", LISTENING)
            found = await reported(served, urls, "localhost:9999")
            assert found.ssh.url == f"ssh://{getpass.getuser()}@localhost:{expected}"
            found = await reported(served, EnvironmentUrls("https://[fe80::1]/x", ""))
            assert found.ssh.url == f"ssh://{getpass.getuser()}@[fe80::1]:{expected}"
            nameless = await reported(served, EnvironmentUrls("", LISTENING, uid=64999))
            assert nameless.ssh.url == f"ssh://64999@127.0.0.1:{expected}"
        assert (await reported(served, EnvironmentUrls("", LISTENING))).ssh.url.count("ssh://") == bool(
            before
        )
