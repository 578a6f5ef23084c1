"""The real supervisor and a management plane on loopback, with an interval of less than a second."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from supervisor.cli.remote.client import Client
from tests.activity.plane import ENVIRONMENT, METHOD
from tests.activity.sshd import MISSING, sshd
from tests.e2e.harness import Program, Project, until

INTERVAL_S = 0.5
"""Three of them are little beside what a busy machine may take to do anything."""
FILE = """
services: {web: {name: Web, triggeredBy: [postMachineStart], commands: {start: exec sleep 1000}}}
tasks: {long: {name: Long, command: 'while [ ! -e done ]; do sleep 0.02; done'}}
"""
pytestmark = pytest.mark.slow


class Plane:
    """Records what it is told, from a thread: the supervisor and the command line are processes of their own."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.tokens: list[str | None] = []
        self.good = {"first"}
        plane = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == f"/api{METHOD}"
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                token = (self.headers["Authorization"] or "").removeprefix("Bearer ")
                plane.tokens.append(token)
                if token in plane.good:
                    plane.told.append(body)
                answer = (
                    b"{}" if token in plane.good else b'{"code": "unauthenticated", "message": "expired"}'
                )
                self.send_response(200 if token in plane.good else 401)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/api"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def times(self) -> list[float]:
        """When there was activity, as the signals say."""
        return [datetime.fromisoformat(told["activitySignal"]["timestamp"]).timestamp() for told in self.told]

    def sources(self) -> list[str]:
        return [told["activitySignal"]["source"] for told in self.told]


