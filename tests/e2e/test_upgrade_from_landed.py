"""The upgrade promise: from the version that landed last to this one, by `supervisor upgrade` and by kill -9.

`landed.txt` names the commit. Its program runs from a folder of its own, whose files are then replaced by this tree's,
as an installer does. Nothing may be stopped, no exit status lost, and every old log stays readable.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import ROOT, Program, Project, until
from tests.e2e.test_upgrade import PATIENCE_S, UnixConnection, serving, status
from tests.program import PROGRAM

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

LANDED = (ROOT / "tests/e2e/landed.txt").read_text().strip()

FILE = """\
services:
  web:
    name: Web
    triggeredBy: [postEnvironmentStart]
    commands:
      start: |
        echo $$ > web.pid
        echo "url=http://web" >> $GITPOD_OUTPUT
        exec sleep 1000
      ready: 'test -e ready'
      stop: 'touch asked-to-stop'
  counter:
    name: Counter
    triggeredBy: [postEnvironmentStart]
    commands:
      start: |
        echo $$ > counter.pid
        while [ ! -e stop ]; do echo $((i += 1)); sleep 0.01; done
        exit 3
  late:
    name: Becomes ready under the new version
    triggeredBy: [postEnvironmentStart]
    commands: {start: 'echo $$ > late.pid; exec sleep 1000', ready: 'test -e late'}
tasks:
  done: {name: Done, triggeredBy: [postEnvironmentStart], command: 'echo old words; echo "k=v" >> $GITPOD_OUTPUT'}
  broken: {name: Broken, triggeredBy: [postEnvironmentStart], command: 'echo last words; exit 9'}
  long:
    name: Long
    triggeredBy: [postEnvironmentStart]
    dependsOn: [done]
    command: 'echo $$ > long.pid; echo begun; until [ -e go ]; do sleep 0.02; done; echo ended; exit 7'
  meanwhile:
    name: Ends while the program changes
    triggeredBy: [postEnvironmentStart]
    command: 'until [ -e replaced ]; do sleep 0.02; done; exit 5'
  after: {name: After, dependsOn: [long], command: 'echo never'}
"""


class Installed:
    """A program in a folder of its own, the landed one at first."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.project = project
        self.folder = folder
        archive = subprocess.run(
            ["git", "-C", ROOT, "archive", LANDED, *PROGRAM], capture_output=True, check=False
        )
        if archive.returncode != 0 and _is_shallow():
            pytest.skip(f"this clone is shallow and lacks the landed version {LANDED}")
        assert archive.returncode == 0, (
            f"cannot read the landed version {LANDED}: {archive.stderr.decode()}; clone with the whole history"
        )
        folder.mkdir()
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
            tar.extractall(folder, filter="data")

    def replace(self) -> None:
        """Put this tree's files in the place of the landed ones."""
        for name in PROGRAM:
            shutil.rmtree(self.folder / name, ignore_errors=True)  # the landed one may lack it
            shutil.copytree(ROOT / name, self.folder / name, ignore=shutil.ignore_patterns("__pycache__"))

    def start(self, *words: str) -> Program:
        """Start a command of the program that is installed now."""
        entry = ("-S", self.folder / "supervisor/__main__.py")
        return self.project.keep(
            Program(words, self.project.folder, self.project.env, subprocess.PIPE, (), entry)
        )

    def run(self, *words: str) -> Program:
        return self.start("run", "--format", "json", "--listen", "none", *words)

    def done(self, *words: str) -> Program:
        """Run a command to its end."""
        program = self.start(*words)
        program.process.wait(PATIENCE_S)
        program.wait()
        return program


def _holds_its_shim(pid: int) -> bool:
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if os.readlink(link).startswith("/memfd:shim.py"):
                return True
        except FileNotFoundError:
            pass  # closed meanwhile
    return False


def _is_shallow() -> bool:
    asked = ["git", "-C", str(ROOT), "rev-parse", "--is-shallow-repository"]
    return subprocess.run(asked, capture_output=True, check=False).stdout == b"true\n"


