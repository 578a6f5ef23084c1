"""A supervisor on TCP, and a client that sends what no proper client would: bytes."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.faults.scene import Scene, until

TIMEOUT_S = 6.0


@dataclass(frozen=True)
class Answer:
    """A response: its status, 0 if the connection was closed without one, and everything after its first line."""

    status: int
    raw: bytes


class Web:
    """The TCP side of a supervisor that runs a service and has run a task."""

    def __init__(self, scene: Scene, *arguments: str) -> None:
        self.scene = scene
        scene.project.write(
            "services:\n  web: {name: Web, triggeredBy: [postEnvironmentStart], "
            "commands: {start: echo hello; exec sleep 1000}}\n"
            "tasks:\n  build: {name: Build, triggeredBy: [postEnvironmentStart], command: echo built}\n"
        )
        self.program = scene.launch("--listen", "127.0.0.1:0", *arguments)
        scene.serving(self.program)
        until(lambda: scene.phases() == {"web": "running"}, "the service")
        until(lambda: not scene.client().status()["executions"], "the task")
        status = scene.client().status()
        host, _, port = status["url"].removeprefix("http://").rpartition(":")
        self.address = host, int(port)
        self.environment_id: str = status["environmentId"]
        self.service_id: str = scene.services()["web"]["id"]
        (execution,) = scene.client().pages("ListTaskExecutions", "taskExecutions")
        self.execution_id: str = execution["id"]

    def token(self, scope: str = "environment") -> str:
        answered = self.scene.client().control("token", scope=scope)
        return str(answered["token"])

    def send(self, data: bytes) -> Answer:
        """Send bytes and read until the other side closes: it must have been asked to, or have reason to."""
        with socket.create_connection(self.address, TIMEOUT_S) as client:
            try:
                client.sendall(data)
            except OSError:
                pass  # it has heard enough; what it says is read all the same
            received = bytearray()
            try:
                while piece := client.recv(1 << 16):
                    received += piece
            except ConnectionResetError:
                pass
        head = re.match(rb"HTTP/1\.[01] (\d{3}) ", received)
        return Answer(int(head[1]) if head else 0, bytes(received))

    def ask(
        self,
        target: str,
        method: str = "GET",
        body: bytes = b"",
        token: str | None = None,
        host: str = "127.0.0.1",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request as given: its target is not looked at, let alone made proper."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close"]
        if token is not None:
            lines.append(f"Authorization: Bearer {token}")
        if body:
            lines += [f"Content-Length: {len(body)}", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        return self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def call(self, method: str, token: str | None, **request: Any) -> Answer:
        """A Connect call in JSON; `method` with its service."""
        return self.ask(f"/{method}", "POST", json.dumps(request).encode(), token)
