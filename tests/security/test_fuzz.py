"""Fuzzers on a real supervisor, each for --fuzz-seconds: HTTP, JSON, YAML, and messages to the shim.

`tests/api/test_fuzz.py` and `tests/config/test_any_bytes.py` look at single answers in this process. Here the question
is what becomes of the supervisor: it must live, serve as before, say nothing on standard error, and not grow.
"""

from __future__ import annotations

import json
import os
import random
import re
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from platform_wire import environment_automation_pb2
from tests.contract import CORPUS
from tests.e2e.harness import ROOT
from tests.faults.scene import Scene, read_errors, until
from tests.security.web import Web

pytestmark = [pytest.mark.slow, pytest.mark.timeout(4000)]

FAST_S = 0.05
"""How long an answer is waited for; what comes later is somebody else's to test."""
GROWTH_MB = 40.0
WORDS = [
    *(
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\0",
        b"\xff",
        b"\xc3\x28",
        b" ",
        b":",
        b",",
        b"/",
        b"..",
        b"%00",
        b"%",
        b"{",
        b"}",
        b"[",
    ),
    *(
        b'"',
        b"\\u0000",
        b"\\ud800",
        b"null",
        b"true",
        b"1e999",
        b"-1",
        b"99999999999999999999",
        b"{}" * 50,
        b"[" * 500,
        b"[" * 5000,
        b'{"a":' * 2000,
    ),
    *(
        b"Content-Length: 5\r\n",
        b"Content-Length: -1\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Expect: 100-continue\r\n",
    ),
    *(
        b"Content-Encoding: gzip\r\n",
        b"Connection: upgrade\r\n",
        b"Upgrade: websocket\r\n",
        b"Range: bytes=9-1,-0\r\n",
    ),
    *(
        b"&a ",
        b"*a ",
        b"<<: ",
        b"!!python/object ",
        b"- ",
        b"? ",
        b"|\n",
        b"\t",
        b"%YAML 9.9\n",
        b"---\n",
        b"...\n",
    ),
]


def mutated(data: bytes, dice: random.Random) -> bytes:
    """The bytes with a few things cut out, doubled, swapped, replaced or put in."""
    for _ in range(dice.choice([1, 1, 2, 4, 16])):
        at, end = sorted(dice.randrange(len(data) + 1) for _ in range(2))
        end = min(end, at + 40)
        put = dice.choice([b"", data[at:end] * 2, dice.choice(WORDS), dice.randbytes(dice.randrange(1, 9))])
        data = data[:at] + put + data[end:] if dice.random() < 0.5 else data[:at] + put + data[at:]
    return data


def for_seconds(request: pytest.FixtureRequest, do: Callable[[], object]) -> int:
    """Do it again and again; returns how often."""
    deadline, count = time.monotonic() + float(request.config.getoption("--fuzz-seconds")), 0
    while time.monotonic() < deadline:
        do()
        count += 1
    print(f"\nfuzz: {count} inputs")
    return count


