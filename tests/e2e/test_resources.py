"""A machine that runs out of something: what runs goes on, and somebody is told, also when it is over."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import Project, until

FILE = """
services:
  web: {name: W, triggeredBy: [postEnvironmentStart], commands: {start: 'echo up; exec sleep 1000'}}
tasks:
  small: {name: S, command: echo hello}
"""


@pytest.fixture
def state(project: Project, tmp_path: Path) -> Iterator[Path]:
    """A state directory on a disk of 1 MiB."""
    disk = tmp_path / "d"
    disk.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        pytest.skip("no right to mount a small disk")
    yield disk / "s"
    project.close()
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(state: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        (state.parent / "fill").write_bytes(bytes(1 << 21))


def make_room(state: Path) -> None:
    (state.parent / "fill").unlink()


def asked(project: Project, state: Path, *arguments: str) -> Any:
    """The answer of a subcommand that talks to the supervisor."""
    words = (*arguments, "--socket", str(state / "api.sock"), "--format", "json")
    program = project.program(*words)
    assert program.wait() == 0, program.err
    return json.loads(program.out)


def service_pid(project: Project) -> int:
    [pid] = [pid for pid, command in project.processes().items() if command == "sleep 1000"]
    return pid


@pytest.mark.slow
def test_a_full_disk_ends_nothing_and_no_record_is_lost(project: Project, state: Path) -> None:
    project.write(FILE)
    program = project.run("--state-dir", str(state), "--listen", "none")
    program.event(reference="web", phase="running")
    until((state / "token.key").exists, "the API")
    pid = service_pid(project)

    fill(state)
    execution = asked(project, state, "task", "start", "small")
    program.event(kind="notice", text="records cannot be written (database or disk is full)")
    program.event(kind="notice", text="the disk that holds the logs is full")
    status = asked(project, state, "status")
    assert sorted(trouble["what"] for trouble in status["troubles"]) == ["disk", "records"]
    assert status["services"] == {"running": 1}
    [failed] = status["failed"]
    assert "cannot write the script" in failed["why"]
    assert "no space left on device" in failed["why"]

    make_room(state)
    program.event(kind="notice", text="records are written again, none was lost, after ")
    program.event(kind="notice", text="there is room on the disk again")
    until(lambda: asked(project, state, "status")["troubles"] == [], "the end of all troubles")
    assert service_pid(project) == pid

    # What happened while nothing could be written is in the database that the next supervisor reads.
    project.kill(program.pid)
    program.wait()
    after = project.run("--state-dir", str(state), "--listen", "none")
    after.event(kind="notice", text="has left what ran: going on with it")
    until(lambda: (state / "api.sock").exists() and asked(project, state, "status"), "the next supervisor")
    [row] = asked(project, state, "task", "list")
    assert row["lastExecution"]["id"] == (execution["id"] if isinstance(execution, dict) else execution)
    assert service_pid(project) == pid
    project.stop(after)


@pytest.mark.slow
def test_a_supervisor_takes_over_what_runs_while_the_disk_is_full(project: Project, state: Path) -> None:
    project.write(FILE)
    program = project.run("--state-dir", str(state), "--listen", "none")
    program.event(reference="web", phase="running")
    until((state / "token.key").exists, "the API")
    pid = service_pid(project)

    fill(state)
    project.kill(program.pid)
    program.wait()
    after = project.run("--state-dir", str(state), "--listen", "none")
    after.event(kind="notice", text="has left what ran: going on with it")
    after.event(kind="notice", text="the disk that holds the logs is full")
    assert asked(project, state, "status")["services"] == {"running": 1}
    assert service_pid(project) == pid

    make_room(state)
    after.event(kind="notice", text="there is room on the disk again")
    project.stop(after)


def test_a_new_state_directory_on_a_full_disk_is_refused_with_a_sentence(
    project: Project, state: Path
) -> None:
    project.write(FILE)
    fill(state)
    program = project.run("--state-dir", str(state), "--listen", "none")

    assert project.end(program) == 1
    [line] = program.err.splitlines()
    assert line.startswith("supervisor: cannot ")
    assert "full" in line or "No space left" in line


NO_INOTIFY = 'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"'
"""In a user namespace of its own, whose limits nobody else is under."""


def test_without_inotify_an_edit_is_noticed_by_looking_and_somebody_is_told(project: Project) -> None:
    namespace = ("unshare", "--user", "--map-root-user", "sh", "-c", NO_INOTIFY, "sh")
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no user namespace with a limit of its own for inotify")
    project.write(FILE)
    project.within = namespace
    program = project.run("--listen", "none")

    told = program.event(kind="notice", text="an edit is noticed by looking every 5 s")
    assert "raise fs.inotify.max_user_instances" in told["text"]
    project.write(FILE.replace("echo hello", "echo other"))
    program.event(kind="edit", text="small")
    project.stop(program)


def test_a_start_anew_on_a_full_disk_is_refused_with_a_sentence(project: Project, state: Path) -> None:
    project.write(FILE)
    program = project.run("--state-dir", str(state), "--listen", "none")
    program.event(reference="web", phase="running")
    project.stop(program)
    fill(state)

    program = project.run("--state-dir", str(state), "--listen", "none")
    assert project.end(program) == 1
    [line] = program.err.splitlines()
    assert line.startswith(f'supervisor: cannot open the database "{state}/state.db": ')
    assert line.endswith("its disk is full: no space left on it; make room")


@pytest.mark.slow
def test_clients_wait_for_descriptors_and_nothing_is_flooded_with_that(
    project: Project, tmp_path: Path
) -> None:
    project.write(FILE)
    project.within = ("sh", "-c", 'ulimit -n 64; exec "$@"', "sh")
    state = tmp_path / "s"
    program = project.run("--state-dir", str(state), "--listen", "none")
    until((state / "token.key").exists, "the API")
    with ExitStack() as clients:
        for _ in range(200):
            client = clients.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(str(state / "api.sock"))
        program.event(kind="notice", text="clients wait to be accepted: too many open files")
    program.event(kind="notice", text="clients do not wait to be accepted any more")
    assert asked(project, state, "status")["services"] == {"running": 1}
    assert program.err == ""
    project.stop(program)
