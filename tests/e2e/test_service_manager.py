"""What a service manager that started the supervisor hears of it, over the socket that it would open."""

import os
import signal
import socket
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.e2e.harness import DEADLINE_S, Program, Project

ITEMS = (
    "services: {web: {name: W, triggeredBy: [postEnvironmentStart],"
    " commands: {start: 'env; exec sleep 1000', ready: 'test -e ready'}}}\n"
)


class Manager:
    """Receives messages. Each is its lines as a mapping."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(DEADLINE_S)
        self.heard: list[dict[str, str]] = []

    def next(self) -> dict[str, str]:
        lines = self.socket.recv(1 << 16).decode().split("\n")
        self.heard.append(dict(line.split("=", 1) for line in lines))
        return self.heard[-1]

    def until(self, name: str, value: str = "1") -> dict[str, str]:
        """The next message that says this."""
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            if self.next().get(name) == value:
                return self.heard[-1]
        raise AssertionError(f"{name}={value} was not heard; but {self.heard}")

    def start(self, project: Project, *arguments: str, **env: str) -> Program:
        return project.run(*arguments, NOTIFY_SOCKET=self.socket.getsockname(), **env)


@pytest.fixture
def manager(tmp_path: Path) -> Generator[Manager]:
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.socket.close()


def test_ready_once_the_triggers_have_fired_and_the_api_answers(project: Project, manager: Manager) -> None:
    project.write(ITEMS)
    program = manager.start(project)

    told = manager.until("READY")

    assert told["STATUS"].startswith("nothing runs; waiting for service web to be ready")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(DEADLINE_S)
        client.connect(str(project.state / "api.sock"))
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
    (project.folder / "ready").touch()
    manager.until("STATUS", "1 service runs")
    program.send(signal.SIGTERM)
    assert manager.until("STOPPING")["STATUS"] == "1 service runs"
    assert project.end(program) == 0


def test_reload_is_told_with_its_time_and_its_end(project: Project, manager: Manager) -> None:
    project.write(ITEMS)
    program = manager.start(project, "--no-watch", "--no-api")
    manager.until("READY")
    before = time.monotonic_ns() // 1000

    program.send(signal.SIGHUP)

    told = manager.until("RELOADING")
    assert before < int(told["MONOTONIC_USEC"]) < time.monotonic_ns() // 1000
    assert manager.next()["READY"] == "1"
    assert project.stop(program) == 130


def test_watchdog_is_soothed_in_half_its_time_until_the_end(project: Project, manager: Manager) -> None:
    project.use("ignores-term")
    program = manager.start(project, "--no-api", WATCHDOG_USEC="400000")
    manager.until("WATCHDOG")
    began = time.monotonic()
    for _ in range(5):
        manager.until("WATCHDOG")
    assert time.monotonic() - began > 5 * 0.2 * 0.9, "no more often than it has to be"

    program.send(signal.SIGTERM)
    manager.until("STOPPING")
    manager.until("WATCHDOG")  # also while the deaf are waited for
    program.send(signal.SIGTERM)

    assert project.end(program) == 0


def test_no_child_can_speak_for_the_supervisor(project: Project, manager: Manager) -> None:
    project.write(ITEMS)
    program = manager.start(project, "--logs", WATCHDOG_USEC="30000000", WATCHDOG_PID="1")
    manager.until("READY")

    (project.folder / "ready").touch()
    program.event(reference="web", phase="running")
    environments = {
        pid: Path(f"/proc/{pid}/environ").read_bytes() for pid in project.processes() if pid != program.pid
    }
    assert len(environments) >= 2, "the shim and the service"
    assert not any(b"NOTIFY_SOCKET" in env or b"WATCHDOG" in env for env in environments.values())
    assert "NOTIFY_SOCKET" not in project.logs()[0]
    assert project.stop(program) == 130


def test_manager_that_does_not_read_holds_nothing_up(project: Project, manager: Manager) -> None:
    project.write(ITEMS)
    (project.folder / "ready").touch()
    program = manager.start(project, "--no-watch", WATCHDOG_USEC="20000")
    program.event(reference="web", phase="running")
    for _ in range(30):
        os.kill(program.pid, signal.SIGHUP)

    program.send(signal.SIGTERM)

    assert project.end(program) == 0
