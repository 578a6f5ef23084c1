"""`update`, `trigger`, `events`, `token`, `shutdown`, and completion from a running supervisor."""

from __future__ import annotations

import base64
import json
import re
import signal
import subprocess

import pytest

from tests.cli.remote.conftest import FILE, Running
from tests.e2e.harness import Program, until


def test_update_carries_out_a_file_and_says_what_changed(running: Running) -> None:
    other = running.project.home / "other.yaml"
    other.write_text(FILE.replace("tasks:", "  new: {name: New, commands: {start: x}}\ntasks:"))

    assert running.out("update", str(other), "--dry-run") == "would be added: new\n"
    assert running.out("update", str(other)) == "added: new\n"
    assert running.out("update") == "removed: new\n"  # what the workspace's file says
    assert running.out("update") == "nothing has changed\n"
    assert running.json("update", "--dry-run")["changes"]["unchanged"] == [
        "web",
        "once",
        "build",
        "seven",
        "long",
    ]


def test_update_with_a_bad_file_prints_its_problems(running: Running) -> None:
    bad = running.project.home / "bad.yaml"
    bad.write_text("tasks:\n  a: {name: A, comand: x}\n")

    program = running.cli("update", str(bad))

    assert program.process.returncode == 1
    assert f'{bad}:2:16: tasks.a.comand: unknown field "comand"; did you mean "command"?' in program.err
    assert "nothing changes" in program.err
    bad.write_bytes(b"\xff")
    assert "UTF-8" in running.cli("update", str(bad)).err
    missing = running.cli("update", "missing.yaml")
    assert "missing.yaml: cannot read the file: no such file or directory" in missing.err


