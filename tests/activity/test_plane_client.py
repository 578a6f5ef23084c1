"""The call to the management plane, over real sockets: what is sent, and what each answer means."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from supervisor.activity.plane import Declined, Delivered, SignalResult, TokenRefused, Undelivered
from supervisor.activity.plane_client import MOST_BYTES, PlaneClient, proxy_of
from tests.activity.plane import ENVIRONMENT, METHOD, Answer, never, plane, raw, slowly, status

pytestmark = pytest.mark.anyio
AT_S = 1_739_370_600.25


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def tell(url: str, timeout_s: float = 20.0, **environ: str) -> SignalResult:
    return await PlaneClient(url, ENVIRONMENT, timeout_s, environ).send("VS Code", AT_S, "t0ken")


@pytest.mark.parametrize("prefix", ["", "/api"])
async def test_signal_says_who_was_active_when_and_where(prefix: str) -> None:
    async with plane(prefix) as there:
        assert await tell(there.url) == Delivered()
        assert await tell(f"{there.url}/") == Delivered()
    request = there.told[0]
    assert request.path == there.told[1].path == prefix + METHOD
    assert request.body == {
        "environmentId": ENVIRONMENT,
        "activitySignal": {"source": "VS Code", "timestamp": "2025-02-12T14:30:00.250Z"},
    }
    assert request.headers["authorization"] == "Bearer t0ken"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["connect-protocol-version"] == "1"
    assert request.headers["user-agent"].startswith("supervisor/")


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (status(401, "token expired"), TokenRefused("HTTP status 401: token expired")),
        (status(403, "not yours"), Declined("HTTP status 403: not yours")),
        (status(404, "gone"), Declined("HTTP status 404: gone")),
        (status(429, "slow down", Retry_After="17"), Undelivered("HTTP status 429: slow down", 17.0)),
        (
            status(
                429,
                "later",
                Retry_After="Sun, 06 Nov 1994 08:50:37 GMT",
                Date="Sun, 06 Nov 1994 08:49:37 GMT",
            ),
            Undelivered("HTTP status 429: later", 60.0),
        ),
        (status(503, "", Retry_After="nonsense"), Undelivered("HTTP status 503")),
        (status(500, "line\none\x1b[31m"), Undelivered("HTTP status 500: line one [31m")),
        (status(302, "", Location="http://127.0.0.1:1/"), Declined("HTTP status 302")),
        (raw(b"<h1>401", "text/html", 401), TokenRefused("HTTP status 401: Unauthorized")),
        (raw(b"<h1>502", "text/html", 502), Undelivered("HTTP status 502: Bad Gateway")),
    ],
)
async def test_refusal_is_told_from_what_may_pass(answer: Answer, result: SignalResult) -> None:
    async with plane() as there:
        there.answer = answer
        assert await tell(there.url) == result
        assert len(there.told) == 1


@pytest.mark.parametrize(
    "answer",
    [
        raw(b"<html>log in, please", "text/html"),
        raw(b"\x00\xff{{{"),
        raw(b""),
        raw(b"x" * (MOST_BYTES + 1)),
        raw(b"\x00" * 40, "application/proto"),
        raw(b"[" * 60_000),
        raw(b'{"a":' * 12_000, code=500),
    ],
)
async def test_garbage_is_no_answer(answer: Answer) -> None:
    async with plane() as there:
        there.answer = answer
        result = await tell(there.url)
    assert isinstance(result, Undelivered)
    assert result.why


@pytest.mark.parametrize("code", [b'["x"]', b"{}", b"7", b'"no_such_code"', b'"ok"'])
async def test_error_that_makes_no_sense_is_still_one(code: bytes) -> None:
    async with plane() as there:
        there.answer = raw(b'{"code": ' + code + b', "message": ["a"], "details": [3]}', code=500)
        assert isinstance(await tell(there.url), Undelivered)


@pytest.mark.parametrize("answer", [never, slowly])
async def test_answer_that_does_not_come_to_its_end_is_not_waited_for(answer: Answer) -> None:
    async with plane() as there:
        there.answer = answer
        with anyio.fail_after(20):
            assert await tell(there.url, timeout_s=0.2) == Undelivered("no answer within 0.2 s")


async def test_plane_that_takes_no_connection_or_breaks_it_off_has_failed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    refused = await tell(f"http://127.0.0.1:{port}")
    assert isinstance(refused, Undelivered)
    assert "Connect call failed" in refused.why

    async def hang_up(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async with plane() as there:
        there.answer = hang_up
        assert isinstance(await tell(there.url), Undelivered)


async def test_call_that_is_cancelled_ends_at_once_as_cancelled() -> None:
    async with plane() as there:
        there.answer = never
        with anyio.move_on_after(0.2) as scope:
            await tell(there.url)
            pytest.fail("it gave a result")
        assert scope.cancelled_caught


async def test_newer_plane_may_say_more_than_we_know() -> None:
    async with plane() as there:
        there.answer = raw(b'{"nextSignalIn": "300s"}')
        assert await tell(there.url) == Delivered()


async def test_calls_leave_no_thread_behind() -> None:
    before = threads()
    async with plane() as there:
        for _ in range(5):
            assert await tell(there.url) == Delivered()
    assert threads() == before


def threads() -> int:
    """Of this process, those of native code too."""
    return len(os.listdir("/proc/self/task"))


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS, and its certificate, which nobody has signed."""
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", folder / "key.pem", "-out", folder / "cert.pem"),
        ],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context, folder / "cert.pem"


