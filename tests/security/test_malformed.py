"""Requests that no proper client sends, one of each kind: each is refused at once, with what is wrong.

A refusal is a 4xx, or 501 for what is not served; a stream of Connect has it in its last message. 500 says that the
supervisor met a mistake of its own.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import struct
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest

from platform_wire import environment_automation_pb2 as automation
from platform_wire import environment_pb2 as environment
from platform_wire import event_pb2 as event
from tests.faults.scene import Scene
from tests.security.web import Web

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

AUTOMATION = "/gitpod.v1.EnvironmentAutomationService"
ENVIRONMENT = "/gitpod.v1.EnvironmentService"
EVENTS = "/gitpod.v1.EventService"
DEPTH = 100_000
DEEP = b"[" * DEPTH + b"]" * DEPTH
DEEP_OBJECT = b'{"a":' * DEPTH + b"1" + b"}" * DEPTH
DEPTHS = [b"[" * depth + b"]" * depth for depth in (300, 600, 900, 960, 980, 990, 995)]
"""Around the depth at which Python gives up: what can just be read may be too deep to be written, or looked through."""
DEEP_BYTES = b"\x0a\xff\xff\x7f" * 1000
PROTO = {"Content-Type": "application/proto"}
GZIP = {"Content-Encoding": "gzip"}
SLOWEST_S = 5.0


@dataclass(frozen=True)
class Request:
    """What is sent; `token`: None sends the environment's, an empty one none at all."""

    target: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    method: str = ""


def part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def deep_part(length: int) -> str:
    """A part of a token that is nested as deeply as its length allows."""
    return part(b"[" * length)


def tokens() -> Iterator[Request]:
    """In the header, where they are read before anything is known of who sends them."""
    header, payload = part(b'{"alg":"HS256","typ":"JWT"}'), part(b'{"sub":"x"}')
    for token in (
        f"{deep_part(2000)}.{payload}.x",
        f"{header}.{deep_part(2000)}.x",
        f"{header}.{deep_part(2000)}.{part(b'x' * 32)}",
        f"{part(DEEP_OBJECT[:3000])}.{payload}.x",
        f"{part(b'[]')}.{payload}.x",
        f"{part(b'null')}.{part(b'null')}.",
        f"{part(b'{')}.{payload}.x",
        f"{part(bytes(range(128, 200)))}.{payload}.x",
        part(b'{"alg":"none"}') + f".{payload}.",
        part(b'{"alg":["HS256"]}') + f".{payload}.x",
        part(b'{"alg":{"a":1}}') + f".{payload}.x",
        part(b'{"alg":"HS256","kid":[]}') + f".{payload}.x",
        part(b'{"alg":"HS256","crit":["b64"],"b64":false}') + f".{payload}.x",
        part(b'{"alg":"HS256","b64":false}') + f"..{part(b'x' * 32)}",
        part(b'{"alg":"HS256","n":' + b"9" * 2900 + b"}") + f".{payload}.x",
        f"{header}.{part(b'[1]')}.{part(b'x' * 32)}",
        f"{header}.{part(bytes([34, 237, 160, 128, 34]))}.{part(b'x' * 32)}",
        f"{header}.{part(b'{' + b'9' * 2900 + b'}')}.{part(b'x' * 32)}",
        "a.b.c",
        "....",
        "\u00ff" * 20,
        "x" * 4097,
    ):
        yield Request("/control/status", token=token)
        yield Request("/logs/services/x", token=token)
    yield Request("/control/status", token="")
    yield Request("/control/status", token="", headers={"Authorization": "Basic eDp5"})
    yield Request("/control/status", token="", headers={"Authorization": "Bearer"})
    for name in ("token", "access_token", "jwt"):
        yield Request(f"/control/status?{name}={deep_part(2000)}")


def queries() -> Iterator[Request]:
    lists = f"{AUTOMATION}/ListServices"
    for query in (
        "token=x",
        "pageSize=5",
        "pageSize=x",
        f"token={part(DEEP[:3000])}",
        "pageSize=" + "9" * 5000,
    ):
        for body in (
            DEEP,
            DEEP_OBJECT,
            b'{"pagination":' + DEEP + b"}",
            b"9" * 5000,
            b'"\\ud800"',
            b"\xff",
            b"[",
        ):
            yield Request(f"{lists}?{query}", body)
    for deep in DEPTHS:
        yield Request(f"{lists}?token=x", b'{"pagination":{"pageSize":1},"filter":' + deep + b"}")
    yield Request(f"{lists}?token=x", gzip.compress(b"{}"), GZIP)
    for token in ("x", "\u20ac", part(b"older-than:x"), part(b"older-than:" + b"9" * 5000), "=", "A"):
        yield Request(lists, json.dumps({"pagination": {"token": token}}).encode())
        yield Request(f"{lists}?token={quote(token)}", b"{}")


