"""Edits of the automations file while the supervisor runs."""

import json
import signal
import socket
import subprocess
from contextlib import closing
from http.client import HTTPConnection

import pytest

from tests.e2e.harness import Program, Project, until

ID = "0197f2a1-0000-7000-8000-000000000001"
WEB = """\
services:
  web:
    name: Web
    triggeredBy: [postEnvironmentStart]
    commands: {start: echo %s; exec sleep 1000}
"""


def serving(project: Project, *arguments: str) -> Program:
    """A supervisor that runs WEB."""
    project.write(WEB % "one")
    program = project.run("--logs", *arguments)
    program.event(kind="service", reference="web", phase="running")
    program.event(kind="log", reference="web", line="one")
    return program


def test_edit_restarts_what_changed_and_nothing_else(project: Project) -> None:
    project.use("restart-on-edit-a")
    program = project.run("--logs")
    for reference in ("changed", "renamed", "removed"):
        program.event(kind="service", reference=reference, phase="running")
    process = program.event(kind="log", reference="renamed", line="process ")["line"]

    project.use("restart-on-edit-b")
    edit = program.event(kind="edit")
    program.event(kind="log", reference="changed", line="version b")
    program.event(kind="service", reference="removed", phase="deleted")
    (project.folder / ".scratch/edited").touch()
    program.event(kind="task", reference="long", phase="succeeded")

    assert {name: edit[name] for name in ("added", "removed", "restarted", "updated")} == {
        "added": ["added"],
        "removed": ["removed"],
        "restarted": ["changed"],
        "updated": ["renamed", "long"],
    }
    assert program.phases("changed")[2:] == ["stopping", "starting", "running"]
    assert program.phases("removed")[2:] == ["stopping", "deleted"]
    assert program.phases("renamed") == ["starting", "running"]
    assert program.phases("added") == []
    assert program.event(kind="log", reference="long")["line"] == "version a", "the plan was frozen"
    assert process.removeprefix("process ") in {str(pid) for pid in project.processes()}
    assert project.stop(program) == 130


def test_bad_edit_keeps_the_last_good_file_and_says_so(project: Project) -> None:
    program = serving(project)

    project.write("services: {web: {name: Web, comands: {}}}\n")
    program.event(kind="file", severity="error", text='unknown field "comands"; did you mean "commands"?')
    program.event(kind="notice", text="the last valid version stays in effect")
    assert program.phases("web") == ["starting", "running"]

    project.write(WEB % "two")
    program.event(kind="edit", text="restarted web")
    program.event(kind="log", reference="web", line="two")
    assert project.stop(program) == 130


def test_file_that_vanishes_stays_in_force_until_there_is_one_again(project: Project) -> None:
    program = serving(project)

    project.file.unlink()
    program.event(kind="notice", text="the automations file is gone")
    assert program.phases("web") == ["starting", "running"]

    project.write(WEB % "two")
    program.event(kind="edit", text="restarted web")
    program.event(kind="log", reference="web", line="two")
    assert project.stop(program) == 130


def test_edit_in_place_takes_effect(project: Project) -> None:
    program = serving(project)

    project.file.write_text(WEB % "two")

    program.event(kind="log", reference="web", line="two")
    assert project.stop(program) == 130


def test_sighup_reads_the_file_although_it_is_not_watched(project: Project) -> None:
    program = serving(project, "--no-watch")
    project.write(WEB % "two")

    program.send(signal.SIGHUP)

    program.event(kind="log", reference="web", line="two")
    assert project.stop(program) == 130


def test_sighup_before_there_is_an_event_loop_does_not_end_the_supervisor(project: Project) -> None:
    # Its first command is started without a loop, and may well be quick enough.
    project.write(
        "tasks:\n"
        "  hang-up:\n"
        "    name: Sends SIGHUP to its supervisor\n"
        "    triggeredBy: [postEnvironmentStart]\n"
        "    command: kill -HUP $(head -1 ../s/supervisor/*/lock)\n"
    )

    assert project.end(project.run("--exit-when-done")) == 0


def test_edit_that_says_the_same_changes_nothing(project: Project) -> None:
    program = serving(project)

    project.write("# a comment\n" + WEB % "one")
    project.write("# a comment\n" + WEB % "two")
    program.event(kind="log", reference="web", line="two")

    assert program.phases("web").count("starting") == 2
    assert len([event for event in program.events if event["kind"] == "edit"]) == 1
    assert project.stop(program) == 130


def test_specified_file_elsewhere_is_followed(project: Project) -> None:
    aside = project.home / "mine.yaml"
    aside.write_text(WEB % "one")
    program = project.run("--logs", "--workspace", ".", str(aside))
    program.event(kind="log", reference="web", line="one")

    aside.write_text(WEB % "two")

    program.event(kind="log", reference="web", line="two")
    assert project.stop(program) == 130


