"""Who may call a supervisor, and which codes its errors have."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from connect_server.http.begun_call import Caller
from connect_server.http.tokens import Claims, Tokens
from supervisor.api.http.access_policy import LIFETIMES_S, PROGRAM, AccessPolicy, Scope, issuer
from supervisor.model.errors import (
    TRANSIENT_ERRNOS,
    AlreadyExists,
    InvalidActivity,
    NotFound,
    Precondition,
    SupervisorError,
)
from tests.connect_server.serving import ENVIRONMENT, GET_SERVICE, ID, JSON, Served, error, serving

pytestmark = pytest.mark.anyio
BODY = json.dumps({"id": ID}).encode()
OTHER_USER = 65534


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def read_log(_request: web.Request) -> web.Response:
    return web.Response(text="a log")


ROUTES = [web.get("/logs/services/x", read_log), web.get("/api/logs/services/x", read_log)]


@asynccontextmanager
async def served_by_policy(folder: Path) -> AsyncIterator[Served]:
    async with serving(folder, routes=ROUTES, program=PROGRAM, policy=AccessPolicy(ENVIRONMENT)) as served:
        yield served


def bearer(token: str) -> dict[str, str]:
    return {**JSON, "Authorization": f"Bearer {token}"}


async def refused(served: Served, headers: dict[str, str], path: str) -> tuple[int, str, str]:
    return await error(await served.bare.post(path, data=BODY, headers=headers))


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (NotFound("cannot find it"), "not_found"),
        (AlreadyExists("cannot find it"), "already_exists"),
        (Precondition("cannot find it"), "failed_precondition"),
        (InvalidActivity("cannot find it"), "invalid_argument"),
    ],
)
def test_errors_that_clients_may_read_have_their_codes(raised: SupervisorError, code: str) -> None:
    told = PROGRAM.connect_error(raised)
    assert (told.code.value, told.message) == (code, "cannot find it")


@pytest.mark.parametrize("number", TRANSIENT_ERRNOS)
def test_a_shortage_of_the_machine_may_be_over_at_the_next_call(number: int) -> None:
    assert PROGRAM.connect_error(OSError(number, "none left")).code.value == "resource_exhausted"


def test_another_error_of_ours_is_not_for_clients(caplog: pytest.LogCaptureFixture) -> None:
    assert PROGRAM.connect_error(SupervisorError("a secret")).code.value == "internal"
    assert "a secret" in caplog.text


@pytest.mark.parametrize("scope", Scope)
def test_a_token_of_an_earlier_version_stays_good(scope: Scope) -> None:
    import jwt

    claims = {"iss": "supervisor", "aud": "supervisor-api", "sub": "env", "scope": scope.value, "exp": 2e9}
    assert Tokens(b"k" * 32, issuer("env")).check(jwt.encode(claims, b"k" * 32, "HS256")) == Claims(
        "env", scope, 2e9
    )
    assert scope in LIFETIMES_S


def request_over(socket: Path, path: str, *options: str) -> list[str]:
    """A command that makes a request in a process of its own, and prints status and body."""
    curl = [
        "curl",
        "--silent",
        "--max-time",
        "5",
        "--unix-socket",
        str(socket),
        "--write-out",
        " %{http_code}",
    ]
    return [*curl, *options, "--header", "Content-Type: application/json", f"http://x{path}"]


async def output(command: list[str]) -> str:
    done = await anyio.run_process(command, check=False, stderr=subprocess.STDOUT)
    return done.stdout.decode()


async def test_a_token_for_logs_opens_logs_alone(tmp_path: Path) -> None:
    async with served_by_policy(tmp_path) as served:
        headers = bearer(served.tokens.mint(Scope.LOGS, 60))
        for path in ("/logs/services/x", "/api/logs/services/x"):
            assert await (await served.bare.get(path, headers=headers)).text() == "a log"
            assert (await served.bare.head(path, headers=headers)).status == 200
        minting = "/gitpod.v1.EnvironmentService/CreateEnvironmentLogsToken"
        paths = (GET_SERVICE, "/api" + GET_SERVICE, minting, "/logs/services/x", "/metrics", "/logsx")
        for path in paths:
            status, code, message = await refused(served, headers, path)
            assert (status, code) == (403, "permission_denied")
            assert "logs" in message
        assert served.toy.callers == []


async def test_our_own_user_needs_no_token_on_the_socket(tmp_path: Path) -> None:
    async with served_by_policy(tmp_path) as served:
        socket = tmp_path / "api.sock"
        answer = await output(request_over(socket, GET_SERVICE, "--data", BODY.decode()))
        assert answer.endswith(" 200")
        assert served.toy.callers == [Caller(ENVIRONMENT, Scope.ENVIRONMENT, owns_process=True)]
        # Any Host will do: no browser gets here.
        assert (await output(request_over(socket, "/metrics", "--header", "Host: evil.example"))).endswith(
            "404"
        )
        # A page that got here through some forwarding is a page all the same.
        answer = await output(request_over(socket, "/metrics", "--header", "Origin: https://evil.example"))
        assert answer.endswith(" 403")


async def test_a_token_that_is_shown_on_the_socket_counts(tmp_path: Path) -> None:
    async with served_by_policy(tmp_path) as served:
        for token, status in (
            (served.tokens.mint(Scope.LOGS, 60), "403"),
            (served.tokens.mint(Scope.ENVIRONMENT, 60), "200"),
            ("nonsense", "401"),
        ):
            options = ("--header", f"Authorization: Bearer {token}", "--data", BODY.decode())
            assert (await output(request_over(tmp_path / "api.sock", GET_SERVICE, *options))).endswith(status)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
async def test_another_user_is_refused_on_the_socket(tmp_path: Path) -> None:
    async with served_by_policy(tmp_path):
        socket = tmp_path / "api.sock"
        for folder in (tmp_path, *tmp_path.parents):  # let the other user get as far as to the socket
            if folder.stat().st_mode & 0o005 != 0o005:
                folder.chmod(0o755)
        other = ["setpriv", f"--reuid={OTHER_USER}", f"--regid={OTHER_USER}", "--clear-groups"]
        command = [*other, *request_over(socket, GET_SERVICE, "--data", BODY.decode())]
        assert (await output(command)).endswith("000")  # the mode of the file
        socket.chmod(0o666)
        answer = await output(command)
        assert answer.endswith(" 403")
        assert f"user {OTHER_USER}" in answer
        assert "permission_denied" in answer


def test_importing_a_caller_brings_in_no_server() -> None:
    code = (
        "import supervisor.cli, sys; assert not [n for n in sys.modules if n.startswith(('aiohttp', 'jwt'))]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)
