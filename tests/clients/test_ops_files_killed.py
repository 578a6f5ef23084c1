"""kill -9 of the supervisor in the middle of a write: the file has its old or its new content, and is alone."""

from __future__ import annotations

import http.client
import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from platform_wire import environmentopts_pb2 as pb
from tests.clients.harness import Driver, Supervisor
from tests.clients.set_up import SDK_1_2, Client
from tests.e2e.harness import Project, until
from tests.e2e.ops_client import OpsClient
from tests.workspace.worker_bench import with_slow_git

pytestmark = pytest.mark.slow
MIB = 1 << 20


def test_a_write_in_the_middle_of_which_the_supervisor_is_killed(
    tmp_path: Path, request: pytest.FixtureRequest, ready: Callable[[Client], None]
) -> None:
    full = request.config.getoption("--full-size")
    ready(SDK_1_2)
    project = Project(tmp_path)
    try:
        draw = random.Random(request.config.getoption("--seed"))
        print(outcomes(project, draw, *((50, 100_000_000) if full else (1, 8 * MIB))))
    finally:
        project.close()


def outcomes(project: Project, draw: random.Random, kills: int, size: int) -> dict[str, int]:
    """Kill so often in the middle of a write of so many bytes. Returns how often the file was the old or the new."""
    found = {"old": 0, "new": 0, "answered": 0}
    byte, middle_s = 1, written(project, size) / 2
    for _ in range(kills):
        supervisor = Supervisor(project)
        outcome = killed(supervisor, byte + 1, size, draw.uniform(0.7, 1.3) * middle_s)
        middle_s *= 0.93 if outcome else 1.07  # how fast the machine is changes
        content = (project.folder / "target").read_bytes()
        assert len(content) == size
        assert len(set(content)) == 1
        assert set(os.listdir(project.folder)) == {"target"}
        is_new = content[0] == byte + 1
        assert content[0] in (byte, byte + 1)
        assert not (outcome and not is_new), "a write was answered and is lost"
        found["answered" if outcome else "new" if is_new else "old"] += 1
        byte = content[0] % 200
    return found


def test_nothing_is_left_when_the_supervisor_is_killed_in_the_middle_of_a_call(tmp_path: Path) -> None:
    project = Project(tmp_path)
    try:
        project.env |= with_slow_git(project.folder, project.env["PATH"])
        supervisor = Supervisor(project)
        ops = OpsClient(supervisor.port, supervisor.token())
        failed: list[type[BaseException]] = []

        def ask() -> None:
            try:
                ops.unary("GetGitStatus", pb.GetGitStatusRequest(), pb.GetGitStatusResponse)
            except (ConnectionError, http.client.HTTPException) as error:
                failed.append(type(error))

        asking = threading.Thread(target=ask)
        asking.start()
        until((project.folder / "bin/git.runs").exists, "git")
        until(lambda: named(project, b"sleep\x00600"), "what git has started")
        assert named(project, b"worker_start.py")

        supervisor.program.process.kill()

        supervisor.program.wait()
        asking.join()
        assert failed
        until(lambda: not named(project, b"worker_start.py"), "the end of the worker")
        until(lambda: not named(project, b"sleep\x00600"), "the end of its programs")
    finally:
        project.close()


def written(project: Project, size: int) -> float:
    """Write the file for the first time. Returns how long a client takes from its start to its end."""
    supervisor = Supervisor(project)
    began = time.monotonic()
    found = overwriting(supervisor).run("overwrite", byte=1, size=size)
    took_s = time.monotonic() - began
    assert found == {"refused": None}
    project.stop(supervisor.program)
    return took_s


def killed(supervisor: Supervisor, byte: int, size: int, after_s: float) -> bool:
    """Have a client write, and kill the supervisor meanwhile. Returns whether the client was answered."""
    client = overwriting(supervisor).start("overwrite", byte=byte, size=size)
    killing = threading.Timer(after_s, supervisor.program.process.kill)
    killing.start()
    out, _ = client.communicate(timeout=60)
    killing.join()
    supervisor.program.wait()
    until(lambda: not named(supervisor.project, b"worker_start.py"), "the end of the worker")
    return client.returncode == 0 and '"refused": null' in out


def overwriting(supervisor: Supervisor) -> Driver:
    return Driver(SDK_1_2, "ops_files.py", supervisor)


def named(project: Project, words_of_it: bytes) -> list[str]:
    """The processes of a project that have this in their command line."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{name}/cmdline").read_bytes()
            environ = Path(f"/proc/{name}/environ").read_bytes()
        except OSError:
            continue
        if words_of_it in words and project.marker.encode() in environ:
            found.append(name)
    return found
