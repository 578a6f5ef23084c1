"""A supervisor whose API is measured, and a client of it that costs little: a socket, and bytes made beforehand."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import SUPERVISOR, TIMEOUT_S, environment, running, runs_begun, until

IDLE = "exec sleep 100000"
FIRST = {"filter": {"references": ["service-0"]}}
_LENGTH = re.compile(rb"\r\nContent-Length: (\d+)\r\n", re.IGNORECASE)
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Served:
    """A supervisor that runs its services, and whom to ask how."""

    pids: tuple[int, ...]
    """Of the supervisor and of its shim."""
    address: tuple[str, int]
    environment_id: str
    service_id: str
    """The first service."""
    log: Path
    """What that service writes."""
    token: str

    def call(self, method: str, request: object, accept: str = "*/*") -> bytes:
        """A call of a Connect method in JSON, to be sent."""
        body = json.dumps(request).encode()
        head = (
            f"POST /gitpod.v1.{method} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self.token}\r\n"
            f"Content-Type: application/json\r\nAccept: {accept}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def follow(self, accept: str = "*/*") -> bytes:
        """The request that follows the log from where it ends now, to be sent."""
        return (
            f"GET /logs/services/{self.service_id}?tail=0 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {self.token}\r\nAccept: {accept}\r\n\r\n"
        ).encode()

    def connect(self) -> socket.socket:
        client = socket.create_connection(self.address, TIMEOUT_S)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def stream(self, request: bytes) -> socket.socket:
        """A connection on which a stream has begun: the head of the response has been read."""
        client = self.connect()
        client.sendall(request)
        head = client.recv(_CHUNK)
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"the server answered {head[:200]!r}")
        return client


@contextmanager
def serving(folder: Path, first: str, idle: int) -> Iterator[Served]:
    """A supervisor that listens on loopback TCP, and runs the command `first` and `idle` services that do nothing."""
    commands = [first, *[IDLE] * idle]
    (folder / "automations.yaml").write_text("services:\n" + "".join(map(_item, range(idle + 1), commands)))
    state = folder / "state"
    argv = [SUPERVISOR, "run", "automations.yaml", "--state-dir", "state", "--listen", "127.0.0.1:0"]
    with running(argv, folder) as pids:
        until(lambda: runs_begun(state) == len(commands))
        status = _asked(["status"], folder)
        token = _asked(["token"], folder)["token"]
        host, _, port = status["url"].removeprefix("http://").rpartition(":")
        served = Served(pids, (host, int(port)), status["environmentId"], "", Path(), token)
        with served.connect() as client:
            listed = answer(client, served.call("EnvironmentAutomationService/ListServices", FIRST))
        service_id = json.loads(listed)["services"][0]["id"]
        (log,) = state.glob(f"runs/{service_id}.*/log")
        yield Served(pids, served.address, served.environment_id, service_id, log, token)


def answer(client: socket.socket, request: bytes) -> bytes:
    """The body of the answer to a call; the connection can be used again."""
    client.sendall(request)
    received = b""
    while (missing := unread(received)) != 0:
        if not (more := client.recv(_CHUNK)):
            raise RuntimeError(f"the server hung up, {missing} bytes early")
        received += more
    return received.partition(b"\r\n\r\n")[2]


def unread(received: bytes) -> int:
    """How much of a response is still to come; -1: not known yet. Raises RuntimeError if it is an error."""
    head, end, body = received.partition(b"\r\n\r\n")
    if not end:
        return -1
    length = _LENGTH.search(head + b"\r\n")
    if length is None or not head.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"the server answered {received[:300]!r}")
    return int(length[1]) - len(body)


def _item(number: int, command: str) -> str:
    return (
        f"  service-{number}:\n    name: service\n    triggeredBy: [postEnvironmentStart]\n"
        f"    commands:\n      start: {json.dumps(command)}\n"
    )


def _asked(command: Sequence[str], folder: Path) -> dict[str, str]:
    argv = [SUPERVISOR, *command, "--socket", "state/api.sock", "--format", "json"]
    done = subprocess.run(
        argv, cwd=folder, env=environment(folder), capture_output=True, timeout=TIMEOUT_S, check=True
    )
    answered: dict[str, str] = json.loads(done.stdout)
    return answered
