"""A workspace that is removed while it is in use, made again, or named with bytes that are no text."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.host.state.state_path import default_path
from tests.e2e.harness import ENTRY, Program, Project
from tests.e2e.namespace import Namespace, unshare

FILE = """
services:
  web: {name: Web, triggeredBy: [postEnvironmentStart], commands: {start: 'pwd; exec sleep 1000'}}
"""
OTHER = "tasks: {where: {name: Where, command: 'pwd -P; cat marker'}}\n"
SENTENCE = r"supervisor: cannot .*: the current folder was removed; change to one that exists.*\n"


def again(project: Project, text: str) -> None:
    """Remove the workspace and make it again, as a new clone does."""
    shutil.rmtree(project.folder)
    project.folder.mkdir()
    (project.folder / "marker").write_text("the new one\n")
    project.write(text)


def status(project: Project, program: Program) -> int:
    program.wait()
    return program.process.returncode


def test_workspace_that_is_made_again_is_followed(project: Project) -> None:
    project.write(FILE)
    supervisor = project.run()
    supervisor.event(reference="web", phase="running")

    again(project, OTHER)
    supervisor.event(kind="edit", text="added where")
    task = project.program("run-task", "where")
    assert status(project, task) == 0, task.err
    assert task.out == f"{project.folder.resolve()}\nthe new one\n"
    assert project.stop(supervisor) == 130


def test_command_says_that_its_workspace_is_not_there(project: Project) -> None:
    project.write(FILE + OTHER)
    supervisor = project.run("--no-watch")
    supervisor.event(reference="web", phase="running")
    shutil.rmtree(project.folder)

    task = project.program("run-task", "where", "--workspace", str(project.folder), cwd=project.home)
    assert status(project, task) != 0
    assert f"cannot enter the workspace {project.folder}: no such file or directory" in task.err
    project.folder.mkdir()
    assert project.stop(supervisor) == 130


@pytest.mark.parametrize("arguments", [(), ("automations.yaml",), ("--workspace", ".")])
def test_upgrade_goes_on_in_a_workspace_that_was_removed(
    project: Project, arguments: tuple[str, ...]
) -> None:
    project.write(FILE)
    supervisor = project.run(*arguments)
    supervisor.event(reference="web", phase="running")
    state = project.state
    shutil.rmtree(project.folder)

    upgrade = project.program("upgrade", "--socket", str(state / "api.sock"), cwd=project.home)
    assert status(project, upgrade) == 0, upgrade.err
    supervisor.event(kind="notice", text="upgraded from")
    project.folder.mkdir()
    again(project, OTHER)
    supervisor.event(kind="edit", text="added where")
    assert project.stop(supervisor) == 130


@pytest.mark.parametrize("arguments", [(), ("automations.yaml",), ("--workspace", ".")])
def test_first_process_starts_the_supervisor_again_in_a_workspace_that_was_removed(
    project: Project, arguments: tuple[str, ...]
) -> None:
    words = unshare()
    if words is None:
        pytest.skip("no PID namespace can be made here: unshare is missing or refused")
    project.within = words
    project.write(FILE)
    program = project.run(*arguments)
    inside = Namespace(program)
    program.event(reference="web", phase="running")
    assert os.readlink(f"/proc/{inside.pid1}/cwd") == "/"

    shutil.rmtree(project.folder)
    os.kill(inside.supervisor(), signal.SIGKILL)
    program.event(kind="notice", text="has left what ran: going on with it")
    project.folder.mkdir()
    again(project, OTHER)
    program.event(kind="edit", text="added where")
    os.kill(inside.pid1, signal.SIGTERM)
    assert project.end(program) == 0


def test_supervisor_keeps_no_folder_but_the_root(project: Project) -> None:
    project.write(FILE)
    supervisor = project.run("automations.yaml")
    supervisor.event(reference="web", phase="running")
    assert os.readlink(f"/proc/{supervisor.pid}/cwd") == "/"
    assert project.stop(supervisor) == 130


@pytest.fixture
def removed(project: Project) -> Path:
    """A folder that is the current one of a program, and was removed."""
    gone = project.home / "gone"
    gone.mkdir()
    return gone


REMOTE = (
    *("status", "events", "resumed", "activity", "keep-alive --pid 1", "token", "upgrade", "shutdown"),
    *("update", "trigger prebuild", "logs a", "run-task a", "service list", "task list"),
    *(f"{kind} {verb} a" for kind in ("service", "task") for verb in ("start", "stop", "logs", "delete")),
    "service restart a",
)
IN_REMOVED = "import os, sys; os.rmdir(os.getcwd()); os.execv(sys.argv[1], sys.argv[1:])"


def run_in_removed(project: Project, removed: Path, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end in a folder that was removed."""
    return subprocess.run(
        [sys.executable, "-c", IN_REMOVED, sys.executable, "-I", "-S", *map(str, ENTRY), *arguments],
        cwd=removed,
        env=project.env,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run"], 2),
        (["run", "a.yaml"], 2),
        (["run", "--state-dir", "here"], 2),
        (["run-task", "a", "--standalone"], 2),
        (["run-task", "--standalone", "a", "a.yaml"], 2),
        (["validate"], 2),
        (["plan", "--trigger", "prebuild"], 2),
        (["config"], 2),
        (["doctor", "--local"], 2),
        (["bundle", "/dev/null/x"], 2),
        (["init"], 2),
        (["init", "a.yaml"], 2),
        (["run-task", "a", "--workspace", "w"], 3),
        *((words.split(), 3) for words in REMOTE),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_command_in_a_removed_folder_ends_in_a_sentence(
    project: Project, removed: Path, arguments: list[str], expected: int
) -> None:
    done = run_in_removed(project, removed, arguments)
    assert (done.returncode, done.stdout) == (expected, "")
    assert re.fullmatch(SENTENCE, done.stderr) or "cannot run task" in done.stderr, done.stderr
    assert "the current folder was removed" in done.stderr


def test_run_needs_no_current_folder_if_it_is_told_another(project: Project, removed: Path) -> None:
    project.write("tasks: {a: {name: A, triggeredBy: [postEnvironmentStart], command: pwd}}\n")
    words = ["run", "--exit-when-done", "--logs", str(project.file)]
    done = run_in_removed(project, removed, words)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"a | {project.folder}" in done.stdout


def test_workspace_whose_name_is_no_text_is_served(project: Project) -> None:
    folder = Path(os.fsdecode(os.fsencode(project.folder / "w") + b"\xff"))
    folder.mkdir()
    file = folder / "automations.yaml"
    file.write_text(FILE)
    supervisor = project.keep(Program(("run", "--format", "json"), folder, project.env, subprocess.PIPE))
    supervisor.event(reference="web", phase="running")
    supervisor.event(kind="notice", text="cannot watch")
    file.write_text(OTHER)
    supervisor.event(kind="edit", text="added where")
    told = project.keep(Program(("status", "--format", "json"), folder, project.env, subprocess.PIPE))
    assert (status(project, told), json.loads(told.out)["workspace"]) == (0, str(folder)), told.err
    for words in (
        ["status"],
        ["config"],
        ["config", "--format", "json"],
        ["task", "list"],
        ["validate"],
        ["service", "list"],
    ):
        program = project.keep(Program(tuple(words), folder, project.env, subprocess.PIPE))
        assert (status(project, program), program.err) == (0, ""), words
    file.unlink()
    shutil.rmtree(folder)
    task = project.keep(
        Program(("run-task", "where", "--workspace", str(folder)), project.home, project.env, subprocess.PIPE)
    )
    assert status(project, task) != 0
    assert "cannot enter the workspace" in task.err
    socket = default_path(str(folder), project.env) / "api.sock"
    for line in ("task list", "task logs where", "status", "events --recent 9", "bundle ../b"):
        arguments = (*line.split(), "--socket", str(socket))
        program = project.keep(Program(arguments, project.home, project.env, subprocess.PIPE))
        assert status(project, program) == 0, program.err
    assert default_path(str(folder), project.env).is_dir()
    assert project.stop(supervisor) == 130