def piped(running: Running, text: str, *arguments: str) -> str:
    """What `update -` prints."""
    done = subprocess.run(
        [*running.program.process.args[:3], "update", "-", *arguments],  # type: ignore[index]
        cwd=running.project.folder,
        env=running.project.env,
        input=text,
        capture_output=True,
        timeout=20,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_update_adds_what_standard_input_has_beside_the_file(running: Running) -> None:
    one, two = (
        f"tasks: {{{name}: {{name: New, command: x, triggeredBy: [manual]}}}}" for name in ("one", "two")
    )

    assert piped(running, one, "--dry-run") == "would be added: one\n"
    assert piped(running, one) == "added: one\n"
    running.edit(FILE.replace("echo two", "echo other"))
    assert running.program.event(kind="edit")["removed"] == []
    assert running.out("update") == "nothing has changed\n"
    assert piped(running, two, "--replace", "--dry-run") == "would be added: two\nwould be removed: one\n"
    assert piped(running, two, "--replace") == "added: two\nremoved: one\n"
    assert piped(running, "{}") == "nothing has changed\n"
    assert running.cli("update", "--replace").process.returncode == 2
    names = {row["task"]["metadata"]["reference"] for row in running.json("task", "list")}
    assert names == {"build", "seven", "long", "two"}


def test_resumed_is_told_once(running: Running) -> None:
    assert running.out("resumed") == "fired postEnvironmentStart\n"
    again = running.cli("resumed")
    assert (again.process.returncode, again.out) == (0, "")
    assert again.err == "nothing fired: this resume is known already\n"


def test_trigger_prints_what_it_started(running: Running) -> None:
    kind, reference, id_ = running.out("trigger", "postMachineStart").split()

    assert (kind, reference) == ("task", "build")
    assert running.out("logs", id_, "-f") == "one\ntwo\nthree\n"
    nothing = running.cli("trigger", "prebuild")
    assert (nothing.process.returncode, nothing.out) == (0, "")
    assert running.cli("trigger", "manual").process.returncode == 2


@pytest.mark.parametrize("format_", ["text", "json"])
def test_events_are_printed_as_they_happen(running: Running, format_: str) -> None:
    events = _watching(running, "--format", format_)
    running.cli("task", "start", "build", "--wait")

    if format_ == "json":
        events.line('"resourceType": "RESOURCE_TYPE_TASK_EXECUTION"', 2)
        assert json.loads(events.out.splitlines()[0])["operation"] == "RESOURCE_OPERATION_CREATE"
    else:
        events.line(r"^\d\d:\d\d:\d\d execution build \S+ succeeded$")
        assert " created" in events.out.splitlines()[0]
    events.interrupt()
    assert (events.wait(), events.err) == (130, "")


def test_recent_events_are_those_that_have_happened(running: Running) -> None:
    running.cli("task", "start", "build", "--wait")

    assert re.fullmatch(
        r"\d\d:\d\d:\d\d run build live -> ended \(exited 0\)\n"
        r"\d\d:\d\d:\d\d execution build running -> succeeded\n",
        running.out("events", "--recent", "2"),
    )
    told = [
        json.loads(line) for line in running.out("events", "--recent", "500", "--format", "json").splitlines()
    ]
    assert [each["after"] for each in told if each["kind"] == "execution"][-1] == "succeeded"
    assert running.cli("events", "--recent", "0").process.returncode == 2


def test_events_end_with_the_supervisor(running: Running) -> None:
    events = _watching(running)
    running.project.stop(running.program)

    assert events.wait() == 1
    assert events.err in ("supervisor: the supervisor stops\n", "supervisor: the supervisor went away\n")


def test_token_has_the_scope_that_was_asked_for(running: Running) -> None:
    token = running.out("token", "--scope", "logs", "--ttl", "5m").strip()

    claims = token.split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["scope"] == "logs"
    assert running.json("token")["ttlSeconds"] == 24 * 3600
    assert running.cli("token", "--ttl", "soon").process.returncode == 2


def test_shutdown_returns_when_all_has_ended(running: Running) -> None:
    running.out("task", "start", "long")

    assert running.out("shutdown") == "the supervisor has ended\n"

    assert running.program.process.wait(0) == 0
    assert running.project.left_after_a_moment() == []


def test_shutdown_with_detach_leaves_what_runs_to_the_next_supervisor(running: Running) -> None:
    running.ready()
    running.out("service", "start", "web", "--wait")

    assert running.out("shutdown", "--detach") == "the supervisor has ended; what it ran goes on\n"

    assert any("sleep 1000" in command for command in running.project.processes().values())
    running.program = running.start()
    assert running.phase("web") == "running"


def test_interrupted_shutdown_does_not_take_it_back(running: Running) -> None:
    running.edit(
        "tasks: {deaf: {name: Deaf, command: 'trap \"\" TERM; echo up; while :; do sleep 0.05; done'}}\n"
    )
    id_ = running.out("task", "start", "deaf").strip()
    until(lambda: running.out("logs", id_), "its output")
    shutdown = running.project.program("shutdown", "--grace", "60")
    until(lambda: running.json("status")["draining"], "the drain")

    shutdown.send(signal.SIGINT)

    assert shutdown.wait() == 130
    assert running.out("shutdown", "--grace", "0") == "the supervisor has ended\n"


def test_references_are_completed_from_the_supervisor(running: Running) -> None:
    running.json("service", "list")  # it serves: the status is answered before

    assert _completed(running, "service", "start", "w") == ["web"]
    assert _completed(running, "task", "stop", "") == ["build", "long", "seven"]
    assert _completed(running, "logs", "o") == ["once"]
    running.project.stop(running.program)
    assert _completed(running, "logs", "o") == []


def _completed(running: Running, *words: str) -> list[str]:
    program = running.project.program(
        _SUPERVISOR_COMPLETE="bash_complete",
        COMP_WORDS=" ".join(("supervisor", *words)),
        COMP_CWORD=str(len(words)),
    )
    program.wait()
    assert program.err == ""
    return sorted(word.removeprefix("plain,") for word in program.out.split())


def _watching(running: Running, *arguments: str) -> Program:
    """The subcommand `events`, once it sees what happens."""
    before = running.watchers()
    events = running.project.program("events", *arguments)
    until(lambda: running.watchers() > before, "the watch")
    return events
