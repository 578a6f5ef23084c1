"""A supervisor that is killed: its commands live on, and the next one goes on with them."""

import os
import signal
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.e2e.harness import Project, until

FILE = """\
services:
  web:
    name: Web
    triggeredBy: [postEnvironmentStart]
    commands: {start: echo started >>web; exec sleep 1000}
tasks:
  long:
    name: Long
    triggeredBy: [postEnvironmentStart]
    command: |
      echo started >>long
      until [ -e go ]; do sleep 0.02; done
      exit 7
  meanwhile:
    name: Ends while there is no supervisor
    triggeredBy: [postEnvironmentStart]
    command: |
      echo started >>meanwhile
      until [ -e die ]; do sleep 0.02; done
      touch dead
      exit 9
"""


def all_killed(project: Project) -> bool:
    """Whether nothing was left; what was, the shim first, is killed: what it holds then has no exit file."""
    left = sorted(project.processes().items(), key=lambda item: "shim.py" not in item[1])
    for pid, _ in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return not left


def test_killed_supervisor_is_succeeded_without_anything_starting_again(project: Project) -> None:
    project.write(FILE)
    first = project.run()
    for reference in ("web", "long", "meanwhile"):
        first.event(reference=reference, phase="running")
        until(lambda name=reference: (project.folder / name).exists(), reference)  # type: ignore[misc]
    sleeper = next(pid for pid, command in project.processes().items() if command == "sleep 1000")

    first.send(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL, "and nothing that lives on holds its outputs"
    (project.folder / "die").touch()
    until(lambda: (project.folder / "dead").exists(), "the end of meanwhile")

    second = project.run()
    second.event(kind="notice", text="the supervisor before this one has left what ran: going on with it")
    assert second.event(kind="task", reference="meanwhile", phase="failed")["detail"] == (
        'step "meanwhile" exited 9'
    )
    (project.folder / "go").touch()
    assert second.event(kind="task", reference="long", phase="failed")["detail"] == 'step "long" exited 7'
    assert project.processes()[sleeper] == "sleep 1000"
    assert project.stop(second) == 130
    assert second.phases("web") == ["stopping", "stopped"]
    for name in ("web", "long", "meanwhile"):
        assert (project.folder / name).read_text() == "started\n"


def test_output_and_failure_of_what_was_taken_over_are_reported(project: Project) -> None:
    project.write(
        "tasks:\n"
        "  a:\n"
        "    name: A\n"
        "    triggeredBy: [postEnvironmentStart]\n"
        "    command: 'echo old; touch here; until [ -e go ]; do sleep 0.02; done; echo new; exit 7'\n"
    )
    first = project.run()
    until(lambda: (project.folder / "here").exists(), "the command")
    first.send(signal.SIGKILL)
    first.wait()

    second = project.run("--logs", "--exit-when-done")
    second.event(kind="notice", text="has left what ran")
    (project.folder / "go").touch()

    assert project.end(second) == 1
    assert [event["line"] for event in second.events if event["kind"] == "log"] == ["new"]


def test_edit_between_two_supervisors_is_carried_out_by_the_second(project: Project) -> None:
    project.write(FILE)
    first = project.run()
    first.event(reference="web", phase="running")
    until(lambda: (project.folder / "web").exists(), "web")
    first.send(signal.SIGKILL)
    first.wait()

    project.write(FILE.replace("echo started >>web", "echo edited >>web"))
    second = project.run()

    second.event(kind="edit", text="restarted web")
    second.event(reference="web", phase="running")
    until(lambda: (project.folder / "web").read_text() == "started\nedited\n", "the new command")
    assert project.stop(second) == 130


def test_shim_that_is_killed_costs_only_the_exit_status(project: Project) -> None:
    project.write(
        "tasks:\n"
        "  a:\n"
        "    name: A\n"
        "    triggeredBy: [postEnvironmentStart]\n"
        "    command: 'touch here; until [ -e go ]; do sleep 0.02; done; exit 7'\n"
    )
    program = project.run("--exit-when-done")
    until((project.folder / "here").exists, "the command")
    (shim,) = project.shims()

    project.kill(shim)
    (project.folder / "go").touch()

    assert project.end(program) == 1
    assert program.event(reference="a", phase="failed")["detail"] == 'step "a" ended, exit status unknown'


def test_supervisor_killed_while_it_ended_is_followed_by_one_that_begins_anew(project: Project) -> None:
    project.write(
        "services:\n"
        "  web:\n"
        "    name: Web\n"
        "    triggeredBy: [postEnvironmentStart]\n"
        "    commands:\n"
        "      start: |\n"
        "        trap 'until [ -e go ]; do sleep 0.02; done; exit 0' TERM\n"
        "        echo started >>web; while :; do sleep 0.02; done\n"
    )
    first = project.run()
    until(lambda: (project.folder / "web").exists(), "web")
    first.interrupt()
    first.event(reference="web", phase="stopping")
    first.send(signal.SIGKILL)
    first.wait()

    second = project.run()
    (project.folder / "go").touch()
    second.event(reference="web", phase="running")
    until(lambda: (project.folder / "web").read_text() == "started\nstarted\n", "the new beginning")
    assert project.stop(second) == 130


def test_restart_of_the_machine_stops_what_ran_and_fires_the_triggers(project: Project) -> None:
    project.write(FILE)
    first = project.run()
    for reference in ("web", "long"):
        until(lambda name=reference: (project.folder / name).exists(), reference)  # type: ignore[misc]
    first.event(reference="long", phase="running")
    first.send(signal.SIGKILL)
    first.wait()
    until(lambda: all_killed(project), "the end of everything")
    with closing(sqlite3.connect(project.state / "state.db", isolation_level=None)) as database:
        database.execute("UPDATE meta SET value = 'the boot before' WHERE key = 'boot'")

    second = project.run()
    stopped = second.event(kind="service", reference="web", phase="stopped")
    assert "ended when the machine was restarted" in stopped["detail"]
    failed = second.event(kind="task", reference="long", phase="failed")
    assert failed["detail"] == 'step "long" ended when the machine was restarted'
    second.event(kind="service", reference="web", phase="running")
    until(lambda: (project.folder / "long").read_text() == "started\nstarted\n", "the triggers")
    assert project.stop(second) == 130
    assert second.phases("web")[:3] == ["stopped", "starting", "running"]


OBEY = "        case StopService(service_id):\n"


@pytest.mark.slow
def test_bug_in_the_core_ends_the_supervisor_and_not_what_runs(project: Project, tmp_path: Path) -> None:
    project.write(FILE)
    first = project.run_copy(
        tmp_path / "copy",
        "--listen",
        "none",
        core__commands=(
            "        case StopService(service_id):\n",
            "        case StopService(service_id):\n            1 / 0\n",
        ),
    )
    first.event(reference="web", phase="running")
    until(lambda: (project.folder / "web").exists(), "web")
    (sleeper,) = (pid for pid, command in project.processes().items() if command == "sleep 1000")
    stop = project.program("service", "stop", "web")
    assert stop.wait() == 1
    assert first.wait() == 70
    assert "supervisor: it met a bug, ZeroDivisionError: division by zero; the traceback" in first.err
    (report,) = project.state.glob("crash-*.txt")
    assert "StopService(service_id=" in report.read_text()

    second = project.run("--listen", "none")
    second.event(kind="notice", text=f"a supervisor before this one met a bug: {report}")
    assert project.processes()[sleeper] == "sleep 1000"
    status = project.program("status")
    assert status.wait() == 0
    assert f"1 found, the last is in {report}" in status.out
    assert project.stop(second) == 130
