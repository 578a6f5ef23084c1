"""A start runs what its own file says, and nothing that an earlier life has left of another one."""

import signal
from pathlib import Path

import pytest

from tests.e2e.harness import Program, Project, until

A = """\
services:
  web:
    name: Web
    triggeredBy: [postEnvironmentStart]
    commands: {start: echo a >>ran; exec sleep 1000}
tasks:
  once:
    name: Once
    triggeredBy: [postEnvironmentStart, prebuild]
    command: echo task >>ran
"""
B = "tasks: {other: {name: B, triggeredBy: [postEnvironmentStart], command: echo b >>ran}}\n"
BAD = "tasks: {build: {name: Build}}\n"


def ran(project: Project) -> list[str]:
    file = project.folder / "ran"
    return sorted(file.read_text().split()) if file.exists() else []


def remembering(project: Project) -> None:
    """A life that ran A and came to its end."""
    (project.folder / "a.yaml").write_text(A)
    first = project.run("a.yaml")
    first.event(reference="web", phase="running")
    first.event(kind="task", reference="once", phase="succeeded")
    until(lambda: ran(project) == ["a", "task"], "its commands")
    assert project.stop(first) == 130
    (project.folder / "ran").unlink()


def waiting(project: Project, *arguments: str, **env: str) -> Program:
    """A start that has fired what it could."""
    program = project.run("--listen", "none", *arguments, **env)
    program.event(kind="notice", text="nothing runs until")
    return program


def status(project: Project) -> str:
    program = project.program("status")
    assert program.wait() == 0
    return program.out


@pytest.mark.parametrize("text", [None, BAD], ids=["missing", "refused"])
@pytest.mark.parametrize(
    "arguments",
    [("b.yaml",), ("--automations", "b.yaml"), ("--exit-when-done",), ("--trigger", "prebuild")],
    ids=" ".join,
)
def test_file_of_the_command_line_or_of_an_end_that_is_awaited_must_be_good(
    project: Project, arguments: tuple[str, ...], text: str | None
) -> None:
    remembering(project)
    name = "b.yaml" if "b.yaml" in arguments else "automations.yaml"
    if text is not None:
        (project.folder / name).write_text(text)

    program = project.run(*arguments)

    assert project.end(program) == 2
    assert "supervisor: cannot start: " in program.err
    if text is not None:
        program.event(kind="file", text=f'{name}:1:9: tasks.build: field "command"')
    assert (ran(project), program.phases("web")) == ([], [])
    assert project.stop(again(project)) == 130
    assert len(project.logs()) == 4, "the history of the first life was not touched"


def again(project: Project) -> Program:
    program = project.run("a.yaml")
    program.event(kind="task", reference="once", phase="succeeded")
    program.event(reference="web", phase="running")
    return program


def test_refused_file_that_nobody_named_costs_only_itself(project: Project) -> None:
    remembering(project)
    project.write(BAD)
    program = waiting(project)

    assert "automations.yaml is refused, nothing runs until it is valid:" in status(project)
    assert project.program("trigger", "postEnvironmentStart").wait() == 0
    assert ran(project) == []

    project.write(B)
    program.event(kind="task", reference="other", phase="succeeded")
    assert ran(project) == ["b"]
    assert not [event for event in program.events if event["kind"] == "edit"], "nobody edited what had run"
    project.write(B + BAD.partition("{")[0] + "\n")
    program.event(kind="notice", text="the last valid version stays in effect")
    assert project.stop(program) == 130


def test_path_of_a_variable_that_leads_nowhere_is_waited_for(project: Project) -> None:
    remembering(project)
    program = waiting(project, SUPERVISOR_AUTOMATIONS="b.yaml")

    assert "no such file" in status(project)

    (project.folder / "b.yaml").write_text(B)
    program.event(kind="task", reference="other", phase="succeeded")
    assert project.stop(program) == 130
    assert ran(project) == ["b"]


def test_without_a_file_nothing_runs_until_there_is_one(project: Project) -> None:
    remembering(project)
    program = waiting(project)

    assert "none, nothing runs until there is one" in status(project)
    assert ran(project) == []

    project.write(B)
    program.event(kind="task", reference="other", phase="succeeded")
    assert project.stop(program) == 130


def test_triggers_that_are_owed_are_fired_by_the_next_supervisor_after_a_crash(project: Project) -> None:
    remembering(project)
    project.write(BAD)
    first = waiting(project)
    first.send(signal.SIGKILL)
    first.wait()

    second = waiting(project)
    assert ran(project) == []
    project.write(B)
    second.event(kind="task", reference="other", phase="succeeded")
    assert project.stop(second) == 130


@pytest.mark.parametrize("name", ["automations.yaml", "a.yaml"])
def test_who_goes_on_after_a_crash_goes_on_without_its_file(project: Project, name: str) -> None:
    file: Path = project.folder / name
    arguments = () if name == "automations.yaml" else (name,)
    file.write_text(A)
    first = project.run(*arguments)
    first.event(reference="web", phase="running")
    until(lambda: ran(project) == ["a", "task"], "its commands")
    first.send(signal.SIGKILL)
    first.wait()
    file.write_text(BAD)

    second = project.run(*arguments)

    second.event(kind="notice", text="the last valid version stays in effect")
    assert any("sleep 1000" in command for command in project.processes().values())
    assert project.stop(second) == 130
    assert second.phases("web") == ["stopping", "stopped"]
    assert ran(project) == ["a", "task"]
