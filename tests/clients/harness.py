"""A running supervisor, and the programs that drive it with a public client, each a separate process.

A program gets the scenario's name and its arguments as JSON; it finds base URL and token where the client looks for
them, in the environment, and prints one JSON object, which a test then judges.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.clients.set_up import ONA_0_1, SDK_1_2, Client
from tests.e2e.harness import DEADLINE_S, Program, Project, until

PROGRAMS = Path(__file__).parent / "programs"
SCENARIO_DEADLINE_S = 30.0
both_sdks = pytest.mark.parametrize(
    "driver", [SDK_1_2, ONA_0_1], indirect=True, ids=lambda client: str(client.name)
)
"""For a test whose program drives gitpod-sdk 1.2.0 and ona-sdk 0.1.1, each in an environment of its own."""


class SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=DEADLINE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Supervisor:
    """`supervisor run` in a project of its own, listening on a port of its own."""

    def __init__(self, project: Project, *arguments: str) -> None:
        """Start it, and wait until it is ready. `arguments`: more of its command line."""
        self.project = project
        self.port = _free_port()
        self._arguments = ("--listen", f"127.0.0.1:{self.port}", *arguments)
        self.program: Program = project.run(*self._arguments)
        until(self._is_ready, "the server")
        self.environment_id: str = self.call("IdentityService/GetAuthenticatedIdentity")["subject"]["id"]

    def kill_and_restart(self) -> None:
        """SIGKILL, and another one in its place, as whoever has started it would do."""
        self.program.process.kill()
        self.program.wait()
        self.program = self.project.run(*self._arguments)
        until(self._is_ready, "the server")

    def await_file(self, path: Path) -> None:
        """Wait until a program that runs beside has made a file."""
        until(path.exists, f"the file {path}")

    @property
    def base_url(self) -> str:
        """What the platform's clients are told: its path is the platform's."""
        return f"http://127.0.0.1:{self.port}/api"

    def call(self, method: str, **request: Any) -> dict[str, Any]:
        """Call a method through the socket, as the command line does."""
        connection = SocketConnection(self.project.state / "api.sock")
        try:
            connection.request(
                "POST", f"/gitpod.v1.{method}", json.dumps(request), {"Content-Type": "application/json"}
            )
            response = connection.getresponse()
            body: dict[str, Any] = json.loads(response.read())
            assert response.status == 200, body
            return body
        finally:
            connection.close()

    def token(self, kind: str = "Access") -> str:
        """A token for this environment; "Logs": one that only reads logs."""
        answer = self.call(
            f"EnvironmentService/CreateEnvironment{kind}Token", environmentId=self.environment_id
        )
        return str(answer["accessToken"])

    def _is_ready(self) -> bool:
        if self.program.process.poll() is not None:
            self.program.wait()
            raise AssertionError(f"the supervisor ended:\n{self.program.err}")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except ConnectionError:
            return False
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class Driver:
    """Drives a supervisor with one client."""

    client: Client
    program: str
    supervisor: Supervisor
    patience_s: float = SCENARIO_DEADLINE_S
    """How long a scenario may take."""

    def run(self, scenario: str, **arguments: Any) -> dict[str, Any]:
        """What the client's program says about a scenario; it must come to an end, and without an exception."""
        return self.result(self.start(scenario, **arguments), scenario)

    def start(self, scenario: str, **arguments: Any) -> subprocess.Popen[str]:
        """The program at work, for what goes on beside it; `result` has its end."""
        everything = {
            "environmentId": self.supervisor.environment_id,
            "baseUrl": self.supervisor.base_url,
            "workspace": str(self.supervisor.project.folder),
            **arguments,
        }
        return subprocess.Popen(
            [*self.client.program, PROGRAMS / self.program, scenario, json.dumps(everything)],
            cwd=self.client.folder,
            env=self._environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def result(self, program: subprocess.Popen[str], scenario: str) -> dict[str, Any]:
        """What a program that was started says in the end, and does not fail."""
        with program:
            try:
                out, err = program.communicate(timeout=self.patience_s)
            except subprocess.TimeoutExpired:
                program.kill()
                raise
        assert program.returncode == 0, f"{scenario} failed:\n{out}{err}\n{self.supervisor.program.err}"
        found: dict[str, Any] = json.loads(out)
        return found

    def _environ(self) -> Mapping[str, str]:
        token = self.supervisor.token()
        return {
            **self.supervisor.project.env,
            "PATH": os.environ["PATH"],
            "GITPOD_API_KEY": token,
            "ONA_API_KEY": token,
            "GITPOD_BASE_URL": self.supervisor.base_url,
            "ONA_BASE_URL": self.supervisor.base_url,
        }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
