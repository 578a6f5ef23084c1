"""Who may do what over TCP: paths that lead elsewhere, scopes that want more, names and pages that are not ours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from connect_server.http.tokens import Tokens
from platform_wire import (
    environment_automation_pb2,
    environment_pb2,
    environmentopts_pb2,
    event_pb2,
    identity_pb2,
)
from supervisor.api.http.access_policy import issuer
from tests.e2e.harness import Project
from tests.faults.scene import Scene
from tests.security.web import Web

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

CANARY = "canary-of-a-file-that-is-no-log"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Generator[Web]:
    folder = tmp_path_factory.mktemp("web")
    project = Project(folder)
    try:
        web = Web(Scene(project))
        for path in (folder / "canary", web.scene.state / "canary", web.scene.state / "runs/canary"):
            path.write_text(CANARY)
        yield web
        web.scene.end()
    finally:
        project.close()


@pytest.fixture(autouse=True)
def in_good_health(web: Web) -> Generator[None]:
    """After each test it serves as before, and has complained about nothing."""
    yield
    assert web.program.process.poll() is None
    assert web.scene.phases() == {"web": "running"}


def methods() -> list[str]:
    found = []
    files = (environment_automation_pb2, environment_pb2, event_pb2, identity_pb2, environmentopts_pb2)
    for file in files:
        for service in file.DESCRIPTOR.services_by_name.values():
            found += [f"{service.full_name}/{method.name}" for method in service.methods]
    return found


CONTROL = [
    ("GET", "/control/status"),
    ("GET", "/control/executions/{execution}"),
    ("POST", "/control/trigger"),
    ("POST", "/control/restart"),
    ("POST", "/control/update"),
    ("POST", "/control/token"),
    ("POST", "/control/shutdown"),
]
UP = ["..", "%2e%2e", ".%2e", "%2e.", "..%2f..", "%252e%252e", "..%5c..", "..;", "%c0%ae%c0%ae", "..%00"]
LEADS = [
    "/logs/services/{service}/{up}/canary",
    "/logs/services/{up}/canary",
    "/logs/services/{up}/{up}/canary",
    "/logs/services/{service}.1/{up}/canary",
    "/logs/executions/{execution}/steps/{up}/{up}/canary",
    "/logs/executions/{up}/{up}/{up}/{up}/{up}/etc/passwd",
    "/logs/{up}/state.db",
    "/logs/{up}/token.key",
    "/api/logs/services/{up}/canary",
    "/logs/services/%2Fetc%2Fpasswd",
    "//etc/passwd",
    "/logs//services//{up}//canary",
    "http://127.0.0.1/logs/services/{up}/canary",
    "/logs/services/{service}?cursor={up}/canary",
    "/logs/services/{service}/log/{up}/script.sh",
    "/logs/services/{service}/{up}/{service}.1/script.sh",
]


@pytest.mark.parametrize("lead", LEADS)
def test_no_path_leads_out_of_the_logs(web: Web, lead: str) -> None:
    token = web.token("logs")
    for up in UP:
        target = lead.format(service=web.service_id, execution=web.execution_id, up=up)
        answer = web.ask(target, token=token)
        assert answer.status in (400, 403, 404, 405), f"{target}: {answer.raw[:300]!r}"
        for content in (CANARY, "root:", "SQLite format", "echo hello"):
            assert content.encode() not in answer.raw, target


def test_token_for_logs_does_nothing_else(web: Web) -> None:
    token = web.token("logs")
    answers = {method: web.call(method, token).status for method in methods()}
    answers |= {
        f"{verb} {path}": web.ask(
            path.format(execution=web.execution_id), verb, b"{}" if verb == "POST" else b"", token
        ).status
        for verb, path in CONTROL
    }
    assert set(answers.values()) == {403}, answers
    assert web.ask(f"/logs/services/{web.service_id}?follow=false", token=token).status == 200


@pytest.mark.parametrize(
    "target",
    [
        "/logs/../control/status",
        "/logs/%2e%2e/control/status",
        "/logs/..%2fcontrol/status",
        "/api/logs/../control/status",
        "/logs//../control/status",
        "//control/status",
        "/control/status?x=/logs/",
        "/control/status#/logs/",
        "/control/status;/logs/",
        "http://127.0.0.1/control/status",
        "/metrics",
    ],
)
def test_token_for_logs_reaches_nothing_by_another_spelling(web: Web, target: str) -> None:
    answer = web.ask(target, token=web.token("logs"))

    assert answer.status in (400, 403, 404), answer.raw[:300]


@pytest.mark.parametrize(
    "header",
    ["X-HTTP-Method-Override", "X-Original-URL", "X-Rewrite-URL", "X-Forwarded-For", "X-Forwarded-Host"],
)
def test_headers_of_proxies_open_nothing(web: Web, header: str) -> None:
    values = {"X-HTTP-Method-Override": "GET", "X-Forwarded-For": "127.0.0.1"}
    answer = web.ask("/control/status", headers={header: values.get(header, "/logs/x")})

    assert answer.status == 401


def test_nothing_but_health_is_served_without_a_token(web: Web) -> None:
    answers = {method: web.call(method, None).status for method in methods()}
    answers |= {
        f"{verb} {path}": web.ask(path.format(execution="x"), verb, b"{}" if verb == "POST" else b"").status
        for verb, path in CONTROL
    }
    answers["logs"] = web.ask(f"/logs/services/{web.service_id}").status
    answers["metrics"] = web.ask("/metrics").status
    assert set(answers.values()) == {401}, answers
    for path in ("/healthz", "/readyz"):
        answer = web.ask(path)
        assert answer.status == 200
        assert web.environment_id.encode() not in answer.raw


def test_expired_token_opens_nothing(web: Web) -> None:
    kept = Tokens.kept(web.scene.state / "token.key", issuer(web.environment_id))
    assert web.call(methods()[0], kept.mint("environment", 60)).status == 400, (
        "a token of the same key is good"
    )

    answers = {method: web.call(method, kept.mint("environment", -1)) for method in methods()}

    assert {answer.status for answer in answers.values()} == {401}
    assert all(b"expired" in answer.raw for answer in answers.values())


def test_host_of_somebody_else_is_refused_by_every_method(web: Web) -> None:
    token = web.token()
    answers = {
        method: web.ask(f"/{method}", "POST", b"{}", token, host="evil.example").status
        for method in methods()
    }
    assert set(answers.values()) == {403}, answers


def segment(data: object) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsegmented(text: str) -> dict[str, object]:
    decoded: dict[str, object] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return decoded


def signed(head: object, claims: object, key: bytes) -> str:
    text = f"{segment(head)}.{segment(claims)}"
    return f"{text}.{segment(hmac.new(key, text.encode(), hashlib.sha256).digest())}"


def forgeries(token: str) -> dict[str, str]:
    """Tokens that say more than this one, none of them signed by who may sign."""
    head, claims, signature = token.split(".")
    said = unsegmented(claims)
    more = said | {"scope": "environment"}
    later = said | {"exp": time.time() + 1e9}
    none = {"alg": "none", "typ": "JWT"}
    hs = {"alg": "HS256", "typ": "JWT"}
    return {
        "another scope": f"{head}.{segment(more)}.{signature}",
        "another end": f"{head}.{segment(later)}.{signature}",
        "no algorithm": f"{segment(none)}.{segment(more)}.",
        "no algorithm, signed": f"{segment(none)}.{segment(more)}.{signature}",
        "NONE": f"{segment({'alg': 'NONE'})}.{segment(more)}.",
        "no signature": f"{head}.{claims}.",
        "an empty key": signed(hs, more, b""),
        "a key of zeros": signed(hs, more, bytes(32)),
        "the environment as the key": signed(hs, more, str(said["sub"]).encode()),
        "a key that the head brings": signed(hs | {"jwk": {"kty": "oct", "k": segment(b"k")}}, more, b"k"),
        "a key by its path": signed(hs | {"kid": "../../../../../dev/null"}, more, b""),
        "another algorithm": signed({"alg": "RS256"}, more, b""),
        "cut off": token[:-4],
        "two tokens": f"{token} {token}",
        "a byte changed": token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1],
    }


def test_forged_tokens_open_nothing(web: Web) -> None:
    answers = {
        what: web.ask("/control/status", token=forged).status
        for what, forged in forgeries(web.token("logs")).items()
    }

    assert set(answers.values()) == {401}, answers


def test_token_of_another_supervisor_opens_nothing(web: Web, tmp_path: Path) -> None:
    project = Project(tmp_path)
    try:
        scene = Scene(project)
        scene.start()
        token = scene.client().control("token", scope="environment")["token"]
        assert web.ask("/control/status", token=token).status == 401
        scene.end()
    finally:
        project.close()


HOSTS = [
    *(
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil.example:80",
        "127.0.0.1@evil",
    ),
    *("0x7f000001", "2130706433", "169.254.169.254", "[::ffff:1.2.3.4]", "", "localhost\t.evil.example"),
    *("localhost:1@evil.example", "[::1]evil.example", "127.0.0.1:80/@evil.example"),
]


@pytest.mark.parametrize("host", HOSTS)
def test_host_of_somebody_else_is_refused_also_with_a_token(web: Web, host: str) -> None:
    for target in ("/control/status", f"/logs/services/{web.service_id}?follow=false"):
        answer = web.ask(target, token=web.token(), host=host)
        assert answer.status in (400, 403), answer.raw[:300]


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://127.0.0.1.evil.example",
        "file://",
        "http://localhost:1",
        "https://x",
    ],
)
def test_page_of_somebody_else_is_refused_also_with_a_token(web: Web, origin: str) -> None:
    answer = web.ask("/control/status", token=web.token(), headers={"Origin": origin})

    assert answer.status == 403
    assert b"access-control-allow-origin" not in answer.raw.lower()
    asked_first = web.ask(
        "/control/shutdown",
        "OPTIONS",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        },
    )
    assert asked_first.status == 403
    assert b"access-control-allow-origin" not in asked_first.raw.lower()


def test_removed_key_revokes_tokens_and_ends_their_streams(scene: Scene) -> None:
    web = Web(scene)
    token = web.token()
    assert web.ask("/control/status", token=token).status == 200
    with socket.create_connection(web.address, 30.0) as stream:
        stream.sendall(
            f"GET /logs/services/{web.service_id} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {token}\r\n\r\n".encode()
        )
        received = b""
        while b"hello" not in received:
            received += stream.recv(4096)

        (scene.state / "token.key").unlink()

        answer = web.ask("/control/status", token=token)
        assert answer.status == 401
        assert b"the token was revoked" in answer.raw
        assert web.ask("/control/status", token=web.token()).status == 200
        while stream.recv(4096):
            pass
    assert scene.phases() == {"web": "running"}
    scene.end()
