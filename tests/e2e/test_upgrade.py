"""An upgrade of a real supervisor under load: no request fails, no command notices, no byte of a log is lost."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.e2e.harness import Program, Project, until
from tests.e2e.namespace import Namespace, unshare

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FILE = """\
services:
  web:
    name: Web
    triggeredBy: [postEnvironmentStart]
    commands: {start: 'exec sleep 1000'}
  counter:
    name: Counter
    triggeredBy: [postEnvironmentStart]
    commands: {start: 'i=0; while :; do i=$((i + 1)); echo $i; sleep 0.01; done'}
tasks:
  long:
    name: Long
    triggeredBy: [postEnvironmentStart]
    command: 'touch long; until [ -e go ]; do sleep 0.02; done; exit 7'
"""
UPGRADES = 3
PATIENCE_S = 120.0
"""An upgrade runs two programs one after the other: on a busy machine that is more than one wait."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket; a connection that is kept alive, as clients do."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(str(self.path))


class Load:
    """Clients that ask one request after the other, and note how long each took and what went wrong."""

    def __init__(self, connect: Callable[[], http.client.HTTPConnection], keep_alive: bool) -> None:
        self.connect = connect
        self.keep_alive = keep_alive
        self.longest_s = 0.0
        self.answered = 0
        self.failures: list[str] = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        client = self.connect()
        body = json.dumps({"filter": {"references": ["web"]}})
        while not self.over.is_set():
            began = time.monotonic()
            try:
                client.request(
                    "POST",
                    "/gitpod.v1.EnvironmentAutomationService/ListServices",
                    body,
                    {"Content-Type": "application/json"},
                )
                response = client.getresponse()
                answer = json.loads(response.read())
                assert response.status == 200, answer
                assert len(answer["services"]) == 1
            except Exception as error:
                self.failures.append(f"after {time.monotonic() - began:.3f} s: {error!r}")
                client.close()
            self.answered += 1
            self.longest_s = max(self.longest_s, time.monotonic() - began)
            if not self.keep_alive:
                client.close()
            time.sleep(0.002)  # bounded: the machine has other work
        client.close()


@contextmanager
def load(*loads: Load) -> Iterator[None]:
    for one in loads:
        one.thread.start()
    try:
        yield
    finally:
        for one in loads:
            one.over.set()
        for one in loads:
            one.thread.join()


def serving(project: Project, program: Program) -> Path:
    """Wait until the whole API is served, and not only what is answered before it is imported."""

    def answers() -> bool:
        try:
            with closing(UnixConnection(project.state / "api.sock")) as client:
                client.request("GET", "/readyz")
                return client.getresponse().status == 200
        except (OSError, ValueError):
            return False

    until(answers, "an answer")
    return project.state / "api.sock"


def status(path: Path) -> dict[str, object]:
    with closing(UnixConnection(path)) as client:
        client.request("GET", "/control/status")
        answer: dict[str, object] = json.loads(client.getresponse().read())
        return answer


def run_to_the_end(project: Project, *arguments: str) -> Program:
    program = project.program(*arguments)
    program.process.wait(PATIENCE_S)
    program.wait()
    return program


def test_upgrades_under_load_fail_no_request_and_touch_no_command(project: Project) -> None:
    project.write(FILE)
    program = project.run("--listen", "127.0.0.1:0")
    path = serving(project, program)
    until((project.folder / "long").exists, "long")
    token = run_to_the_end(project, "token").out.strip()
    host, port = str(status(path)["url"]).removeprefix("http://").split(":")
    before = {pid: command for pid, command in project.processes().items() if "sleep 0.0" not in command}

    def tcp() -> http.client.HTTPConnection:
        client = http.client.HTTPConnection(host, int(port), timeout=60)
        request = client.request
        client.request = lambda method, url, body, headers: request(  # type: ignore[method-assign,assignment,misc]
            method, url, body, {**headers, "Authorization": f"Bearer {token}"}
        )
        return client

    loads = [
        Load(lambda: UnixConnection(path), keep_alive=True),
        Load(lambda: UnixConnection(path), keep_alive=False),
        Load(tcp, keep_alive=True),
        Load(tcp, keep_alive=False),
    ]
    with load(*loads):
        for _ in range(UPGRADES):
            instance = status(path)["instance"]
            done = run_to_the_end(project, "upgrade", "--format", "json")
            assert done.process.returncode == 0, done.err
            assert status(path)["instance"] != instance
    print([(one.answered, round(one.longest_s, 3)) for one in loads])
    assert [one.failures for one in loads] == [[], [], [], []]
    assert all(one.answered > 10 for one in loads)
    assert program.process.poll() is None, "the pid is the same"
    after = project.processes()
    after[program.pid] = after[program.pid].replace(
        f" --workspace {project.folder}", ""
    )  # where it was started
    assert {pid: after.get(pid) for pid in before} == before, "every process is the one it was"
    (project.folder / "go").touch()
    failed = program.event(kind="task", reference="long", phase="failed")
    assert failed["detail"] == 'step "long" exited 7'
    assert project.stop(program) == 130
    assert program.phases("web") == ["starting", "running", "stopping", "stopped"]


