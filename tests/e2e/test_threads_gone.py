"""A machine without a process or thread to spare: that is told and waited out, and the supervisor lives on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.cli.remote.client import Client
from tests.e2e.harness import Program, Project, until
from tests.e2e.test_user import Machine
from tests.host.users.other_user import UID, needs_root, open_folder

__all__ = ["open_folder"]  # a fixture
pytestmark = [needs_root, pytest.mark.slow, pytest.mark.timeout(180)]

MOST = 60
HOG = """
import os, time
print("taking all", flush=True)
while True:
    try:
        pid = os.fork()
    except OSError:
        open("full", "w").close()
        time.sleep(0.02)  # and takes whatever becomes free
        continue
    if pid == 0:
        time.sleep(1000)
        os._exit(0)
"""
FILE = f"""\
services:
  web: {{name: Web, commands: {{start: 'echo up; exec sleep 1000', ready: 'true'}}}}
tasks:
  hog: {{name: Hog, command: 'exec {sys.executable} -I hog.py'}}
  small: {{name: Small, command: echo small}}
"""


@pytest.fixture
def pids() -> Iterator[Path]:
    """A control group, of version 1 or 2, in which there may be few processes."""
    group = next(filter(None, map(_group, ("pids", "unified", ""))), None)
    if group is None:
        pytest.skip("no control group that counts processes can be made here")
    yield group
    until(lambda: not (group / "cgroup.procs").read_text(), "the end of what was in the group")
    group.rmdir()


def _group(hierarchy: str) -> Path | None:
    group = Path("/sys/fs/cgroup", hierarchy, f"supervisor-test-{os.getpid()}")
    try:
        group.mkdir()
        with open(group / "pids.max", "r+") as file:
            file.write(str(MOST))
    except OSError:
        if group.is_dir():
            group.rmdir()
        return None
    return group


def troubles(client: Client) -> set[str]:
    return {str(trouble["what"]) for trouble in client.status()["troubles"]}


def fill(project: Project) -> Client:
    """Have a task of a running supervisor take all processes there may be, and take what becomes free."""
    found = until(lambda: [*project.home.parent.glob("s/supervisor/*/api.sock")], "a socket")
    client = Client(str(found[0]))
    (task,) = until(lambda: client.pages("ListTasks", "tasks", filter={"references": ["hog"]}), "the task")
    client.call("StartTask", id=task["id"])
    until((project.folder / "full").exists, "a machine that is full")
    return client


def survives(project: Project, program: Program) -> None:
    client = fill(project)
    # An edit is seen, logs are read, and a command waits.
    project.write(FILE + "  new: {name: New, command: echo new}\n")
    until(
        lambda: any(t["metadata"]["reference"] == "new" for t in client.pages("ListTasks", "tasks")),
        "the edit",
    )
    (small,) = client.pages("ListTasks", "tasks", filter={"references": ["small"]})
    client.call("StartTask", id=small["id"])
    until(lambda: "commands" in troubles(client), "a command that waits")
    (execution,) = client.pages("ListTaskExecutions", "taskExecutions", filter={"taskReferences": ["hog"]})
    with client.log(f"executions/{execution['id']}", follow=False, tail=1) as pieces:
        assert b"".join(pieces) == b"taking all\n"
    assert program.process.poll() is None

    client.call("StopTaskExecution", id=execution["id"])
    program.event(kind="task", reference="small", phase="succeeded")
    until(lambda: not troubles(client), "the end of the shortage")


def prepare(project: Project) -> None:
    project.write(FILE)
    (project.folder / "hog.py").write_text(HOG)


@pytest.fixture
def hog(project: Project) -> Project:
    prepare(project)
    return project


def start(project: Project, within: tuple[str, ...]) -> Program:
    words = ("run", "--format", "json", "--listen", "none")
    return project.keep(Program(words, project.folder, project.env, subprocess.PIPE, within))


def in_group(pids: Path) -> tuple[str, ...]:
    return ("sh", "-c", f'echo $$ >{pids}/cgroup.procs; exec "$@"', "sh")


def test_control_group_without_a_process_to_spare_is_told_and_waited_out(pids: Path, hog: Project) -> None:
    program = start(hog, in_group(pids))
    survives(hog, program)
    assert hog.stop(program) == 130


def test_signal_ends_a_supervisor_that_has_no_process_to_spare(pids: Path, hog: Project) -> None:
    program = start(hog, in_group(pids))
    fill(hog)
    program.send(signal.SIGTERM)
    assert hog.end(program) == 0


AS_USER = f"""
set -e
mkdir $1/python
mount --bind {sys.base_prefix} $1/python
mount -t tmpfs -o mode=0755 tmpfs /root
# Where this Python is below /root, that user is to find it all the same.
mkdir -p {sys.base_prefix}
mount --bind $1/python {sys.base_prefix}
shift
ulimit -u {MOST + 20}
exec setpriv --reuid {UID} --regid {UID} --clear-groups "$@"
"""


def test_user_without_a_process_to_spare_is_told_and_waited_out(open_folder: Path) -> None:
    """The limit of a user's processes counts for all users but root."""
    project = Project(open_folder)
    try:
        prepare(project)
        for folder in (project.folder, project.home, open_folder):
            os.chown(folder, UID, UID)
        within = ("unshare", "--mount", "--propagation", "private", "bash", "-c", AS_USER, "sh")
        program = start(project, (*within, str(open_folder)))
        survives(project, program)
        assert project.stop(program) == 130
    finally:
        project.close()


def test_edit_by_another_user_waits_for_a_process_to_look_at_it(pids: Path, open_folder: Path) -> None:
    """With `--user`, the file is looked at by a process that is that user."""
    machine = Machine(open_folder)
    try:
        prepare(machine)
        machine.here = (*in_group(pids), *machine.here)
        program = machine.supervise("--state-dir", str(open_folder / "s/supervisor/one"))
        client = fill(machine)
        machine.write(FILE + "  new: {name: New, command: echo new}\n")
        (execution,) = client.pages(
            "ListTaskExecutions", "taskExecutions", filter={"taskReferences": ["hog"]}
        )
        until(lambda: "threads" in troubles(client), "word of the shortage")
        assert client.status()["file"]["failure"] == ""
        client.call("StopTaskExecution", id=execution["id"])
        until(
            lambda: "new" in str(client.pages("ListTasks", "tasks", filter={"references": ["new"]})),
            "the edit",
        )
        assert machine.stop(program) == 130
    finally:
        machine.close()