async def test_certificate_that_no_root_of_the_system_has_signed_is_refused(tmp_path: Path) -> None:
    context, _ = certificate(tmp_path)
    async with plane(ssl=context) as there:
        result = await tell(there.url)
    assert isinstance(result, Undelivered)
    assert "certificate verify failed" in result.why
    assert there.told == []


async def test_roots_are_those_that_openssl_finds(tmp_path: Path) -> None:
    context, root = certificate(tmp_path)
    async with plane(ssl=context) as there:
        # A process of its own: OpenSSL reads its roots once.
        done = await anyio.run_process(
            [sys.executable, "-I", "-c", TELL, there.url], env=os.environ | {"SSL_CERT_FILE": str(root)}
        )
    assert done.stdout.decode().strip() == "Delivered()"
    assert len(there.told) == 1


TELL = f"""
import anyio, sys
from supervisor.activity.plane_client import PlaneClient
print(anyio.run(PlaneClient(sys.argv[1], "{ENVIRONMENT}", 20.0, {{}}).send, "VS Code", 1.0, "t0ken"))
"""


async def test_proxy_of_the_environment_is_used_and_only_where_it_is_meant() -> None:
    heads: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        through = f"http://ada:secret@127.0.0.1:{port}"
        result = await tell("https://plane.invalid/api", HTTPS_PROXY=through)
        assert isinstance(result, Undelivered)
        assert heads[0].startswith(b"CONNECT plane.invalid:443 HTTP/1.1\r\n")
        assert b"Proxy-Authorization: Basic " in heads[0]
        assert b"t0ken" not in heads[0]
        assert result == Undelivered("the proxy lets nothing through: 403 Forbidden")
        async with plane() as there:
            assert await tell(there.url, HTTPS_PROXY=through) == Delivered()
            assert await tell(there.url, HTTP_PROXY=through, NO_PROXY="127.0.0.1") == Delivered()
    assert len(heads) == 1


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("https://app.gitpod.io/api", {}, None),
        ("https://app.gitpod.io/api", {"HTTPS_PROXY": "http://p:3128"}, "http://p:3128"),
        ("https://app.gitpod.io/api", {"https_proxy": "p:3128", "HTTPS_PROXY": "http://q"}, "http://p:3128"),
        ("https://app.gitpod.io/api", {"https_proxy": "", "HTTPS_PROXY": "http://q"}, None),
        ("https://app.gitpod.io/api", {"HTTP_PROXY": "http://p"}, None),
        ("https://app.gitpod.io/api", {"ALL_PROXY": "http://p"}, "http://p"),
        ("https://app.gitpod.io/api", {"HTTPS_PROXY": "http://p", "NO_PROXY": ".gitpod.io"}, None),
        ("https://app.gitpod.io/api", {"HTTPS_PROXY": "http://p", "NO_PROXY": "other.io, app.gitpod.io:443"}, "http://p"),
        ("https://app.gitpod.io:8443", {"HTTPS_PROXY": "http://p", "NO_PROXY": "app.gitpod.io:8443"}, None),
        ("https://app.gitpod.io/api", {"HTTPS_PROXY": "http://p", "NO_PROXY": "*"}, None),
    ],
)  # fmt: skip
async def test_proxies_are_read_as_most_programs_do(
    url: str, environ: dict[str, str], proxy: str | None
) -> None:
    assert proxy_of(url, environ) == proxy
