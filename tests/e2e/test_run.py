"""`supervisor run`: triggers, order, what is printed."""

import json
import os
import pty
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.e2e.harness import ROOT, Project, until


def test_quickstart_builds_serves_and_tests(project: Project) -> None:
    shutil.copytree(ROOT / "fixtures/quickstart", project.folder, dirs_exist_ok=True)
    shutil.rmtree(project.folder / "build", ignore_errors=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])

    program = project.run("--logs", PORT=port)
    program.event(kind="task", reference="test", phase="succeeded")

    assert program.phases("web", "service") == ["starting", "running"]
    assert program.phases("test", "task") == ["running", "succeeded"]
    assert program.phases("build", "step") == program.phases("test", "step") == ["running", "succeeded"]
    program.event(kind="log", reference="test", line="2 pages are served as rendered")
    assert project.stop(program) == 130
    assert program.phases("web", "service")[2:] == ["stopping", "stopped"]
    assert any("asked to stop: goodbye" in log for log in project.logs())


def test_dependencies_run_first_and_exit_when_done_reports_success(project: Project) -> None:
    project.use("chain")

    program = project.run("--exit-when-done")

    assert project.end(program) == 0
    assert (project.folder / ".scratch/chain").read_text().split() == ["one", "two", "three", "four"]
    succeeded = [event["reference"] for event in program.events if event.get("phase") == "succeeded"]
    assert succeeded == ["one", "two", "three", "four", "four"]


def test_one_firing_runs_a_shared_dependency_once(project: Project) -> None:
    project.use("diamond")

    assert project.end(project.run("--exit-when-done")) == 0

    assert (project.folder / ".scratch/shared").read_text() == "run\n"


def test_triggers_of_one_start_are_one_firing(project: Project) -> None:
    project.write(
        "tasks:\n"
        "  deps: {name: D, triggeredBy: [postMachineStart, postEnvironmentStart], command: 'echo deps >> ran'}\n"
        "  build: {name: B, triggeredBy: [postDevcontainerStart], dependsOn: [deps], command: 'echo build >> ran'}\n"
    )
    program = project.run("--exit-when-done")
    assert project.end(program) == 0
    assert (project.folder / "ran").read_text().split() == ["deps", "build"]
    assert (
        program.event(kind="task", reference="deps", phase="running")["detail"]
        == "started by postMachineStart"
    )


def test_failure_exits_1_and_shows_step_reason_and_last_lines(project: Project) -> None:
    project.write(
        "tasks:\n"
        "  broken: {name: Breaks, command: 'seq -f \"line %g\" 30; exit 3'}\n"
        "  top: {name: Top, command: 'true', dependsOn: [broken], triggeredBy: [postEnvironmentStart]}\n"
    )

    program = project.program("run", "--exit-when-done")

    assert project.end(program) == 1
    lines = program.out.splitlines()
    at = next(number for number, line in enumerate(lines) if 'step "broken" exited 3' in line)
    assert lines[at].split()[1:4] == ["task", "top", "failed"]
    assert [line.strip(" |") for line in lines[at + 1 : at + 21]] == [f"line {n}" for n in range(11, 31)]
    assert program.err == ""


@pytest.mark.parametrize("arguments", [("--logs",), ()])
def test_last_words_are_shown_once_whether_output_is_or_not(
    project: Project, arguments: tuple[str, ...]
) -> None:
    project.write(
        "services:\n"
        "  web:\n"
        "    name: Web\n"
        "    triggeredBy: [postEnvironmentStart]\n"
        "    commands: {start: 'echo web words; exit 4', ready: 'false'}\n"
        "tasks:\n"
        "  broken: {name: Breaks, command: 'echo its words >&2; exit 3'}\n"
        "  top: {name: Top, command: 'true', dependsOn: [broken], triggeredBy: [postEnvironmentStart]}\n"
    )

    program = project.program("run", "--exit-when-done", *arguments)

    assert project.end(program) == 1
    assert (program.out.count("its words"), program.out.count("web words")) == (1, 1)


def test_every_failed_way_to_end_counts_when_done(project: Project) -> None:
    project.use("failing-dependency")

    program = project.run("--exit-when-done")

    assert project.end(program) == 1
    assert program.phases("middle") == program.phases("last", "step") == ["stopped"]
    assert not any("must not" in log for log in project.logs())


def test_trigger_option_fires_just_that_one(project: Project) -> None:
    project.write(
        "tasks:\n"
        "  start: {name: At the start, command: touch start, triggeredBy: [postEnvironmentStart]}\n"
        "  machine: {name: For the machine, command: touch machine, triggeredBy: [postMachineStart]}\n"
    )

    assert project.end(project.run("--trigger", "postMachineStart", "--exit-when-done")) == 0

    assert (project.folder / "machine").exists()
    assert not (project.folder / "start").exists()


def test_clean_end_means_that_the_next_start_fires_again(project: Project) -> None:
    project.write("tasks: {a: {name: A, command: echo ran >>ran, triggeredBy: [postEnvironmentStart]}}\n")

    for runs in (1, 2):
        assert project.end(project.run("--exit-when-done")) == 0
        assert (project.folder / "ran").read_text() == "ran\n" * runs


