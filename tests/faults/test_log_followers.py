"""The logs of fifty items, each followed by twenty clients: each gets each byte, and the supervisor stays small."""

from __future__ import annotations

import hashlib
import resource
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.faults.scene import Scene, until
from tests.faults.test_crowd import processor_s
from tests.faults.test_pumped_output import peak_mb

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ITEMS, CLIENTS = 50, 20
LINES = 400
LIMIT = 4096
MOST_MB = 60
"""By which the supervisor may grow: a thousand connections, at 60 kB each."""
WRITER = """
import os, sys, time
name = sys.argv[1]
for number in range(int(sys.argv[2])):
    os.write(1, b"%s says line %d %s\\n" % (name.encode(), number, b"x" * (number % 60)))
    time.sleep(0.02)
os.write(1, b"last\\n")
time.sleep(1000)
"""


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Enough of them for all clients."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < LIMIT:
        pytest.skip(f"a process may have only {hard} descriptors here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Follower:
    """One client of one log."""

    def __init__(self, path: str, service_id: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        request = f"GET /logs/services/{service_id}?offset=0&follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n"
        self.socket.sendall(request.encode())
        self._received = b""
        self.digest = hashlib.sha256()
        self.count = 0
        self.is_done = False

    def receive(self) -> None:
        """Take what came: of the chunks of the answer, what is whole."""
        self._received += self.socket.recv(1 << 16)
        if not self.count and b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            self.count = len(head)
        while self.count:
            size, found, rest = self._received.partition(b"\r\n")
            if not found or len(rest) < int(size, 16) + 2:
                return
            data, self._received = rest[: int(size, 16)], rest[int(size, 16) + 2 :]
            self.digest.update(data)
            self.is_done = data.endswith(b"last\n")


@pytest.mark.usefixtures("descriptors")
def test_each_of_many_clients_gets_each_byte_of_many_logs(scene: Scene) -> None:
    (scene.folder / "writer.py").write_text(WRITER)
    names = [f"s{number}" for number in range(ITEMS)]
    command = f"until [ -e go ]; do sleep 0.1; done; exec {sys.executable} -I -S writer.py {{}} {LINES}"
    scene.project.write(
        "services:\n"
        + "".join(f"  {name}: {{name: x, commands: {{start: '{command.format(name)}'}}}}\n" for name in names)
    )
    scene.start()
    client = scene.client()
    ids = {name: service["id"] for name, service in scene.services().items()}
    for id_ in ids.values():
        client.call("StartService", id=id_)
    until(lambda: client.status()["services"] == {"running": ITEMS}, "the services")
    before_mb, before_s = peak_mb(scene.supervisor.pid), processor_s(scene.supervisor.pid)
    began = time.monotonic()
    with ExitStack() as crowd, selectors.DefaultSelector() as selector:
        followers = {
            name: [Follower(str(scene.state / "api.sock"), ids[name]) for _ in range(CLIENTS)]
            for name in names
        }
        for theirs in followers.values():
            for follower in theirs:
                crowd.enter_context(follower.socket)
                selector.register(follower.socket, selectors.EVENT_READ, follower)
        (scene.folder / "go").touch()
        left = ITEMS * CLIENTS
        deadline = time.monotonic() + 120
        while left:
            assert time.monotonic() < deadline, f"{left} clients lack something"
            for key, _ in selector.select(5):
                key.data.receive()
                if key.data.is_done:
                    selector.unregister(key.fileobj)
                    left -= 1
        lasted_s = time.monotonic() - began
        spent_s = processor_s(scene.supervisor.pid) - before_s
        grown_mb = peak_mb(scene.supervisor.pid) - before_mb
        (shim,) = scene.shims()
        print(
            f"\n{ITEMS} logs, {CLIENTS} clients each, {ITEMS * LINES} lines in {lasted_s:.1f} s: the supervisor took "
            f"{spent_s:.1f} s of a core and {grown_mb:.1f} MB more than the {before_mb:.1f} MB before; "
            f"the shim has taken {processor_s(shim):.1f} s and {peak_mb(shim):.1f} MB"
        )
    for name, theirs in followers.items():
        lines = (
            b"%s says line %d %s\n" % (name.encode(), number, b"x" * (number % 60)) for number in range(LINES)
        )
        digest = hashlib.sha256(b"".join(lines) + b"last\n").hexdigest()
        assert {follower.digest.hexdigest() for follower in theirs} == {digest}, name
    assert grown_mb < MOST_MB
    scene.end()
