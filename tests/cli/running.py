"""A running supervisor, and the command line as processes beside it."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import Program, Project, until

FILE = """
services:
  web: {name: Web server, commands: {start: 'echo hello; exec sleep 1000', ready: '[ -e ready ]'}}
  once: {name: Once, commands: {start: 'echo oops; exit 3', ready: 'false'}}
tasks:
  build: {name: Build, triggeredBy: [postMachineStart], command: 'echo one; echo two; echo three'}
  seven: {name: Seven, command: 'echo will fail; exit 7', dependsOn: [build]}
  long: {name: Long, command: 'echo begun; sleep 1000 & wait'}
"""


class Running:
    """A supervisor of a workspace with the file above."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._edits = 0
        project.write(FILE)
        self.program = self.start()

    def start(self, *arguments: str) -> Program:
        """Start the supervisor; nothing in the file runs by itself."""
        program = self.project.run("--trigger", "beforeSnapshot", "--listen", "none", *arguments)
        folder = Path(self.project.env["XDG_STATE_HOME"], "supervisor")
        until(lambda: any(map(_answers, folder.glob("*/api.sock"))), "the socket")
        return program

    def edit(self, text: str, at_once: bool = False) -> None:
        """Change the automations file, and see the change carried out; `at_once`: as `update` does it."""
        self.json("status")  # who serves has read the file as it was
        self.project.write(text)
        if at_once:
            assert self.cli("update").process.returncode == 0
        self._edits += 1
        self.program.event(self._edits, kind="edit")

    @property
    def socket(self) -> Path:
        return self.project.state / "api.sock"

    def cli(self, *arguments: str, cwd: Path | None = None, **env: str) -> Program:
        """Run a subcommand to its end."""
        program = self.project.program(*arguments, stdout=subprocess.PIPE, cwd=cwd, **env)
        program.wait()
        return program

    def out(self, *arguments: str, status: int = 0) -> str:
        """What a subcommand prints; it must exit as said, and complain only if it failed."""
        program = self.cli(*arguments)
        assert (program.process.returncode, bool(program.err)) == (status, status != 0), program.err
        return program.out

    def json(self, *arguments: str) -> Any:
        return json.loads(self.out(*arguments, "--format", "json"))

    def ready(self) -> None:
        """Let the service `web` be ready."""
        (self.project.folder / "ready").touch()

    def phase(self, reference: str) -> str:
        (service,) = [s for s in self.json("service", "list") if s["metadata"]["reference"] == reference]
        phase: str = service["status"]["phase"]
        return phase.removeprefix("SERVICE_PHASE_").lower()

    def executions(self, reference: str) -> str:
        """The phase of a task's last execution."""
        (row,) = [r for r in self.json("task", "list") if r["task"]["metadata"]["reference"] == reference]
        phase: str = (row["lastExecution"] or {"status": {"phase": ""}})["status"]["phase"]
        return phase.removeprefix("TASK_EXECUTION_PHASE_").lower()

    def watchers(self) -> int:
        """How many clients read events."""
        with socket.socket(socket.AF_UNIX) as http:
            http.connect(str(self.socket))
            http.sendall(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
            answer = b"".join(iter(lambda: http.recv(1 << 16), b""))
        found = re.search(rb"^supervisor_subscribers (\d+)", answer, re.MULTILINE)
        assert found, answer
        return int(found[1])


@pytest.fixture
def running(tmp_path: Path) -> Generator[Running]:
    project = Project(tmp_path)
    try:
        running = Running(project)
        yield running
        if running.program.process.poll() is None:
            project.stop(running.program)
        assert project.left_after_a_moment() == []
    finally:
        project.close()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as asking:
        return asking.connect_ex(str(path)) == 0
