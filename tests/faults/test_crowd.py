"""A crowd on TCP, of clients without a token and of readers of a log full of nothing: the status is answered."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.e2e.harness import ENTRY
from tests.faults.scene import Scene, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

IDLE = 1920
"""As many as a supervisor with the usual limit of descriptors has room for."""
LIMIT = 4096
READERS = 45
SLOWEST_S = 1.0
SENT = [b"", b"GET / HTTP/1.1\r\nX-Slow: ", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"]
BEGIN = ["tail=5", "tail=999999999", "offset=0"]
FILE = """
services:
  sparse:
    name: Sparse
    commands:
      start: |
        echo before
        truncate -s 15T /proc/self/fd/1
        while :; do echo after; sleep 0.05; done
"""
LIMITED = (
    "import os, resource, sys\n"
    f"resource.setrlimit(resource.RLIMIT_NOFILE, (1024, {LIMIT}))\n"
    "os.execv(sys.executable, [sys.executable, '-I', *sys.argv[1:]])"
)


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Enough of them for the whole crowd."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < LIMIT:
        pytest.skip(f"a process may have only {hard} descriptors here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("descriptors")
def test_crowd_on_tcp_keeps_nobody_from_the_socket(scene: Scene) -> None:
    scene.project.write(FILE)
    scene.start("--listen", "127.0.0.1:0", entry=("-c", LIMITED, *ENTRY))
    client = scene.client()
    host, _, port = client.status()["url"].removeprefix("http://").rpartition(":")
    token = client.control("token")["token"]
    service = scene.services()["sparse"]["id"]
    with ExitStack() as crowd:
        # Readers first, and at once: a second later the head of the log is beyond its limit, and dropped.
        client.call("StartService", id=service)
        until(lambda: scene.phases() == {"sparse": "running"}, "the service", every_s=0.002)
        for number in range(READERS):
            reader = crowd.enter_context(socket.create_connection((host, int(port)), 30.0))
            reader.sendall(
                f"GET /logs/services/{service}?{BEGIN[number % 3]} HTTP/1.1\r\nHost: localhost\r\n"
                f"Authorization: Bearer {token}\r\n\r\n".encode()
            )
            if number % 2:
                reader.close()
        for number in range(IDLE):
            idle = crowd.enter_context(socket.create_connection((host, int(port)), 30.0))
            idle.sendall(SENT[number % 3])
        for _ in range(20):
            began = time.monotonic()
            assert scene.client().status()["pid"] == scene.supervisor.pid
            assert time.monotonic() - began < SLOWEST_S
        spent_s, began = processor_s(scene.supervisor.pid), time.monotonic()
        until(lambda: time.monotonic() - began > 2, "two seconds more")
        assert processor_s(scene.supervisor.pid) - spent_s < 1.0, "a reader took a core"
        assert scene.phases() == {"sparse": "running"}
    scene.in_agreement()
    scene.end()


def processor_s(pid: int) -> float:
    """What a process has used of the processors."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