def memory_mb(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def descriptors(pid: int) -> int:
    """How many it has, but for the programs that it holds in memory some time after its start."""
    count = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            count += not os.readlink(link).startswith("/memfd:")
    return count


class Health:
    """A supervisor before it is fuzzed, to compare with what it is afterwards."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._pid = scene.supervisor.pid
        scene.services()  # answered once the whole API is imported, which is most of the memory
        self._memory_mb, self._descriptors = memory_mb(self._pid), descriptors(self._pid)

    def check(self, phases: dict[str, str]) -> None:
        scene = self._scene
        assert scene.supervisor.process.poll() is None, read_errors(scene.supervisor)
        assert scene.phases() == phases
        until(lambda: descriptors(self._pid) <= self._descriptors + 1, "the end of all connections")
        assert memory_mb(self._pid) < self._memory_mb + GROWTH_MB
        scene.in_agreement()
        scene.end()


def http_seeds(web: Web) -> list[bytes]:
    """Requests as they should be."""
    token = web.token()
    auth = f"Host: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
    gets = [
        f"GET {path} HTTP/1.1\r\n{auth}\r\n"
        for path in (
            "/healthz",
            "/metrics",
            "/control/status",
            f"/logs/services/{web.service_id}?follow=false&tail=3",
            f"/logs/executions/{web.execution_id}?offset=1",
        )
    ]
    # Nothing that could start, stop or change something: what is running is compared afterwards.
    bodies = {
        "ListServices": {"filter": {"references": ["web"]}, "pagination": {"pageSize": 5}},
        "GetService": {"id": web.service_id},
        "ListTaskExecutions": {"filter": {"taskIds": [web.service_id]}},
        "GetTaskExecution": {"id": web.execution_id},
    }
    service = environment_automation_pb2.DESCRIPTOR.services_by_name["EnvironmentAutomationService"].full_name
    posts = []
    for method, body in [*bodies.items(), ("ListServices?pageSize=2", {})]:
        data = json.dumps(body)
        head = f"POST /{service}/{method} HTTP/1.1\r\n{auth}Content-Type: application/json\r\n"
        posts.append(f"{head}Content-Length: {len(data)}\r\n\r\n{data}")
    return [text.encode() for text in gets + posts]


def test_fuzz_http(scene: Scene, dice: random.Random, request: pytest.FixtureRequest) -> None:
    web = Web(scene)
    seeds = http_seeds(web)
    for seed in seeds:
        assert answered(web, seed, 10.0).startswith(b"HTTP/1.1 2"), seed
    health = Health(scene)

    statuses: dict[bytes, int] = {}

    def send() -> None:
        answer = answered(web, mutated(dice.choice(seeds), dice), FAST_S)
        for status in re.findall(rb"^HTTP/1\.[01] (\d{3})", answer):
            statuses[status] = statuses.get(status, 0) + 1

    for_seconds(request, send)

    assert b"500" not in statuses, statuses
    health.check({"web": "running"})


def answered(web: Web, data: bytes, patience_s: float) -> bytes:
    """What comes within that time; the connection is dropped then."""
    with socket.create_connection(web.address, 10.0) as client:
        try:
            client.sendall(data)
            client.settimeout(patience_s)
            return client.recv(1 << 16)
        except OSError:
            return b""


def yaml_seeds() -> list[bytes]:
    places = [ROOT / "fixtures", ROOT / "examples", CORPUS]
    return [path.read_bytes() for place in places for path in sorted(place.rglob("*.yaml"))]


def test_fuzz_yaml(scene: Scene, dice: random.Random, request: pytest.FixtureRequest) -> None:
    """As the file in the workspace, which is read whenever it changes, and as the text of an update."""
    scene.project.write("services: {web: {name: Web, commands: {start: exec sleep 1000}}}\n")
    scene.start()
    seeds = yaml_seeds()
    health = Health(scene)

    def send() -> None:
        data = mutated(dice.choice(seeds), dice)[: 1 << 20]
        if dice.random() < 0.5:
            # Only looked at: what mutated files run is nobody's to answer for.
            scene.client().control("update", content=data.decode("utf-8", "surrogateescape"), dryRun=True)
            return
        aside = scene.folder / ".aside"
        aside.write_bytes(b"tasks: {web: {" + data)  # never valid, so that nothing of it is carried out
        aside.replace(scene.project.file)

    for_seconds(request, send)

    health.check({"web": "stopped"})


def test_fuzz_control_bodies(scene: Scene, dice: random.Random, request: pytest.FixtureRequest) -> None:
    web = Web(scene)
    token = web.token()
    seeds = [
        ("trigger", b'{"name": "prebuild"}'),
        ("update", b'{"content": "tasks: {}", "dryRun": true}'),
        ("token", b'{"scope": "logs", "ttlSeconds": 5}'),
        ("restart", b'{"id": "none"}'),
    ]
    health = Health(scene)

    def send() -> None:
        name, body = dice.choice(seeds)
        body = mutated(body, dice)
        if name == "update" and b'"dryRun": true' not in body:
            return
        answer = web.ask(f"/control/{name}", "POST", body, token)
        assert answer.status in (0, 200, 400, 404, 413), f"{name} {body!r}: {answer.raw[:300]!r}"

    for_seconds(request, send)

    health.check({"web": "running"})


def test_fuzz_shim(scene: Scene, dice: random.Random, request: pytest.FixtureRequest) -> None:
    """Whoever comes to the shim's socket takes the supervisor's place there; the command must not notice."""
    scene.project.write(
        "services: {web: {name: Web, triggeredBy: [postEnvironmentStart], commands: {start: exec sleep 1000}}}\n"
    )
    scene.start()
    until(lambda: scene.phases() == {"web": "running"}, "the service")
    ((run, (pid,)),) = scene.machine().items()
    (shim,) = scene.shims()
    asks = [
        {"ask": "list"},
        {"ask": "spawn", "run_id": "x", "argv": ["/bin/true"], "env": {}, "cwd": "/", "log": "/none/x"},
        {"ask": None},
    ]
    messages = [json.dumps(ask).encode() for ask in asks]

    def send() -> None:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(scene.state / "shim.sock"))
            except (FileNotFoundError, ConnectionRefusedError):
                # A shim that holds nothing ends when it is taken away; the supervisor starts another one.
                time.sleep(0.01)
                return
            client.settimeout(FAST_S)
            body = mutated(dice.choice(messages), dice) if dice.random() < 0.8 else dice.choice(messages)
            length = len(body) if dice.random() < 0.8 else dice.randrange(1 << 32)
            try:
                client.sendall(struct.pack("!I", length) + body)
                client.recv(1 << 16)
            except OSError:
                pass  # let go of, or not worth an answer

    for_seconds(request, send)

    assert shim in scene.shims(), "the shim lives"
    assert scene.machine() == {run: [pid]}
    os.kill(pid, 9)
    until(lambda: scene.phases() == {"web": "failed"}, "the end of the service")
    failure = scene.services()["web"]["status"]["failureMessage"]
    assert failure == "was killed by SIGKILL", "the shim has noted it, whoever heard it"
    scene.client().call("StartService", id=scene.services()["web"]["id"])
    until(lambda: scene.phases() == {"web": "running"}, "the service again")
    scene.in_agreement()
    scene.end()


def test_mutations_differ_and_repeat() -> None:
    first, second = (
        [mutated(b"GET / HTTP/1.1\r\n\r\n", random.Random(seed)) for seed in range(200)] for _ in range(2)
    )
    assert first == second
    assert len(set(first)) > 100
