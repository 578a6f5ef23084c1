"""Edits of the automations file while the supervisor runs."""

import signal

from tests.e2e.harness import Program, Project

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
    program.event(kind="notice", text="what the last good one said stays")
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