def bodies() -> Iterator[Request]:
    for path in (
        "/control/trigger",
        "/control/update",
        f"{AUTOMATION}/GetService",
        f"{AUTOMATION}/CreateTask",
    ):
        for body in (
            DEEP,
            DEEP_OBJECT,
            b"[]",
            b"null",
            b"",
            b"9" * 5000,
            b'{"a":NaN}',
            b"\xff\xfe",
            b"{}" * 2,
            b'"',
        ):
            yield Request(path, body)
    content = json.dumps({"content": "a: " + "[" * DEPTH}).encode()
    for deep in DEPTHS:
        yield Request(f"{AUTOMATION}/GetService", b'{"id":' + deep + b"}")
        yield Request("/control/trigger", b'{"name":' + deep + b"}")
    yield Request("/control/update", b'{"content": 5}')
    yield Request("/control/token", b'{"ttlSeconds": 1e999}')
    yield Request("/control/token", b'{"scope": ["logs"]}')
    yield Request("/control/shutdown", b'{"graceSeconds": "x"}')
    yield Request("/control/restart", b'{"id": "\\ud800"}')
    yield Request("/control/trigger", content)
    yield Request("/control/status", b"{}")
    for name, value in (("spec", DEEP_OBJECT), ("metadata", DEEP), ("reference", DEEP)):
        yield Request(f"{AUTOMATION}/CreateTask", b'{"%s":%s}' % (name.encode(), value))
    for body in (DEEP_BYTES, b"\x0b" * 200, b"\xff" * 20, b"\x0a\xff\xff\xff\xff\x0f", b"\x0a"):
        yield Request(f"{AUTOMATION}/CreateService", body, PROTO)
        yield Request(f"{AUTOMATION}/GetService", body, PROTO)


def numbers() -> Iterator[Request]:
    """Times and durations that protobuf's bytes can hold and nothing else can."""
    for seconds, nanos in ((2**63 - 1, 0), (-(2**63), 0), (0, 2**31 - 1), (0, -(2**31)), (253402300800, 0)):
        active = environment.MarkEnvironmentActiveRequest(environment_id="{environment}")
        active.activity_signal.source = "somebody"
        active.activity_signal.timestamp.seconds = seconds
        active.activity_signal.timestamp.nanos = nanos
        yield Request(f"{ENVIRONMENT}/MarkEnvironmentActive", active.SerializeToString(), PROTO)
        service = automation.CreateServiceRequest(environment_id="{environment}")
        service.metadata.reference, service.metadata.name = "x", "x"
        service.spec.commands.start = "true"
        service.spec.readiness_timeout.seconds = seconds
        service.spec.readiness_timeout.nanos = nanos
        yield Request(f"{AUTOMATION}/CreateService", service.SerializeToString(), PROTO)
        spec = environment.UpdateEnvironmentRequest(environment_id="{environment}")
        spec.spec.timeout.disconnected.seconds = seconds
        spec.spec.timeout.disconnected.nanos = nanos
        yield Request(f"{ENVIRONMENT}/UpdateEnvironment", spec.SerializeToString(), PROTO)


def compressed() -> Iterator[Request]:
    bomb = gzip.compress(b"\0" * (200 << 20))
    get = f"{AUTOMATION}/GetService"
    yield Request(get, bomb, GZIP)
    yield Request(get, bomb[:1000], GZIP)
    yield Request(get, b"not gzip", GZIP)
    yield Request(get, gzip.compress(DEEP), GZIP)
    yield Request(get, zlib.compress(b"{}"), {"Content-Encoding": "deflate"})
    yield Request(get, b"{}", {"Content-Encoding": "nonsense"})
    yield Request("/control/trigger", bomb, GZIP)
    yield Request("/control/trigger", gzip.compress(b"{}"), GZIP)


def envelopes() -> Iterator[Request]:
    watch = f"{EVENTS}/WatchEvents"
    stream = {"Content-Type": "application/connect+json"}
    for body in (
        b"",
        b"\0",
        struct.pack(">BI", 0, 2**32 - 1),
        struct.pack(">BI", 0, 100) + b"{}",
        struct.pack(">BI", 255, 2) + b"{}",
        struct.pack(">BI", 0, len(DEEP)) + DEEP,
        struct.pack(">BI", 1, 2) + b"{}",
        2 * (struct.pack(">BI", 0, 2) + b"{}"),
    ):
        yield Request(watch, body, stream)
        yield Request(watch, body, stream | {"Connect-Content-Encoding": "gzip"})
    yield Request(watch, DEEP, {"Accept": "application/jsonl"})
    yield Request(watch, b"", {"Accept": "application/jsonl"})
    yield Request(watch, event.WatchEventsRequest(environment_id="x").SerializeToString(), PROTO)
    for timeout in ("x", "-1", "9" * 30, "1e3", ""):
        yield Request(f"{AUTOMATION}/GetService", b"{}", {"Connect-Timeout-Ms": timeout})


