"""Who may call what, from where."""

from __future__ import annotations

import json
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from connect_server.http.begun_call import Caller
from connect_server.http.tokens import Tokens
from tests.connect_server.serving import (
    ALL,
    ENVIRONMENT,
    GET_SERVICE,
    ID,
    JSON,
    Served,
    error,
    issuer,
    serving,
)

pytestmark = pytest.mark.anyio
BODY = json.dumps({"id": ID}).encode()
OTHER_USER = 65534
PAGE = "https://app.example"
LEADS = [
    "localhost:1@evil.example",
    "[::1]evil.example",
    "[::1]:1@evil.example",
    "localhost:1/x",
    "127.0.0.1:x",
]
"""Values of Host that begin with a name of the server, and are another place in a URL."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def read_log(_request: web.Request) -> web.Response:
    return web.Response(text="a log")


async def broken(_request: web.Request) -> web.Response:
    raise web.HTTPBadRequest(text="offset must be a number")


ROUTES = [web.get("/logs/services/x", read_log), web.get("/api/logs/services/x", read_log)]


def bearer(token: str) -> dict[str, str]:
    return {**JSON, "Authorization": f"Bearer {token}"}


async def call(served: Served, headers: dict[str, str], path: str = GET_SERVICE) -> aiohttp.ClientResponse:
    return await served.bare.post(path, data=BODY, headers=headers)


async def refused(served: Served, headers: dict[str, str], path: str = GET_SERVICE) -> tuple[int, str, str]:
    return await error(await call(served, headers, path))


async def test_health_answers_anybody_and_nothing_else_does(tmp_path: Path) -> None:
    async with serving(tmp_path, routes=ROUTES) as served:
        for path in ("/healthz", "/readyz"):
            response = await served.bare.get(path, headers={"Host": "10.1.2.3"})
            assert (response.status, await response.text()) == (200, "ok\n")
        for path in ("/", "/metrics", "/logs/services/x", GET_SERVICE, "/healthz/", "/nothing"):
            response = await served.bare.get(path)
            assert response.headers["WWW-Authenticate"] == "Bearer"
            status, code, message = await error(response)
            assert (status, code) == (401, "unauthenticated")
            assert "missing" in message


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic dTpw", "token"])
async def test_an_authorization_that_is_none(tmp_path: Path, header: str) -> None:
    async with serving(tmp_path) as served:
        status, code, message = await refused(served, {**JSON, "Authorization": header})
        assert (status, code) == (401, "unauthenticated")
        assert "invalid" in message


async def test_a_bad_token_is_told_what_is_wrong(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        tokens = {
            "expired": served.tokens.mint(ALL, -1),
            "signature": Tokens(b"o" * 32, issuer()).mint(ALL, 60),
            "another environment": Tokens(b"o" * 32, issuer(ID)).mint(ALL, 60),
            "malformed": "nonsense",
        }
        for why, token in tokens.items():
            status, code, message = await refused(served, bearer(token))
            assert (status, code) == (401, "unauthenticated")
            assert why in message
            assert token not in message


async def test_a_token_of_the_environment_opens_everything(tmp_path: Path) -> None:
    async with serving(tmp_path, routes=ROUTES) as served:
        headers = bearer(served.tokens.mint(ALL, 60))
        assert (await call(served, headers)).status == 200
        assert served.toy.callers == [Caller(ENVIRONMENT, ALL, host=f"127.0.0.1:{served.port}")]
        assert (await served.bare.get("/logs/services/x", headers=headers)).status == 200
        headers["Authorization"] = headers["Authorization"].replace("Bearer ", "bearer   ")
        assert (await call(served, headers)).status == 200


@pytest.mark.parametrize("name", ["token", "access_token", "authorization"])
async def test_a_token_in_the_url_is_refused(tmp_path: Path, name: str) -> None:
    async with serving(tmp_path, routes=ROUTES) as served:
        token = served.tokens.mint(ALL, 60)
        for path in (GET_SERVICE, "/logs/services/x"):
            for headers in (JSON, bearer(token)):
                status, code, message = await refused(served, headers, f"{path}?{name}={token}")
                assert (status, code) == (401, "unauthenticated")
                assert "header" in message
                assert token not in message


async def test_refusals_of_plain_handlers_are_json_too(tmp_path: Path) -> None:
    async with serving(tmp_path, routes=[web.get("/logs/broken", broken)]) as served:
        assert await error(await served.http.get("/logs/broken")) == (
            400,
            "invalid_argument",
            "offset must be a number",
        )
        response = await served.http.post("/logs/broken")
        assert response.headers["Allow"] == "GET,HEAD"
        assert (await error(response))[0] == 405


async def test_host_must_be_a_name_of_this_server(tmp_path: Path) -> None:
    async with serving(tmp_path, host_names=["Box.Example:443", "24424--env.example"]) as served:
        headers = bearer(served.tokens.mint(ALL, 60))
        good = (
            "localhost",
            "LOCALHOST:1",
            "127.0.0.1:99",
            "[::1]",
            "[::1]:9",
            "box.example.",
            "24424--env.example",
        )
        for host in good:
            assert (await call(served, {**headers, "Host": host})).status == 200, host
        for host in (
            "evil.example",
            "localhost.evil.example",
            "127.0.0.2",
            "[::2]:1",
            "1.2.3.4",
            "",
            "::",
            *LEADS,
        ):
            status, code, message = await refused(served, {**headers, "Host": host})
            assert (status, code) == (403, "permission_denied"), host
            assert "--host-name" in message
            assert host == "" or host[:80] in message
        # The name is looked at first: a page that has none learns nothing about tokens.
        assert (await refused(served, {**JSON, "Host": "evil.example"}))[0] == 403


async def test_one_host_and_no_more(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for lines in (b"", b"Host: localhost\r\nHost: evil.example\r\n"):
            reader, writer = await served.connect(b"GET /metrics HTTP/1.1\r\n" + lines + b"\r\n")
            answer = await reader.readuntil(b"}")
            assert answer.split()[1] in (b"400", b"403")
            writer.close()


async def test_origin_must_be_allowed(tmp_path: Path) -> None:
    async with serving(tmp_path, origins=[PAGE + "/"]) as served:
        headers = bearer(served.tokens.mint(ALL, 60))
        for origin in (
            "https://evil.example",
            "null",
            "http://app.example",
            PAGE + ".evil",
            "http://localhost:1",
        ):
            response = await call(served, {**headers, "Origin": origin})
            assert "Access-Control-Allow-Origin" not in response.headers
            status, code, message = await error(response)
            assert (status, code) == (403, "permission_denied")
            assert "--allow-origin" in message
        for origin in (PAGE, served.url):
            assert (await call(served, {**headers, "Origin": origin})).status == 200


async def test_an_allowed_page_reads_answers_and_refusals(tmp_path: Path) -> None:
    async with serving(tmp_path, origins=[PAGE]) as served:
        headers = bearer(served.tokens.mint(ALL, 60))
        for response in (
            await call(served, {**headers, "Origin": PAGE}),
            await call(served, {**JSON, "Origin": PAGE}),
        ):
            assert response.headers["Access-Control-Allow-Origin"] == PAGE
            assert response.headers["Access-Control-Expose-Headers"] == "*"
            assert response.headers["Vary"] == "Origin" or "Origin" in response.headers.getall("Vary")


async def test_a_browser_asks_first_without_a_token(tmp_path: Path) -> None:
    async with serving(tmp_path, origins=[PAGE]) as served:
        asks = {
            "Origin": PAGE,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,connect-protocol-version",
            "Access-Control-Request-Private-Network": "true",
        }
        response = await served.bare.options(GET_SERVICE, headers=asks)
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == PAGE
        assert response.headers["Access-Control-Allow-Headers"] == asks["Access-Control-Request-Headers"]
        assert "POST" in response.headers["Access-Control-Allow-Methods"]
        assert response.headers["Access-Control-Allow-Private-Network"] == "true"
        for wrong, status in (({"Origin": "https://evil.example"}, 403), ({"Host": "evil.example"}, 403)):
            assert (await served.bare.options(GET_SERVICE, headers={**asks, **wrong})).status == status
        # Nobody asks first: then it is a request like others.
        assert (await served.bare.options(GET_SERVICE)).status == 401