TWO = (
    WEB % "one"
    + """\
  db:
    name: Db
    triggeredBy: [postEnvironmentStart]
    commands: {start: exec sleep 1000}
"""
)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("(sleep 3; cat copy) >automations.yaml", id="held open by who empties it first"),
        pytest.param(
            ">automations.yaml; sleep 1; while IFS= read -r line; do echo "
            '"$line" >>automations.yaml; sleep 0.3; done <copy',
            id="line by line",
        ),
        pytest.param("rm automations.yaml; sleep 1; cp copy automations.yaml", id="away for a moment"),
        pytest.param(
            "echo 'tasks: [' >aside; mv aside automations.yaml; cp copy aside; mv aside automations.yaml",
            id="broken for a moment",
        ),
    ],
)
def test_file_that_comes_back_as_it_was_was_never_touched(project: Project, script: str) -> None:
    project.write(TWO)
    (project.folder / "copy").write_text(TWO)
    program = project.run()
    for reference in ("web", "db"):
        program.event(kind="service", reference=reference, phase="running")

    subprocess.run(["sh", "-c", script], cwd=project.folder, check=True, timeout=20)
    project.write(TWO + "tasks: {last: {name: Last, command: x}}\n")

    program.event(kind="edit", text="added last")
    assert [event["text"] for event in program.events if event["kind"] in ("edit", "notice", "file")] == [
        "file edited: added last (not started)"
    ]
    assert project.stop(program) == 130
    for reference in ("web", "db"):
        assert program.phases(reference) == ["starting", "running", "stopping", "stopped"]


def test_file_that_is_written_at_the_start_is_read_once_that_is_over(project: Project) -> None:
    with project.file.open("w") as file:
        file.write("{}")
        file.flush()
        program = project.run("--no-watch", "--listen", "none")
        program.event(kind="notice", text="is not read yet")
        refused = project.program("update")
        assert refused.wait() == 1
        assert "automations.yaml is open for writing; try again once it is written" in refused.err
        file.seek(0)
        file.write(WEB % "one")

    program.event(kind="service", reference="web", phase="running")
    assert project.stop(program) == 130


def test_path_that_is_set_while_the_file_is_written_is_followed(project: Project) -> None:
    with project.file.open("w") as file:
        file.write("{}")
        file.flush()
        program = project.run("--environment-id", ID)
        program.event(kind="notice", text="is not read yet")
        other = project.folder / "other.yaml"
        other.write_text(WEB % "one")
        until(lambda: specify(project, "other.yaml"), "an answer")
        program.event(kind="service", reference="web", phase="running")
        other.write_text("services: {}\n")
        program.event(kind="service", reference="web", phase="deleted")
    assert project.stop(program) == 130


def specify(project: Project, path: str) -> bool:
    """Set the file's path as a client does; returns whether somebody answered."""
    spec = {"automationsFile": {"automationsFilePath": path}}
    with closing(HTTPConnection("localhost")) as client, socket.socket(socket.AF_UNIX) as client.sock:
        client.sock.settimeout(20)
        try:
            client.sock.connect(str(project.state / "api.sock"))
        except OSError:
            return False
        words = json.dumps({"environmentId": ID, "spec": spec})
        method = "/gitpod.v1.EnvironmentService/UpdateEnvironment"
        client.request("POST", method, words, {"Content-Type": "application/json"})
        answer = client.getresponse()
        assert answer.status == 200, answer.read()
        return True


def test_start_that_needs_a_good_file_waits_for_who_is_writing_it(project: Project) -> None:
    (project.folder / "copy").write_text("tasks: {a: {name: A, command: 'true', triggeredBy: [prebuild]}}\n")
    writer = subprocess.Popen(["sh", "-c", "(sleep 1; cat copy) >automations.yaml"], cwd=project.folder)
    until(project.file.exists, "the empty file")

    program = project.run("--trigger", "prebuild")

    assert project.end(program) == 0
    assert program.phases("a") == ["running", "succeeded"]
    assert writer.wait() == 0


def test_file_that_is_right_again_or_there_again_is_told(project: Project) -> None:
    program = serving(project)
    project.write("tasks: [")
    program.event(kind="notice", text="the automations file is refused")
    project.write(WEB % "one")
    program.event(kind="notice", text="the automations file is valid again: nothing has changed")
    project.file.unlink()
    program.event(kind="notice", text="the automations file is gone")
    project.write(WEB % "one")
    program.event(2, kind="notice", text="the automations file is valid again: nothing has changed")

    assert not [event for event in program.events if event["kind"] == "edit"]
    assert project.stop(program) == 130
    assert program.phases("web") == ["starting", "running", "stopping", "stopped"]


def test_nothing_is_updated_once_everything_is_being_stopped(project: Project) -> None:
    project.write(
        WEB.replace("start: echo %s;", "stop: 'until [ -e go ]; do sleep 0.01; done', start: echo one;")
    )
    program = project.run()
    program.event(kind="service", reference="web", phase="running")
    program.send(signal.SIGTERM)
    program.event(kind="service", reference="web", phase="stopping")
    refused = project.program("update")
    assert refused.wait() == 1
    assert "cannot update: the supervisor is shutting down" in refused.err
    (project.folder / "go").touch()
    assert program.wait() == 0