def logs() -> Iterator[Request]:
    log = "/logs/services/{service}"
    for query in (
        *(
            "tail=x",
            "tail=-1",
            "tail=" + "9" * 19,
            "tail=%00",
            "tail=\u0663",
            "offset=" + "9" * 18,
            "offset=1e3",
        ),
        *("follow=maybe", "tail=1&offset=1", "cursor=x", "cursor=" + "9" * 30, f"cursor={part(DEEP[:3000])}"),
        *("cursor=:", "cursor=:end", "cursor={service}.x:0", "offset=", "tail="),
        *("since=", "since=%00", "since=-1s", "since=1m2", "until=\u0663m", "until=2026-11-30T25:00:00Z"),
        *("since=2026-11-30T22:00:00+99:99", "timestamps=", "grep=%28", "grep=%5B", "grep=" + "%28" * 900),
        *("grep=" + "x" * 3000, "grep=a{9999999999}", "grep=%28%3FP%3Cx%3E%29%28%3FP%3Cx%3E%29"),
    ):
        yield Request(f"{log}?{query}")
    yield Request(f"{log}?follow=false", headers={"Range": "bytes=999999999999999999-"})
    for last_event_id in ("x", "\u00ff", ":", "9" * 1000, "x:-1"):
        yield Request(log, headers={"Accept": "text/event-stream", "Last-Event-ID": last_event_id})
    for path in (
        "/logs/services/%00",
        "/logs/executions/..",
        "/logs/executions/{execution}/steps/%ff",
        "/logs/x/y",
    ):
        yield Request(path)
    yield Request(log, method="DELETE")


def others() -> Iterator[Request]:
    for path in (
        "/%",
        "/%ff",
        "//",
        "/\u00e9",
        "/?" + "a" * 8000,
        "/control",
        "/control/executions/%00",
        "*",
        "x",
    ):
        yield Request(path)
    yield Request("http://[", method="GET")
    yield Request("http://127.0.0.1:99999/healthz")
    for method in ("BREW", "CONNECT", "TRACE", "get"):
        yield Request("/healthz", method=method)
    for name, value in (
        *(
            ("Host", "evil.example"),
            ("Origin", "null"),
            ("Origin", "http://evil.example"),
            ("Content-Length", "x"),
        ),
        *(("Content-Type", "\u00ff"), ("Content-Type", "application/json; charset=" + "x" * 1000)),
        *(("Cookie", "=" * 4000), ("X-" + "A" * 9000, "x"), ("Transfer-Encoding", "gzip, chunked")),
    ):
        yield Request(
            f"{AUTOMATION}/GetService", b"{}" if name == "Content-Type" else b"", {name: value}, method="POST"
        )
    yield Request(f"{AUTOMATION}/Nothing", b"{}")
    yield Request("/gitpod.v1.NoService/Nothing", b"{}")
    yield Request("/supervisor.v1.EnvironmentOpsService/StartBrowser", b"{}")
    yield Request(f"{AUTOMATION}/GetService", b"<xml/>", {"Content-Type": "text/xml"})


KINDS = {
    kind.__name__: kind for kind in (tokens, queries, bodies, numbers, compressed, envelopes, logs, others)
}


@pytest.fixture
def web(scene: Scene) -> Web:
    return Web(scene)


def test_what_is_malformed_is_refused_at_once(web: Web) -> None:
    token = web.token()
    known = {
        b"{environment}": web.environment_id,
        b"{service}": web.service_id,
        b"{execution}": web.execution_id,
    }
    wrong: list[str] = []
    count = 0
    for kind, requests in KINDS.items():
        for request in requests():
            target, body = request.target.encode(), request.body
            for mark, value in known.items():
                target, body = target.replace(mark, value.encode()), body.replace(mark, value.encode())
            status, answer, took_s = ask(web, request, target, body, token)
            count += 1
            if not is_refused(status, answer) or took_s > SLOWEST_S:
                wrong.append(
                    f"{kind} {request.target[:90]} {request.headers} {body[:60]!r}: {status} {took_s:.1f} s {answer!r}"
                )
    assert wrong == [], f"{len(wrong)} of {count}:\n" + "\n".join(wrong)
    assert web.scene.phases() == {"web": "running"}
    web.scene.end()


def is_refused(status: int, answer: bytes) -> bool:
    refusal = re.search(rb'\x02.{4}\{"error": \{"code": "(?!unknown)', answer, re.DOTALL)
    return 400 <= status < 500 or status == 501 or (status == 200 and refusal is not None)


def ask(web: Web, request: Request, target: bytes, body: bytes, token: str) -> tuple[int, bytes, float]:
    method = request.method or ("POST" if body or "Service/" in request.target else "GET")
    shown = token if request.token is None else request.token
    headers = {"Host": "127.0.0.1", "Connection": "close", "Content-Type": "application/json"}
    headers |= {"Authorization": f"Bearer {shown}"} if shown else {}
    headers |= {"Content-Length": str(len(body))} if method == "POST" else {}
    lines = [method.encode() + b" " + target + b" HTTP/1.1"]
    lines += [f"{name}: {value}".encode() for name, value in (headers | request.headers).items()]
    began = time.monotonic()
    try:
        answer = web.send(b"\r\n".join([*lines, b"", b""]) + body)
    except TimeoutError:
        return 0, b"no end", time.monotonic() - began
    return answer.status, answer.raw[-300:], time.monotonic() - began