def test_waiting_is_told_with_its_reason(project: Project) -> None:
    project.write(
        "services:\n"
        "  db:\n"
        "    name: Never ready\n"
        "    triggeredBy: [postEnvironmentStart]\n"
        "    commands: {start: exec sleep 1000, ready: 'echo refused >&2; exit 7'}\n"
    )

    program = project.program("run", "--logs")

    program.line(r"db \| supervisor: probe exited 7: refused$")
    assert "waiting for service db: probe exited 7: refused, " in program.line(r"waiting for .* \d+ s$")
    assert project.stop(program) == 130


def test_logs_hold_both_outputs_in_the_order_written(project: Project) -> None:
    project.write(
        "tasks:\n"
        "  mixed:\n"
        "    name: Writes to both\n"
        "    triggeredBy: [postEnvironmentStart]\n"
        "    command: for n in 1 2 3 4; do echo out $n; echo err $n >&2; done\n"
    )

    program = project.program("run", "--logs", "--exit-when-done")

    expected = [f"{name} {n}" for n in range(1, 5) for name in ("out", "err")]
    assert project.end(program) == 0
    assert project.logs() == ["".join(f"{line}\n" for line in expected)]
    assert [line.partition(" | ")[2] for line in program.out.splitlines() if " | " in line] == expected


def test_json_format_is_one_object_a_line_for_everything(project: Project) -> None:
    project.write(
        "tasks:\n"
        "  bad: {name: Bad, command: 'echo one; exit 1', triggeredBy: [postEnvironmentStart]}\n"
        "  good: {name: Good, command: echo two}\n"
    )

    program = project.run("--logs", "--exit-when-done")

    assert project.end(program) == 1
    assert program.err == ""
    events = [json.loads(line) for line in program.out.splitlines()]
    assert all({"time", "kind"} <= event.keys() for event in events)
    events = [event for event in events if event["kind"] != "notice"]
    assert [event["kind"] for event in events] == ["task", "log", "task"]
    assert events[1]["line"] == "one"
    assert events[2]["detail"] == 'step "bad" exited 1'


def test_outputs_are_read_and_bad_lines_are_named_in_the_log(project: Project) -> None:
    project.use("outputs")

    program = project.run("--exit-when-done")

    assert project.end(program) == 0
    log = next(log for log in project.logs() if log)
    assert log.count("supervisor: ") == 3
    assert "hunter2" not in log


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colour_is_for_terminals_and_never_with_no_color(
    project: Project, no_color: str, coloured: bool
) -> None:
    project.write("tasks: {a: {name: A, command: 'true', triggeredBy: [postEnvironmentStart]}}\n")
    ours, its = pty.openpty()
    try:
        program = project.program("run", "--exit-when-done", stdout=its, NO_COLOR=no_color, TERM="xterm")
        os.close(its)
        assert project.end(program) == 0
        printed = os.read(ours, 1 << 16).decode()
    finally:
        os.close(ours)

    assert ("\x1b[32msucceeded\x1b[0m" in printed) is coloured
    assert "succeeded" in printed


def test_no_colour_into_a_pipe(project: Project) -> None:
    project.write("tasks: {a: {name: A, command: 'true', triggeredBy: [postEnvironmentStart]}}\n")

    program = project.program("run", "--exit-when-done")

    assert project.end(program) == 0
    assert "succeeded" in program.out
    assert "\x1b" not in program.out


def test_reader_that_goes_away_disturbs_nothing(project: Project) -> None:
    project.write(
        "tasks:\n"
        "  a: {name: A, command: 'echo before; until [ -e go ]; do sleep 0.02; done; touch done',\n"
        "      triggeredBy: [postEnvironmentStart]}\n"
    )
    program = project.program("run", "--logs", "--exit-when-done")
    program.line("before")

    program.close_output()
    Path(project.folder / "go").touch()

    assert project.end(program) == 0
    assert (project.folder / "done").exists()
    assert "Traceback" not in program.err


FLOOD = """\
services:
  flood:
    name: Prints faster than anyone reads
    triggeredBy: [postEnvironmentStart]
    commands: {start: exec yes "a line of output that is long enough to be an ordinary one"}
"""


def flooded(project: Project) -> bool:
    return any(log.stat().st_size > 1 << 20 for log in project.home.parent.glob("s/*/*/runs/*/log"))


def test_reader_that_stalls_stalls_nothing_but_printing(project: Project) -> None:
    project.write(FLOOD)
    program = project.program("run", "--logs", "--log-limit", "1")
    until(lambda: flooded(project), "the flood")

    program.interrupt()

    until(lambda: not any("yes" in name for name in project.processes().values()), "the end of the flood")
    program.close_output()
    assert project.end(program) == 130


def test_flood_of_output_does_not_keep_ctrl_c_from_being_obeyed(project: Project) -> None:
    project.write(FLOOD)
    program = project.program("run", "--logs", "--log-limit", "1", stdout=subprocess.DEVNULL)
    until(lambda: flooded(project), "the flood")

    assert project.stop(program) == 130