def ask(path: Path, method: str, **body: object) -> dict[str, Any]:
    """The answer to a call of the automation service."""
    with closing(UnixConnection(path)) as client:
        route = f"/gitpod.v1.EnvironmentAutomationService/{method}"
        client.request("POST", route, json.dumps(body), {"Content-Type": "application/json"})
        response = client.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
        assert response.status == 200, answer
        return answer


def read_log(path: Path, kind: str, id_: str) -> str:
    with closing(UnixConnection(path)) as client:
        client.request("GET", f"/logs/{kind}/{id_}?follow=false")
        response = client.getresponse()
        assert response.status == 200
        return response.read().decode()


def runs(path: Path, item_id: str = "") -> list[dict[str, Any]]:
    with closing(UnixConnection(path)) as client:
        client.request("GET", f"/control/runs?id={item_id}")
        found: list[dict[str, Any]] = json.loads(client.getresponse().read())["runs"]
        return found


def executions(path: Path) -> dict[str, dict[str, Any]]:
    """`{reference of the task: its one execution}`."""
    names = {task["id"]: task["metadata"]["reference"] for task in ask(path, "ListTasks")["tasks"]}
    listed = ask(path, "ListTaskExecutions")["taskExecutions"]
    assert len({one["id"] for one in listed}) == len({one["metadata"]["taskId"] for one in listed})
    return {names[one["metadata"]["taskId"]]: one for one in listed}


def services(path: Path) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["reference"]: one for one in ask(path, "ListServices")["services"]}


def phase(record: dict[str, Any]) -> str:
    return str(record["status"]["phase"]).rpartition("PHASE_")[2].lower()


def numbers(text: str) -> list[str]:
    return [str(number + 1) for number in range(len(text.splitlines()))]


