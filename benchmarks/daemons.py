"""Three supervisors behind one face, for `recovery`: this one, supervisord, and circus.

Each runs the same scripts, `commands/<name>.sh` in its folder, is asked over the protocol that its own command line
uses, and is started again by the same command line after it was killed.
"""

from __future__ import annotations

import json
import socket
import subprocess
import xmlrpc.client
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Protocol

from benchmarks.environments import programs, version
from benchmarks.measure import SUPERVISOR, environment

TIMEOUT_S = 30.0
_CLIENT = Path(__file__).parent / "programs" / "ask_circus.py"


class Daemon(Protocol):
    """A supervisor in a folder of its own."""

    @property
    def title(self) -> str:
        """Its name and version."""

    def configure(self, names: Sequence[str]) -> None:
        """Write its configuration: a service for each name."""

    @property
    def argv(self) -> list[str]:
        """How it is started, in the folder."""

    def states(self) -> dict[str, str]:
        """`{service: "running", "exited N" or something else}`. Raises OSError while it does not answer."""

    def stop(self, name: str) -> None:
        """Ask for a service to be stopped; returns once that was answered."""

    def log(self, name: str) -> bytes:
        """What it has of the output of a service."""

    def close(self) -> None:
        """Let go of what was used to ask."""


class Ours:
    """This supervisor, over its Unix socket."""

    title = "this supervisor"

    def __init__(self, folder: Path, program: str = SUPERVISOR) -> None:
        self._folder = folder
        self._program = program
        self._ids: dict[str, str] = {}

    def configure(self, names: Sequence[str]) -> None:
        items = (
            f"  {name}:\n    name: x\n    triggeredBy: [postEnvironmentStart]\n"
            f"    commands: {{start: exec bash commands/{name}.sh}}\n"
            for name in names
        )
        (self._folder / "automations.yaml").write_text("services:\n" + "".join(items))

    @property
    def argv(self) -> list[str]:
        return [self._program, "run", "automations.yaml", "--state-dir", "state", "--listen", "none"]

    def states(self) -> dict[str, str]:
        found: dict[str, str] = {}
        token = ""
        while True:
            page = {"pagination": {"pageSize": 100, "token": token}}
            answer = json.loads(self._asked("POST", "ListServices", page))
            for service in answer.get("services", []):
                name = service["metadata"]["reference"]
                self._ids[name] = service["id"]
                found[name] = _state(service["status"])
            token = answer["pagination"].get("nextToken", "")
            if not token:
                return found

    def stop(self, name: str) -> None:
        self._asked("POST", "StopService", {"id": self._ids[name]})

    def log(self, name: str) -> bytes:
        return self._asked("GET", f"/logs/services/{self._ids[name]}?follow=false")

    def close(self) -> None:
        pass

    def _asked(self, method: str, path: str, request: object = None) -> bytes:
        if not path.startswith("/"):
            path = f"/gitpod.v1.EnvironmentAutomationService/{path}"
        http = HTTPConnection("localhost", timeout=TIMEOUT_S)
        http.sock = socket.socket(socket.AF_UNIX)
        try:
            http.sock.settimeout(TIMEOUT_S)
            http.sock.connect(str(self._folder / "state/api.sock"))
            body = None if request is None else json.dumps(request)
            http.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = http.getresponse()
            answer = response.read()
        finally:
            http.close()
        if response.status != 200:
            raise RuntimeError(f"{path} was answered with {response.status}: {answer[:300]!r}")
        return answer


def _state(status: dict[str, Any]) -> str:
    phase = status["phase"].removeprefix("SERVICE_PHASE_").lower()
    return str(status.get("failureMessage", "").partition("\n")[0]) if phase == "failed" else phase


class Supervisord:
    """supervisord, over XML-RPC."""

    title = f"supervisord {version('supervisord')}"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()

    def configure(self, names: Sequence[str]) -> None:
        (self._folder / "logs").mkdir(exist_ok=True)
        head = (
            f"[supervisord]\nnodaemon=true\nlogfile=daemon.log\npidfile=daemon.pid\n"
            f"[inet_http_server]\nport=127.0.0.1:{self._port}\n"
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
        )
        items = (
            f"[program:{name}]\ncommand=bash commands/{name}.sh\nstartsecs=0\nautorestart=false\n"
            f"redirect_stderr=true\nstdout_logfile=logs/{name}.log\nstdout_logfile_maxbytes=0\n"
            for name in names
        )
        (self._folder / "supervisord.conf").write_text(head + "".join(items))

    @property
    def argv(self) -> list[str]:
        return [str(programs("supervisord") / "supervisord"), "-c", "supervisord.conf"]

    def states(self) -> dict[str, str]:
        with self._proxy as rpc:
            told: Any = rpc.supervisor.getAllProcessInfo()
        return {
            process["name"]: f"exited {process['exitstatus']}"
            if process["statename"] == "EXITED"
            else process["statename"].lower()
            for process in told
        }

    def stop(self, name: str) -> None:
        with self._proxy as rpc:
            rpc.supervisor.stopProcess(name)

    def log(self, name: str) -> bytes:
        return (self._folder / f"logs/{name}.log").read_bytes()

    def close(self) -> None:
        pass

    @property
    def _proxy(self) -> xmlrpc.client.ServerProxy:
        return xmlrpc.client.ServerProxy(f"http://127.0.0.1:{self._port}/RPC2")


class Circus:
    """circusd, over its own client, which runs beside all the time: its imports are not to be measured."""

    title = f"circus {version('circus')}"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = free_port(), free_port()

    def configure(self, names: Sequence[str]) -> None:
        (self._folder / "logs").mkdir(exist_ok=True)
        endpoint, pubsub = (f"tcp://127.0.0.1:{port}" for port in self._ports)
        head = f"[circus]\nendpoint = {endpoint}\npubsub_endpoint = {pubsub}\n"
        items = (
            f"[watcher:{name}]\ncmd = bash commands/{name}.sh\nrespawn = False\ncopy_env = True\n"
            f"stdout_stream.class = FileStream\nstdout_stream.filename = logs/{name}.log\n"
            for name in names
        )
        (self._folder / "circus.ini").write_text(head + "".join(items))

    @property
    def argv(self) -> list[str]:
        return [str(programs("circus") / "circusd"), "circus.ini"]

    def states(self) -> dict[str, str]:
        told: dict[str, str] = self._asked({"command": "status"})["statuses"]
        return {name: {"active": "running"}.get(state, state) for name, state in told.items()}

    def stop(self, name: str) -> None:
        self._asked({"command": "stop", "properties": {"name": name, "waiting": True}})

    def log(self, name: str) -> bytes:
        with suppress(FileNotFoundError):
            return (self._folder / f"logs/{name}.log").read_bytes()
        return b""

    def close(self) -> None:
        self._client.terminate()
        self._client.communicate()

    @cached_property
    def _client(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(programs("circus") / "python"), "-I", str(_CLIENT), f"tcp://127.0.0.1:{self._ports[0]}"],
            env=environment(self._folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _asked(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._client.stdin is not None
        assert self._client.stdout is not None
        print(json.dumps(request), file=self._client.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self._client.stdout.readline())
        if "error" in answer:
            raise ConnectionError(answer["error"])
        return answer


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


DAEMONS: tuple[type[Ours] | type[Supervisord] | type[Circus], ...] = (Ours, Supervisord, Circus)
