"""`supervisor run-task --standalone`: a task's output as ours, its exit code as ours."""

import os
from pathlib import Path

import pytest

from tests.e2e.harness import Project, until
from tests.host.users.other_user import GID, UID, needs_root

CODES = {
    "exit-0": 0,
    "exit-1": 1,
    "exit-7": 7,
    "exit-126": 126,
    "exit-127": 127,
    "exit-137": 137,
    "exit-255": 255,
    "signal-1": 129,
    "signal-9": 137,
    "signal-11": 139,
    "signal-15": 143,
}


def test_exit_status_is_that_of_the_task(project: Project) -> None:
    project.use("exit-codes")

    programs = {reference: project.run_task(reference) for reference in CODES}

    assert {reference: program.wait() for reference, program in programs.items()} == CODES
    assert 'step "signal-9" was killed by SIGKILL' in programs["signal-9"].err
    assert 'step "exit-7" exited 7' in programs["exit-7"].err
    assert "No such file" not in programs["exit-7"].err
    assert project.left_after_a_moment() == []


def test_output_of_a_single_step_is_given_out_byte_by_byte(project: Project) -> None:
    project.write('tasks: {raw: {name: Raw, command: \'printf "\\\\377\\\\0half"; printf " a line" >&2\'}}\n')

    program = project.run_task("raw")

    assert project.end(program) == 0
    assert program.bytes == b"\xff\0half a line"


def test_output_of_several_steps_has_their_names(project: Project) -> None:
    project.write(
        "tasks:\n"
        "  first: {name: First, command: echo one}\n"
        "  second: {name: Second, command: echo two, dependsOn: [first]}\n"
    )

    program = project.run_task("second")

    assert project.end(program) == 0
    assert program.out == "first | one\nsecond | two\n"
    assert "succeeded" in program.err


def test_failing_dependency_gives_its_code_and_its_last_lines(project: Project) -> None:
    project.use("failing-dependency")

    program = project.run_task("last")

    assert project.end(program) == 1
    assert 'step "broken" exited 1' in program.err
    assert "about to fail" in program.out
    assert "must not" not in program.out


@pytest.mark.parametrize("reference", ["broken", "top"])
def test_output_of_a_command_that_failed_is_printed_once(project: Project, reference: str) -> None:
    project.write(
        "tasks:\n"
        "  broken: {name: Breaks, command: 'seq 30; exit 3'}\n"
        "  top: {name: Top, command: 'true', dependsOn: [broken]}\n"
    )

    program = project.run_task(reference)

    assert project.end(program) == 3
    assert program.out.splitlines()[-1].endswith("30")
    assert " | " not in program.err


def test_service_that_it_started_is_stopped_at_the_end(project: Project) -> None:
    project.use("service-dependency")

    program = project.run_task("ask", "--format", "json")

    assert project.end(program) == 0
    service = [line for line in program.err.splitlines() if '"service"' in line and '"db"' in line]
    assert [phase for line in service for phase in ("running", "stopped") if f'"{phase}"' in line] == [
        "running",
        "stopped",
    ]


def test_ctrl_c_stops_the_execution_and_exits_130(project: Project) -> None:
    project.write(
        "tasks:\n  long: {name: Long, command: 'echo started; sleep 1000 & wait'}\n"
        "  top: {name: Top, command: echo never, dependsOn: [long]}\n"
    )
    program = project.run_task("top")
    program.line("started")

    program.interrupt()

    assert project.end(program) == 130
    assert "never" not in program.out


def test_state_is_its_own_and_gone_afterwards(project: Project, tmp_path: Path) -> None:
    project.write("tasks: {a: {name: A, command: 'touch here; until [ -e go ]; do sleep 0.02; done'}}\n")
    (tmp_path / "tmp").mkdir()
    first = project.run_task("a", TMPDIR=str(tmp_path / "tmp"))
    until((project.folder / "here").exists, "the first")
    assert len(list((tmp_path / "tmp").iterdir())) == 1

    # A second one at the same time is in nobody's way.
    (project.folder / "go").touch()
    assert project.run_task("a").wait() == 0
    assert project.end(first) == 0
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (tmp_path / "s").exists()


def test_unknown_task_is_told_with_those_there_are(project: Project) -> None:
    project.use("service-dependency")

    program = project.run_task("other")

    assert project.end(program) == 1
    assert 'cannot run task "other": the file has no such task; it has ask\n' in program.err


def test_file_that_is_refused_or_missing_runs_nothing(project: Project) -> None:
    project.write("tasks: {a: {name: A}}\n")
    refused, missing = project.run_task("a"), project.run_task("a", "gone.yaml")

    assert (refused.wait(), missing.wait()) == (1, 1)
    assert 'field "command" is missing' in refused.err
    assert "gone.yaml: cannot read the file: no such file or directory" in missing.err
    assert "Traceback" not in refused.err + missing.err
    assert project.left_after_a_moment() == []


def test_without_standalone_it_says_what_there_is(project: Project) -> None:
    project.use("chain")

    program = project.program("run-task", "one")

    assert project.end(program) == 3
    assert '"supervisor run-task one --standalone"' in program.err


@needs_root
def test_temporary_folder_of_somebody_else_is_refused(project: Project) -> None:
    project.write("tasks: {a: {name: A, command: echo}}\n")
    folder = project.home / "tmp"
    folder.mkdir()
    os.chown(folder, UID, GID)
    program = project.run_task("a", TMPDIR=str(folder))

    assert project.end(program) == 2
    assert f"{folder} belongs to user {UID}" in program.err
    assert "set TMPDIR" in program.err
    assert list(folder.iterdir()) == []
