"""`supervisor exec` and `supervisor operations` with a real supervisor, and the URLs of an operation's output."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.e2e.harness import Program, Project, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
LONG = "echo begun; echo and >&2; until [ -e go ]; do sleep 0.02; done; echo done; exit 3"


@pytest.fixture
def running(project: Project) -> Generator[Program]:
    """A supervisor that serves."""
    program = project.run("--listen", "none")
    serving(project)
    yield program
    if program.process.poll() is None:
        assert project.stop(program) == 130


def serving(project: Project) -> None:
    def answers() -> bool:
        try:
            return get(project, "/readyz")[0] == 200
        except OSError:
            return False

    until(answers, "an answer")


def api(project: Project) -> Path:
    return project.home.parent / "s/supervisor"


@contextmanager
def response(
    project: Project, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> Iterator[http.client.HTTPResponse]:
    sockets = list(api(project).glob("*/api.sock"))
    if not sockets:
        raise ConnectionRefusedError
    with (
        closing(http.client.HTTPConnection("localhost")) as client,
        closing(socket.socket(socket.AF_UNIX)) as sock,
    ):
        sock.settimeout(60)
        sock.connect(str(sockets[0]))
        client.sock = sock
        client.request(method, path, body, headers or {})
        with client.getresponse() as answer:
            yield answer


def get(project: Project, path: str, **headers: str) -> tuple[int, bytes]:
    with response(project, "GET", path, headers=headers) as answer:
        return answer.status, answer.read()


def call(project: Project, method: str, **request: Any) -> dict[str, Any]:
    with response(
        project,
        "POST",
        f"/supervisor.v1.EnvironmentOpsService/{method}",
        json.dumps(request).encode(),
        {"Content-Type": "application/json"},
    ) as answer:
        return {"status": answer.status, **json.loads(answer.read())}


def status(project: Project) -> dict[str, Any]:
    return json.loads(get(project, "/control/status")[1])


def test_both_streams_come_as_they_are_printed_and_the_exit_code_at_the_end(
    project: Project, running: Program
) -> None:
    program = project.program("exec", "--id", "one", "--", LONG)
    program.line("^begun$")
    program.line("^and$")
    assert (program.out, program.err) == ("begun\n", "and\n")
    (listed,) = status(project)["operations"]
    assert (listed["id"], listed["phase"]) == ("one", "live")
    shown = project.program("status")
    assert shown.wait() == 0
    assert "operations   one, " in shown.out
    assert "activity     Exec, since " in shown.out
    (project.folder / "go").touch()
    assert program.wait() == 3
    assert (program.out, program.err) == ("begun\ndone\n", "and\n")
    again = project.program("exec", "--id", "one", "--format", "json", "exit 5")
    assert again.wait() == 3
    assert again.out == "begun\ndone\n"
    ended = json.loads(again.err.removeprefix("and\n"))
    assert (ended["id"], ended["exitStatus"], ended["end"]) == ("one", 3, "exited 3")
    running.line("an operation id came again with another command")
    until(lambda: not status(project)["operations"], "the end")


def test_words_are_arguments_and_one_word_is_a_text(project: Project, running: Program) -> None:
    (project.folder / "sub").mkdir()
    words = project.program("exec", "--cwd", "sub", "printf", "%s|", "a b", "$HOME", "-x")
    assert (words.wait(), words.out) == (0, "a b|$HOME|-x|")
    text = project.program("exec", "--cwd", "sub", "--", "pwd; cat; exit 4")
    assert (text.wait(), text.out) == (4, f"{project.folder}/sub\n")
    limited = project.program("exec", "--timeout", "0.3", "sleep 60")
    assert limited.wait() == 124
    assert limited.err == "supervisor: ended because its limit of 0.3 s was over\n"
    os.mkdir(os.fsencode(project.folder) + b"/\xff")
    odd = call(project, "Exec", command="pwd | tail -c 2 | od -An -tx1", workingDirectory="\uefff")
    assert odd["stdout"] == " ff 0a\n"
    script = project.program("exec", "--", os.fsdecode(b"printf '\xff|'; exit 3"))
    assert (script.wait(), script.bytes) == (3, b"\xff|")
    nothing = project.program("exec", "--id", os.fsdecode(b"\xff"), "true")
    assert (nothing.wait(), nothing.out) == (1, "")
    missing = project.program("exec", "--cwd", "none", "true")
    assert missing.wait() == 1
    assert missing.err.startswith("supervisor: cannot run the command: ")


def test_ctrl_c_cancels_and_a_second_one_leaves_it_to_the_supervisor(
    project: Project, running: Program
) -> None:
    program = project.program("exec", "--id", "one", "--", "echo begun; sleep 1000")
    program.line("begun")
    program.interrupt()
    assert program.wait() == 130
    assert "supervisor: stopping the command; Ctrl-C again" in program.err
    assert program.err.endswith("supervisor: ended because a client cancelled it\n")

    stubborn = project.program(
        "exec", "--id", "two", "--", "trap '' TERM; echo begun; sleep 1000; sleep 1000"
    )
    stubborn.line("begun")
    stubborn.interrupt()
    stubborn.line("Ctrl-C again")
    stubborn.interrupt()
    assert stubborn.wait() == 130
    (one,) = status(project)["operations"]
    assert (one["id"], one["phase"]) == ("two", "stopping")
    running.interrupt()
    running.event(kind="notice", text="stopping everything")
    running.interrupt()
    assert project.end(running) == 130


def test_list_of_what_runs_and_what_is_kept(project: Project, running: Program) -> None:
    empty = project.program("operations")
    assert (empty.wait(), empty.out) == (0, "no command runs, and no result of one is kept\n")
    assert project.program("exec", "--id", "first", "--", "echo hello; exit 7").wait() == 7
    second = project.program("exec", "--id", "second", "sleep 1000")
    until(lambda: status(project)["operations"], "the second one")
    listed = project.program("operations", "--format", "json")
    assert listed.wait() == 0
    one, other = json.loads(listed.out)
    assert (one["id"], one["state"], one["exitStatus"]) == ("second", "running", None)
    assert (other["id"], other["end"], other["stdoutBytes"], other["command"]) == (
        "first",
        "exited 7",
        6,
        "echo hello; exit 7",
    )
    table = project.program("operations")
    assert table.wait() == 0
    head, first, last = table.out.splitlines()
    assert head.split() == ["ID", "BEGAN", "TOOK", "SIZE", "END", "COMMAND"]
    assert first.startswith("second")
    assert first.endswith("running   sleep 1000")
    assert last.startswith("first")
    assert last.endswith("exited 7  echo hello; exit 7")
    second.interrupt()
    assert second.wait() == 130


def test_upgrade_and_kill_go_unnoticed_by_the_command_line(project: Project, running: Program) -> None:
    command = "i=0; while [ ! -e go ]; do i=$((i+1)); echo $i; echo e$i >&2; sleep 0.01; done; exit 6"
    program = project.program("exec", "--id", "one", "--", command)
    program.line("^10$")
    upgrade = project.program("upgrade")
    assert upgrade.wait() == 0, upgrade.err
    running.send(signal.SIGKILL)
    running.process.wait(30)
    following = project.run("--listen", "none")
    serving(project)
    (project.folder / "go").touch()
    assert program.wait() == 6, program.err
    count = len(program.out.splitlines())
    assert program.out == "".join(f"{number}\n" for number in range(1, count + 1))
    assert program.err == "".join(f"e{number}\n" for number in range(1, count + 1))
    assert project.stop(following) == 130


def test_output_has_urls(project: Project, running: Program) -> None:
    id_ = "a/b c%2F?ü"
    program = project.program("exec", "--id", id_, "--", LONG)
    program.line("begun")
    base = f"/logs/operations/{quote(id_, safe='')}"
    assert get(project, f"{base}/stdout?follow=false") == (200, b"begun\n")
    with response(project, "GET", f"/api{base}/stdout", headers={"Accept": "text/event-stream"}) as events:
        until(lambda: b"begun" in events.read1(1000), "the first event")
        (project.folder / "go").touch()
        rest = events.read()
    assert b"data: done" in rest
    assert b"event: end" in rest
    assert program.wait() == 3
    assert get(project, f"{base}/stdout") == (200, b"begun\ndone\n")
    assert get(project, f"{base}/stderr") == (200, b"and\n")
    assert get(project, f"{base}/stdout?offset=6") == (200, b"done\n")
    assert get(project, f"{base}/stdout", Range="bytes=0-") == (206, b"begun\ndone\n")
    assert get(project, f"{base}/stdout?tail=1") == (200, b"done\n")
    assert get(project, f"{base}/stdout?grep=beg") == (200, b"begun\n")
    assert get(project, f"{base}/stdin")[0] == 404
    code, body = get(project, "/logs/operations/none/stdout")
    assert (code, json.loads(body)["code"]) == (404, "not_found")


def test_drain_ends_commands_and_their_callers_can_ask_the_next_supervisor(
    project: Project, running: Program
) -> None:
    command = "trap 'echo terminated; exit 5' TERM; echo begun; touch begun; sleep 1000 & wait"
    program = project.program("exec", "--id", "one", "--", command)
    program.line("begun")
    assert project.stop(running) == 130
    assert program.wait() == 5
    following = project.run("--listen", "none")
    serving(project)
    answer = call(project, "Exec", operationId="one", command=command)
    assert answer == {"status": 200, "exitCode": 5, "stdout": "begun\nterminated\n"}
    assert project.stop(following) == 130


def test_callers_learn_that_the_supervisor_ends(project: Project, running: Program) -> None:
    with _waiting(project, "sleep 1000") as answer:
        until(lambda: status(project)["operations"], "the command")
        running.interrupt()
        reply = answer()
    assert (reply["status"], reply["code"]) == (503, "unavailable")
    assert project.end(running) == 130


def test_detached_supervisor_leaves_commands_and_says_so(project: Project, running: Program) -> None:
    with _waiting(project, "echo begun; until [ -e go ]; do sleep 0.02; done; exit 3", "one") as answer:
        until(lambda: status(project)["operations"], "the command")
        assert project.program("shutdown", "--detach").wait() == 0
        reply = answer()
    assert (reply["status"], reply["code"]) == (503, "unavailable")
    assert "the command goes on" in reply["message"]
    assert running.wait() == 75
    (project.folder / "go").touch()
    following = project.run("--listen", "none")
    serving(project)
    answered = call(project, "Exec", operationId="one", command="another")
    assert answered == {"status": 200, "exitCode": 3, "stdout": "begun\n"}
    assert project.stop(following) == 130


@contextmanager
def _waiting(project: Project, command: str, id_: str = "") -> Iterator[Any]:
    """An Exec that was sent; gives what waits for its answer."""
    (path,) = api(project).glob("*/api.sock")
    with (
        closing(http.client.HTTPConnection("localhost")) as client,
        closing(socket.socket(socket.AF_UNIX)) as sock,
    ):
        sock.settimeout(60)
        sock.connect(str(path))
        client.sock = sock
        body = json.dumps({"command": command, "operationId": id_}).encode()
        client.request(
            "POST", "/supervisor.v1.EnvironmentOpsService/Exec", body, {"Content-Type": "application/json"}
        )

        def answer() -> dict[str, Any]:
            with client.getresponse() as found:
                return {"status": found.status, **json.loads(found.read())}

        yield answer


def test_killed_client_and_passed_deadline_leave_the_command_alone(
    project: Project, running: Program
) -> None:
    command = "echo ran >>count; until [ -e go ]; do sleep 0.02; done; cat count"
    with _waiting(project, command, "one"):
        until(lambda: status(project)["operations"], "the command")
    # The client is gone.
    with response(
        project,
        "POST",
        "/supervisor.v1.EnvironmentOpsService/Exec",
        json.dumps({"command": command, "operationId": "one"}).encode(),
        {"Content-Type": "application/json", "Connect-Timeout-Ms": "50"},
    ) as answer:
        assert (answer.status, json.loads(answer.read())["code"]) == (504, "deadline_exceeded")
    begun = time.monotonic()
    (project.folder / "go").touch()
    assert call(project, "Exec", operationId="one", command=command) == {"status": 200, "stdout": "ran\n"}
    assert call(project, "Exec", operationId="one", command=command) == {"status": 200, "stdout": "ran\n"}
    assert time.monotonic() - begun < 20