@pytest.mark.parametrize("way", ["upgrade", "crash"])
@pytest.mark.parametrize("transport", ["file", "pipe"])
def test_from_the_landed_version_nothing_is_stopped_and_nothing_lost(
    project: Project, tmp_path: Path, way: str, transport: str
) -> None:
    """`transport`: of the landed version; what that has started goes on with it."""
    project.write(FILE)
    (project.folder / "ready").touch()
    installed = Installed(project, tmp_path / "program")
    program = installed.run("--log-transport", transport)
    path = serving(project, program)
    program.event(kind="service", reference="web", phase="running")
    program.event(kind="task", reference="done", phase="succeeded")
    program.event(kind="task", reference="broken", phase="failed")
    program.event(kind="step", reference="long", phase="running")
    follower = installed.start("logs", "counter", "-f")
    follower.line("^10$")
    running = project.processes()
    live = {pid: running[pid] for pid in (int(file.read_text()) for file in project.folder.glob("*.pid"))}
    assert len(live) == 4
    before, instance = executions(path), status(path)["instance"]

    # From then on the landed version needs none of its files: it has imported all, and keeps the shim in memory.
    until(partial(_holds_its_shim, program.process.pid), "that the landed version has imported all")
    installed.replace()
    # The new command line talks to the supervisor of the landed version.
    assert (shown := installed.done("status")).process.returncode == 0, shown.err
    assert installed.done("logs", "counter", "--tail", "1").process.returncode == 0
    newer = installed.start("logs", "counter", "-f")
    newer.line("^10$")
    for wanted in (["logs"], ["logs", "counter", "-t"], ["runs", "counter"]):
        assert '"supervisor upgrade" brings it to the version' in installed.done(*wanted).err
    if way == "upgrade":
        (project.folder / "replaced").touch()
        assert (done := installed.done("upgrade")).process.returncode == 0, done.err
    else:
        program.process.kill()
        program.process.wait()
        (project.folder / "replaced").touch()
        program = installed.run()
        serving(project, program)
    assert status(path)["instance"] != instance

    # Nothing was stopped, and nothing was started twice.
    now = project.processes()
    assert {pid: now.get(pid) for pid in live} == live
    assert {one["id"] for one in executions(path).values()} == {one["id"] for one in before.values()}
    assert phase(services(path)["web"]) == "running"
    until(lambda: services(path)["web"]["status"].get("output") == {"url": "http://web"}, "the output of web")
    assert phase(services(path)["late"]) == "starting"

    # No exit status is lost, of what ended before, meanwhile and after.
    until(lambda: phase(executions(path)["meanwhile"]) == "failed", "the end of meanwhile")
    assert "exited 5" in executions(path)["meanwhile"]["status"]["failureMessage"]
    assert "exited 9" in executions(path)["broken"]["status"]["failureMessage"]
    (project.folder / "go").touch()
    until(lambda: phase(executions(path)["long"]) == "failed", "the end of long")
    assert "exited 7" in executions(path)["long"]["status"]["failureMessage"]
    (project.folder / "late").touch()
    until(lambda: phase(services(path)["late"]) == "running", "late to become ready")

    # Every old log is readable, and the follower got each line once.
    assert read_log(path, "executions", executions(path)["done"]["id"]) == "old words\n"
    assert "last words" in read_log(path, "executions", executions(path)["broken"]["id"])
    assert read_log(path, "executions", executions(path)["long"]["id"]).endswith("begun\nended\n")
    (project.folder / "stop").touch()
    until(lambda: phase(services(path)["counter"]) == "failed", "the end of counter")
    assert "exited 3" in services(path)["counter"]["status"]["failureMessage"]
    counted = read_log(path, "services", services(path)["counter"]["id"])
    assert counted.splitlines() == numbers(counted)
    if way == "upgrade":  # who follows a supervisor that is killed is told so
        assert follower.wait() == 0
        assert follower.out == counted
        assert (newer.wait(), newer.out) == (0, counted)

    # What is new works, on the old records and the old shim.
    again = installed.done("run-task", "after")
    assert again.process.returncode == 7
    command = installed.done("exec", "echo out; echo err >&2; exit 6")
    assert (command.process.returncode, command.out, command.err) == (6, "out\n", "err\n")
    assert installed.done("service", "stop", "web", "--wait").process.returncode == 0
    assert (project.folder / "asked-to-stop").exists()
    assert installed.done("service", "start", "web", "--wait").process.returncode == 0
    # Of each kind the last run of a service is kept, and there is no directory that no record names.
    assert [run["kind"] for run in runs(path, services(path)["web"]["id"])] == [
        "ready",
        "start",
        "stop",
        "start",
    ]
    assert [run["kind"] for run in runs(path, services(path)["late"]["id"])] == ["ready", "start"]
    folder = project.state / "runs"
    kept = {run["id"] for run in runs(path)}
    kept |= {one["runId"] for one in json.loads(installed.done("operations", "--format", "json").out)}
    until(lambda: set(os.listdir(folder)) <= kept, "that the rest is removed")
    # Only the probe that the landed version ran has a directory.
    with_directory = {run["id"] for run in runs(path) if run["kind"] != "ready"}
    assert with_directory <= set(os.listdir(folder))
    assert not any(
        run["id"] in os.listdir(folder)
        for run in runs(path, services(path)["web"]["id"])
        if run["kind"] == "ready"
    )
    assert project.stop(program) == 130


def test_records_of_the_landed_version_are_there_after_a_clean_end(project: Project, tmp_path: Path) -> None:
    project.write(FILE.replace("[postEnvironmentStart]", "[manual]"))
    installed = Installed(project, tmp_path / "program")
    program = installed.run()
    path = serving(project, program)
    assert installed.done("run-task", "broken").process.returncode == 9
    old = executions(path)
    assert project.stop(program) == 130

    installed.replace()
    program = installed.run()
    serving(project, program)
    assert {one["id"] for one in executions(path).values()} == {one["id"] for one in old.values()}
    assert "last words" in read_log(path, "executions", old["broken"]["id"])
    assert installed.done("run-task", "done").out == "old words\n"
    assert project.stop(program) == 130
