"""Every example runs as its first lines say, in a copy of the folder `examples`."""

from __future__ import annotations

import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.harness import ROOT, Project, until

EXAMPLES = ROOT / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/automations.yaml"))

SAID = {
    ("service-with-probe", "run"): [r"service +web +running", r"check \| \d+ lines were served", "web stop"],
    ("build-and-serve", "run"): [r"step +package +succeeded", r"test \| served"],
    ("build-and-serve", "run-task"): [r"task +package +succeeded"],
    ("prebuild", "run"): [r"task +warm +failed", r"tidy \| dependencies", r"task +tidy +succeeded"],
    ("api-client", "run"): [],
}
"""`{(example, command): lines that it prints}`."""


def commands(name: str) -> list[list[str]]:
    """The words of each command of ours that the head of an example's file shows."""
    head = (EXAMPLES / name / "automations.yaml").read_text().partition("\n\n")[0]
    return [shlex.split(line) for line in re.findall(r"^#     bin/supervisor (.*)", head, re.MULTILINE)]


@pytest.fixture
def workspaces(project: Project) -> Path:
    """A copy of the checkout as far as the examples use it; the current folder of all commands."""
    shutil.copytree(EXAMPLES, project.folder / "examples", ignore=shutil.ignore_patterns("out", "cache"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        project.env |= {"PORT": str(free.getsockname()[1]), "SUPERVISOR_LISTEN": "none"}
    project.env["SUPERVISOR_STATE_DIR"] = str(project.home.parent / "s")
    return project.folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"),
    [(name, words) for name in NAMES for words in commands(name) if name != "api-client"],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
@pytest.mark.usefixtures("workspaces")
def test_example_runs(project: Project, name: str, words: list[str]) -> None:
    program = project.program(*words)

    assert project.end(program) == 0, program.err
    for line in SAID[name, words[0]]:
        assert re.search(line, program.out + program.err), program.out


@pytest.mark.slow
def test_client_of_the_api_starts_a_task_and_reads_its_log(project: Project, workspaces: Path) -> None:
    ((*words,),) = commands("api-client")
    program = project.program(*words)
    socket_path = project.home.parent / "s/api.sock"
    until(socket_path.exists, "the API")

    def client(*words: str) -> tuple[str, str]:
        done = subprocess.run(
            [sys.executable, "-I", workspaces / "examples/api-client/client.py", *words],
            env=project.env | {"SUPERVISOR_SOCKET": str(socket_path)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.stdout, done.stderr

    assert client("count") == ("1\n2\n3\nTASK_EXECUTION_PHASE_SUCCEEDED\n", "")
    assert client("nothing") == ("", "there is no task nothing\n")
    assert "client.py REFERENCE" in client()[1]
    assert project.stop(program) == 130


def test_every_example_is_run_and_listed() -> None:
    listed = re.findall(r"^\| \[([\w-]+)\]", (EXAMPLES / "README.md").read_text(), re.MULTILINE)

    assert sorted(listed) == NAMES
    assert {(name, words[0]) for name in NAMES for words in commands(name)} == SAID.keys()
