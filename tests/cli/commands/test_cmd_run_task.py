"""`supervisor run-task` in a running supervisor."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.cli.running import Running
from tests.e2e.harness import until


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("exit 0", 0),
        ("exit 7", 7),
        ("exit 3", 3),
        ("exit 255", 255),
        ("kill -9 $$", 137),
        ("kill -15 $$", 143),
    ],
)
def test_exit_status_is_that_of_the_task(running: Running, command: str, status: int) -> None:
    running.edit(f"tasks: {{it: {{name: It, command: 'printf \"\\\\377half\"; {command}'}}}}\n")

    program = running.cli("run-task", "it")

    assert program.process.returncode == status
    assert program.bytes == b"\xffhalf"
    assert ('task "it" has failed' in program.err) is (status != 0)


def test_output_comes_while_the_task_runs_and_in_the_order_of_the_plan(running: Running) -> None:
    program = running.cli("run-task", "seven", "--format", "json")

    assert program.process.returncode == 7
    assert program.out == "one\ntwo\nthree\nwill fail\n"
    ended = json.loads(program.err)
    assert (ended["phase"], ended["exitStatus"], ended["reference"]) == ("failed", 7, "seven")

    long = running.project.program("run-task", "long")
    long.line("begun")
    assert running.executions("long") == "running"
    running.out("task", "stop", "long")
    assert long.wait() == 130
    assert 'task "long" was stopped' in long.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_the_execution_and_exits_130(running: Running, number: signal.Signals) -> None:
    program = running.project.program("run-task", "long")
    program.line("begun")

    program.send(number)

    assert program.wait() == 130
    assert program.out == "begun\n"
    assert running.executions("long") == "stopped"
    assert not any("sleep 1000" in command for command in running.project.processes().values())


def test_what_a_task_says_when_it_is_stopped_is_printed(running: Running) -> None:
    running.edit(
        "tasks: {kind: {name: Kind, command: 'trap \"echo bye; exit 1\" TERM; echo up; sleep 1000 & wait'}}\n"
    )
    program = running.project.program("run-task", "kind")
    program.line("up")

    program.interrupt()

    assert program.wait() == 130
    assert program.out == "up\nbye\n"


def test_second_ctrl_c_leaves_the_stopping_to_the_supervisor(running: Running) -> None:
    running.edit(
        "tasks: {deaf: {name: Deaf, command: 'trap \"\" TERM; echo up; while [ ! -e go ]; do sleep 0.02; done'}}\n"
    )
    program = running.project.program("run-task", "deaf")
    program.line("up")

    program.interrupt()
    program.line("stopping the task")
    program.interrupt()

    assert program.wait() == 130
    assert 'task "deaf" is being stopped' in program.err
    (running.project.folder / "go").touch()
    until(lambda: running.executions("deaf") == "stopped", "the end")


def test_supervisor_that_is_killed_is_a_sentence(running: Running) -> None:
    program = running.project.program("run-task", "long")
    program.line("begun")

    os.kill(running.program.pid, signal.SIGKILL)

    assert program.wait() == 1
    assert program.err == (
        'supervisor: the supervisor went away while task "long" ran, so its end is not known here; '
        '"supervisor status" shows whether a supervisor runs again\n'
    )
    running.program.wait()
    running.program = running.start()
    running.out("task", "stop", "long", "--wait")


def test_supervisor_that_shuts_down_stops_the_task(running: Running) -> None:
    program = running.project.program("run-task", "long")
    program.line("begun")

    running.out("shutdown")

    assert program.wait() == 130
    assert 'task "long" was stopped' in program.err


def test_reader_that_goes_away_ends_nothing(running: Running) -> None:
    running.edit(
        "tasks: {chatty: {name: C, command: 'echo up; while [ ! -e go ]; do echo more; sleep 0.02; done; exit 4'}}\n"
    )
    program = running.project.program("run-task", "chatty")
    program.line("up")

    program.close_output()
    (running.project.folder / "go").touch()

    assert program.wait() == 4


def test_unknown_task_and_wrong_usage_are_told(running: Running) -> None:
    unknown = running.cli("run-task", "biuld")
    assert unknown.process.returncode == 1
    assert unknown.err == 'supervisor: there is no task "biuld"; did you mean "build"?\n'
    assert running.cli("run-task", "build", "automations.yaml").process.returncode == 2
    assert running.cli("run-task", "build", "--standalone", "--socket", "x").process.returncode == 2


def test_supervisor_of_another_workspace_can_be_meant(running: Running, tmp_path: Path) -> None:
    elsewhere = running.project.home

    program = running.cli("run-task", "build", "--workspace", str(running.project.folder), cwd=elsewhere)
    assert (program.process.returncode, program.out) == (0, "one\ntwo\nthree\n")
    none = running.cli("run-task", "build", "--workspace", str(tmp_path))
    assert none.process.returncode == 3
    assert '"supervisor run-task build --standalone" runs it in this process' in none.err