def test_program_that_could_not_take_over_is_refused_and_the_running_one_goes_on(
    project: Project, tmp_path: Path
) -> None:
    project.write(FILE)
    copy = tmp_path / "copy"
    program = project.run_copy(copy, "--listen", "none")
    path = serving(project, program)
    instance = status(path)["instance"]

    server = copy / "connect_server/http/server.py"
    good = server.read_text()
    server.write_text("import no_such_module\n")
    refused = run_to_the_end(project, "upgrade")
    assert refused.process.returncode == 1
    assert "cannot upgrade: the program in " in refused.err
    assert "no_such_module" in refused.err
    assert status(path)["instance"] == instance

    server.write_text(good)
    (copy / "supervisor/__init__.py").write_text('__version__ = "9.9.9"\n')
    done = run_to_the_end(project, "upgrade")
    assert done.process.returncode == 0, done.err
    assert "to 9.9.9" in done.out
    assert status(path)["version"] == "9.9.9"
    program.event(kind="notice", text="to 9.9.9: going on with what runs")
    assert project.stop(program) == 130


def test_output_that_is_printed_goes_on_where_it_was(project: Project) -> None:
    project.write(
        "services:\n"
        "  counter:\n"
        "    name: Counter\n"
        "    triggeredBy: [postEnvironmentStart]\n"
        "    commands: {start: 'i=0; while [ ! -e stop ]; do i=$((i + 1)); echo $i; sleep 0.01; done'}\n"
    )
    program = project.run("--logs", "--listen", "none")
    serving(project, program)
    program.event(kind="log", line="10")
    for _ in range(2):
        assert run_to_the_end(project, "upgrade").process.returncode == 0
    (project.folder / "stop").touch()
    program.event(kind="service", reference="counter", phase="stopped")
    lines = [event["line"] for event in program.events if event["kind"] == "log"]
    assert lines == [str(number) for number in range(1, len(lines) + 1)]
    (log,) = project.logs()
    assert len(lines) == len(log.splitlines())
    assert project.stop(program) == 130


def test_unfinished_line_goes_on_after_an_upgrade(project: Project) -> None:
    project.write(
        "tasks:\n"
        "  ask:\n"
        "    name: Ask\n"
        "    triggeredBy: [postEnvironmentStart]\n"
        "    command: 'printf \"name? \"; until [ -e go ]; do sleep 0.02; done; echo joe'\n"
    )
    program = project.program("run", "--logs", "--listen", "none")
    program.line("ask . name[?] $")
    serving(project, program)
    for _ in range(2):
        assert run_to_the_end(project, "upgrade").process.returncode == 0
    (project.folder / "go").touch()
    program.line("task +ask +succeeded")
    lines = [line.strip() for line in program.out.splitlines() if " | " in line]
    assert lines == ["ask | name?", "ask | joe"]
    assert project.stop(program) == 130


def test_clients_of_the_command_line_go_on_to_the_byte(project: Project) -> None:
    project.write(
        "services:\n"
        "  counter:\n"
        "    name: Counter\n"
        "    triggeredBy: [postEnvironmentStart]\n"
        "    commands: {start: 'i=0; while [ ! -e stop ]; do i=$((i + 1)); echo $i; sleep 0.01; done'}\n"
        "tasks:\n"
        "  below: {name: B, command: 'echo below'}\n"
        "  long:\n"
        "    name: Long\n"
        "    dependsOn: [below]\n"
        "    command: 'echo one; until [ -e go ]; do sleep 0.02; done; printf two; exit 7'\n"
    )
    program = project.run("--listen", "none")
    serving(project, program)
    follower = project.program("logs", "counter", "-f")
    follower.line("^10$")
    events = project.program("events")
    task = project.program("run-task", "long")
    task.line("one")
    for _ in range(2):
        assert run_to_the_end(project, "upgrade").process.returncode == 0
    (project.folder / "stop").touch()
    assert follower.wait() == 0
    (log,) = (project.state / "runs").glob("*.1/log")
    assert follower.bytes == log.read_bytes()
    (project.folder / "go").touch()
    assert task.wait() == 7
    assert [line.rpartition(" ")[2] for line in task.out.splitlines()] == ["below", "one", "two"]
    events.line("service counter stopped")
    events.line("execution long .* failed")
    assert project.stop(program) == 130
    assert events.wait() == 1


def post(path: Path, route: str) -> dict[str, object]:
    with closing(UnixConnection(path)) as client:
        client.request("POST", route, "{}", {"Content-Type": "application/json"})
        answer: dict[str, object] = json.loads(client.getresponse().read())
        return answer


def test_signal_that_comes_while_the_program_changes_is_heeded_by_the_next(project: Project) -> None:
    project.write(FILE)
    program = project.run("--listen", "none")
    path = serving(project, program)
    program.event(reference="web", phase="running")
    post(path, "/control/upgrade")
    program.send(signal.SIGTERM)
    assert project.end(program) == 0
    assert program.phases("web")[-1] == "stopped"
    program.event(kind="notice", text="going on with what runs")


def test_supervisor_below_our_own_pid_1_is_upgraded_and_ends_with_it(project: Project) -> None:
    words = unshare()
    if words is None:
        pytest.skip("no PID namespace can be made here: unshare is missing or refused")
    project.write(FILE)
    project.within = words
    program = project.run("--listen", "none")
    project.within = ()
    path = serving(project, program)
    inside = Namespace(program)
    supervisor, instance = inside.supervisor(), status(path)["instance"]
    (sleeper,) = (pid for pid, command in project.processes().items() if command == "sleep 1000")
    done = run_to_the_end(project, "upgrade")
    assert done.process.returncode == 0, done.err
    assert status(path)["instance"] != instance
    assert inside.supervisor() == supervisor
    assert project.processes()[sleeper] == "sleep 1000"
    os.kill(inside.pid1, signal.SIGTERM)
    assert project.end(program) == 0