class Site:
    """A supervisor that is told of the plane."""

    def __init__(self, folder: Path, plane: Plane) -> None:
        self.project = Project(folder)
        self.plane = plane
        self.token = folder / "token"
        self.token.write_text("first\n")
        self.project.write(FILE)
        self.program = self.start()

    def start(self) -> Program:
        program = self.project.run(
            *("--control-plane-url", self.plane.url, "--environment-id", ENVIRONMENT, "--listen", "none"),
            *("--environment-token-file", str(self.token), "--heartbeat-interval", f"{INTERVAL_S}s"),
        )
        until(lambda: self.cli("status").process.returncode == 0, "a supervisor that answers")
        return program

    def cli(self, *arguments: str) -> Program:
        program = self.project.program(*arguments)
        program.wait()
        return program

    def activity(self) -> Any:
        program = self.cli("activity", "--format", "json")
        assert program.process.returncode == 0, program.err
        return json.loads(program.out)

    def report(self, source: str) -> None:
        client = Client(str(self.project.state / "api.sock"))
        signal = {"source": source}
        client.call(
            "MarkEnvironmentActive",
            "gitpod.v1.EnvironmentService",
            environmentId=ENVIRONMENT,
            activitySignal=signal,
        )

    def metrics(self) -> str:
        with socket.socket(socket.AF_UNIX) as http:
            http.connect(str(self.project.state / "api.sock"))
            http.sendall(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return b"".join(iter(lambda: http.recv(1 << 16), b"")).decode()

    def told(self, count: int) -> None:
        until(lambda: len(self.plane.told) >= count, f"{count} signals")


@pytest.fixture
def plane() -> Iterator[Plane]:
    plane = Plane()
    yield plane
    plane.close()


@pytest.fixture
def site(tmp_path: Path, plane: Plane) -> Iterator[Site]:
    site = Site(tmp_path, plane)
    try:
        yield site
        if site.program.process.poll() is None:
            site.project.stop(site.program)
    finally:
        site.project.close()


def active(site: Site) -> list[str]:
    """The kinds of what is active."""
    return [seen["kind"] for seen in site.activity()["sources"]]


@pytest.fixture
def quiet(site: Site) -> Site:
    """Nobody is logged in to this machine, and nothing is active."""
    if active(site):
        pytest.skip("somebody is logged in to this machine")
    return site


def test_running_task_is_told_at_intervals_and_nothing_before_and_after_it(quiet: Site, plane: Plane) -> None:
    assert plane.told == []

    quiet.cli("task", "start", "long")
    quiet.told(4)
    Path(quiet.project.folder, "done").touch()
    until(lambda: not active(quiet), "the end of the task")
    count = len(plane.told)
    quiet.report("VS Code")
    quiet.told(count + 1)

    assert plane.sources() == ["Automations"] * count + ["VS Code"]
    assert {told["environmentId"] for told in plane.told} == {ENVIRONMENT}
    assert set(plane.tokens) == {"first"}
    # Never two within an interval; a busy machine may be late.
    assert all(later - earlier > INTERVAL_S - 0.05 for earlier, later in pairwise(plane.times()[:count]))
    explained = quiet.activity()["heartbeat"]
    assert (explained["delivered"], explained["failed"]) == (count + 1, 0)
    assert "VS Code" in quiet.cli("status").out
    assert f'supervisor_heartbeats_total{{outcome="sent"}} {count + 1}.0' in quiet.metrics()


def test_new_token_in_the_file_is_used_without_a_restart(quiet: Site, plane: Plane) -> None:
    plane.good = {"second"}
    quiet.cli("task", "start", "long")
    quiet.program.event(kind="notice", text="refuses the environment's token")
    assert quiet.activity()["heartbeat"]["state"] == "refused"
    tries = len(plane.tokens)

    quiet.token.write_text("second\n")
    quiet.told(2)

    assert plane.tokens[:tries] == ["first"]
    assert set(plane.tokens[tries:]) == {"second"}
    Path(quiet.project.folder, "done").touch()


def test_plane_that_is_away_disturbs_nothing_and_is_told_when_it_is_back(quiet: Site, plane: Plane) -> None:
    plane.server.socket.close()
    quiet.cli("task", "start", "long")
    quiet.program.event(kind="notice", text="activity cannot be reported")
    explained = quiet.activity()["heartbeat"]
    assert explained["failures"] >= 3
    assert "Connect call failed" in explained["signals"][0]["why"]
    assert "last signal" in quiet.cli("status").out
    Path(quiet.project.folder, "done").touch()
    until(lambda: not active(quiet), "the end of the task")


def test_process_keeps_awake_also_when_the_supervisor_is_killed_and_started_again(
    quiet: Site, plane: Plane, sleeper: subprocess.Popen[bytes]
) -> None:
    quiet.cli("keep-alive", "--pid", str(sleeper.pid), "--source", "Nightly build")
    quiet.told(1)
    quiet.program.process.kill()
    quiet.program.wait()
    before = len(plane.told)

    quiet.program = quiet.start()
    quiet.told(before + 2)

    assert set(plane.sources()) == {"Nightly build"}
    sleeper.kill()
    sleeper.wait()


@pytest.mark.skipif(MISSING, reason="there is no sshd here")
def test_open_session_is_told_while_it_lasts(quiet: Site, plane: Plane, tmp_path: Path) -> None:
    folder = tmp_path / "sshd"
    folder.mkdir(mode=0o700)
    with sshd(folder) as server:
        with server.session():
            quiet.told(2)
            assert active(quiet) == ["ssh"]
        until(lambda: not active(quiet), "the end of the session")
    assert set(plane.sources()) == {"SSH"}


def test_command_does_not_wait_for_what_a_heartbeat_takes(tmp_path: Path) -> None:
    """What the call imports is loaded when the first signal is due, and never without one."""
    project = Project(tmp_path)
    project.write(FILE)
    try:
        program = project.run(
            *("--control-plane-url", "http://127.0.0.1:1", "--environment-id", ENVIRONMENT, "--no-api"),
            *("--environment-token-file", str(tmp_path / "none"), "--heartbeat-interval", "0.2s"),
        )
        program.event(kind="service", reference="web", phase="running")
        assert "aiohttp" not in Path(f"/proc/{program.pid}/maps").read_text()
        project.stop(program)
    finally:
        project.close()
