"""The program's own files go away while it runs: it needs none of them any more, and an upgrade is refused."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import os
import shutil
import signal
import sys
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from platform_wire import environment_automation_pb2 as automation_pb
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.responses import RequestRefused
from tests.e2e.harness import ROOT, Program, Project, until
from tests.program import PROGRAM

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

FILE = """\
services:
  web:
    name: Web
    triggeredBy: [postEnvironmentStart]
    commands: {start: 'echo KEY=value >>$GITPOD_OUTPUT; echo up; exec sleep 1000', ready: 'true'}
tasks:
  below: {name: Below, command: echo below}
  build: {name: Build, dependsOn: [below], triggeredBy: [prebuild], command: 'echo built; kill -9 $$'}
  boxed: {name: Boxed, runsOn: {docker: {image: none}}, command: echo boxed}
  long: {name: Long, command: 'while [ ! -e go ]; do sleep 0.02; done'}
  much: {name: Much, command: 'head -c 3000000 /dev/zero'}
  folder: {name: Folder, command: 'mkdir -p "${GITPOD_OUTPUT%/*}/more/below"'}
"""
LOOK = ("def summary(", "def _summary(")
MODULES = """

def summary(records):
    import json, sys
    from supervisor.shim import launcher
    return json.dumps({"held": launcher._held >= 0, "modules": sorted(sys.modules)})
"""


def copied(project: Project, folder: Path, *arguments: str) -> Program:
    """The program with an environment of its own, whose packages lead to ours."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = folder / ".venv/lib" / version / "site-packages"
    packages.mkdir(parents=True)
    for entry in Path(sys.prefix, "lib", version, "site-packages").iterdir():
        (packages / entry.name).symlink_to(entry)
    python = folder / ".venv/bin/python"
    python.parent.mkdir()
    python.symlink_to(sys._base_executable)  # type: ignore[attr-defined]
    (folder / ".venv/pyvenv.cfg").write_text(f"home = {Path(sys._base_executable).parent}\n")  # type: ignore[attr-defined]
    project.within = ("sh", "-c", f'shift; exec {python} "$@"', "sh")
    text = (ROOT / "supervisor/boot/service_manager.py").read_text()
    assert LOOK[0] in text
    program = project.run_copy(
        folder, *arguments, boot__service_manager=(text, text.replace(*LOOK) + MODULES)
    )
    project.within = ()
    return program


def looked(program: Program) -> dict[str, Any]:
    """What the program has imported."""
    count = sum("held" in event.get("text", "") for event in program.events)
    program.send(signal.SIGUSR1)
    event = program.event(kind="notice", text='"held"', count=count + 1)
    found: dict[str, Any] = json.loads(event["text"])
    return found


def request(
    address: tuple[str, int], method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(*address, timeout=20)
    try:
        connection.request(
            method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def item(client: Client, method: str, field: str, reference: str) -> dict[str, Any]:
    (found,) = client.pages(method, field, filter={"references": [reference]})
    return found


def ran(client: Client, reference: str) -> dict[str, Any]:
    task = item(client, "ListTasks", "tasks", reference)
    id_ = client.call("StartTask", id=task["id"])["taskExecution"]["id"]

    until(lambda: client.execution(id_)["exitStatus"] is not None, f"the end of {reference}")
    return client.execution(id_)


def use_the_api(client: Client, address: tuple[str, int], token: str) -> None:
    service = "/gitpod.v1.EnvironmentAutomationService"
    web = item(client, "ListServices", "services", "web")
    bearer = f"Bearer {token}"
    asked = automation_pb.GetServiceRequest(id=web["id"]).SerializeToString()
    for body, more in ((asked, {}), (gzip.compress(asked), {"Content_Encoding": "gzip"})):
        status, answer = request(
            address, "POST", f"{service}/GetService", body,
            Authorization=bearer, Content_Type="application/proto", Accept_Encoding="gzip", **more,
        )  # fmt: skip
        assert status == 200
        assert automation_pb.GetServiceResponse.FromString(answer).service.id == web["id"]
    for path, accept in (
        (f"/logs/services/{web['id']}?follow=false", "text/plain"),
        (f"/logs/services/{web['id']}?follow=false&tail=5", "text/event-stream"),
    ):
        status, answer = request(address, "GET", path, Authorization=bearer, Accept=accept)
        assert status == 200
        assert b"up" in answer
    status, answer = request(address, "GET", "/metrics", Authorization=bearer)
    assert status == 200
    assert b"supervisor_services" in answer
    for path, body in (
        ("/nothing", b"{}"),
        (f"{service}/GetService", b"{"),
        (f"{service}/GetService", b'{"id": 1}'),
    ):
        assert (
            request(address, "POST", path, body, Authorization=bearer, Content_Type="application/json")[0]
            >= 400
        )
    assert request(address, "GET", "/metrics", Authorization="Bearer x")[0] == 401
    with pytest.raises(RequestRefused):
        client.call("CreateService", environmentId=client.environment_id, metadata={"reference": "no good"})
    client.call("MarkEnvironmentActive", "gitpod.v1.EnvironmentService", environmentId=client.environment_id,
                activitySignal={"source": "test", "timestamp": "2026-01-01T00:00:00Z"})  # fmt: skip
    client.call("GetAuthenticatedIdentity", "gitpod.v1.IdentityService")
    client.call("GetEnvironment", "gitpod.v1.EnvironmentService", environmentId=client.environment_id)
    client.call(
        "CreateEnvironmentLogsToken", "gitpod.v1.EnvironmentService", environmentId=client.environment_id
    )


def use_terminals(client: Client) -> None:
    ops = "supervisor.v1.EnvironmentOpsService"
    id_ = client.call("CreateTerminal", ops, shell="sh", env={"A": "b"})["terminalId"]
    typed = base64.b64encode(b"exit 7\n").decode()
    for method, fields in (
        ("ResizeTerminal", {"cols": 90}),
        ("WriteTerminal", {"data": typed}),
        ("CloseTerminal", {}),
    ):
        client.call(method, ops, terminalId=id_, **fields)
    assert client.call("ListTerminals", ops).get("terminals", []) == []
    assert client.call("ListTerminalProfiles", ops, includeDetectedProfiles=True)["profiles"]


def edit(project: Project, client: Client) -> None:
    for text, words in (
        ("services: [1]\ntasks: {x: {nam: X}}\n", "services"),
        ("services: {\n", "automations"),
        ("a: b: c\n", "automations"),
    ):
        project.write(text)
        until(lambda words=words: words in client.status()["file"]["failure"], "an error")  # type: ignore[misc]
        assert client.control("update", content=text)["problems"]
    project.write(FILE + "  added: {name: Added, command: echo added}\n")
    until(lambda: client.pages("ListTasks", "tasks", filter={"references": ["added"]}), "the edit")


def use_everything(project: Project, program: Program, client: Client) -> None:
    """Every feature that a running supervisor has."""
    url = client.status()["url"].removeprefix("http://").split(":")
    address = url[0], int(url[1])
    token = client.control("token", scope="environment", ttlSeconds=60)["token"]
    events = project.program("events")
    follower = project.program("logs", "web", "-f")
    follower.line("up")
    use_the_api(client, address, token)
    assert "SIGKILL" in ran(client, "build")["reason"]
    assert ran(client, "boxed")["exitStatus"] != 0
    assert ran(client, "folder")["exitStatus"] == 0
    assert ran(client, "much")["exitStatus"] == 0
    edit(project, client)
    use_terminals(client)
    client.control("trigger", name="prebuild")
    client.control("restart", id=item(client, "ListServices", "services", "web")["id"])
    client.control("keep-alive", pid=os.getpid(), source="a test")
    client.activity()
    client.recent()
    client.control("resumed")
    for number in (signal.SIGHUP, signal.SIGQUIT):
        program.send(number)
    program.event(kind="notice", text="the stacks of all threads and tasks")

    (shim,) = project.shims()
    os.kill(shim, signal.SIGKILL)
    until(lambda: shim not in project.processes(), "the end of the shim")
    assert ran(client, "below")["exitStatus"] == 0
    events.line("below")
    client.call(
        "UpsertAutomationsFile", environmentId=client.environment_id,
        automationsFile={"tasks": {"more": {"name": "More", "command": "true"}}},
    )  # fmt: skip


@pytest.fixture
def plane() -> Iterator[ThreadingHTTPServer]:
    """A management plane that notes what it is told."""
    told: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("localhost", 0), Handler)
    server.told = told  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_supervisor_whose_files_are_gone_does_all_that_it_did(
    project: Project, tmp_path: Path, plane: ThreadingHTTPServer
) -> None:
    project.write(FILE)
    copy = tmp_path / "copy"
    (tmp_path / "token").write_text("token")
    program = copied(
        project,
        copy,
        *("--listen", "127.0.0.1:0", "--logs", "--log-limit", "1"),
        *("--control-plane-url", f"http://localhost:{plane.server_port}/api"),
        *("--environment-id", str(uuid.uuid4()), "--environment-token-file", str(tmp_path / "token")),
    )
    program.event(kind="service", reference="web", phase="running")
    until(lambda: looked(program)["held"], "all that is needed")
    before = looked(program)["modules"]

    for folder in (*PROGRAM, ".venv"):
        shutil.rmtree(copy / folder)
    client = Client(str(project.state / "api.sock"))
    use_everything(project, program, client)
    until(lambda: plane.told, "word of the activity")  # type: ignore[attr-defined]
    assert sorted(set(looked(program)["modules"]) - set(before)) == []

    with pytest.raises(
        RequestRefused, match=r"cannot upgrade: the program in .* could not take over: .*No such file"
    ):
        client.control("upgrade")
    assert not [notice for notice in program.events if "Traceback" in str(notice)]
    assert project.stop(program) == 130
