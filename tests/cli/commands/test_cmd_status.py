"""`supervisor status`, and how every subcommand finds its supervisor."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from tests.cli.running import Running
from tests.e2e.harness import Project


def test_status_tells_what_runs_and_what_it_waits_for(running: Running) -> None:
    running.out("service", "start", "web")

    text = running.out("status")
    status = running.json("status")

    assert f"process {running.program.pid}" in text
    assert "waiting for  service web" in text
    assert (status["workspace"], status["pid"]) == (str(running.project.folder), running.program.pid)
    assert status["file"]["path"] == "automations.yaml"
    assert status["services"] == {"starting": 1, "stopped": 1}


def test_status_names_what_failed_and_a_file_that_is_refused(running: Running) -> None:
    running.cli("task", "start", "seven", "--wait")
    running.json("status")
    running.project.write("tasks: {a: {name: A, comand: x}}\n")
    running.program.event(kind="file", severity="error")

    text = running.out("status")

    assert 'failed       task seven: step "seven" exited 7' in text
    assert "automations.yaml is refused" in text
    assert '"comand"' in text


def test_supervisor_is_found_from_folders_below_its_workspace(running: Running) -> None:
    below = running.project.folder / "a" / "b"
    below.mkdir(parents=True)

    assert running.cli("status", cwd=below).process.returncode == 0
    assert running.cli("status", cwd=running.project.home).process.returncode == 3


def test_supervisor_is_named_by_option_or_variable(running: Running) -> None:
    elsewhere = running.project.home

    assert running.cli("status", "--socket", str(running.socket), cwd=elsewhere).process.returncode == 0
    named = running.cli("status", cwd=elsewhere, SUPERVISOR_SOCKET=str(running.socket))
    assert named.process.returncode == 0
    wrong = running.cli("status", "--socket", str(elsewhere / "none"))
    assert wrong.process.returncode == 3
    assert "none (--socket): no such file or directory" in wrong.err


def test_socket_whose_path_is_too_long_for_an_address_is_reached(running: Running, tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 40)
    os.symlink(running.socket.parent, folder)

    assert running.cli("status", "--socket", str(folder / "api.sock")).process.returncode == 0


def test_without_a_supervisor_a_sentence_says_how_to_start_one(tmp_path: Path) -> None:
    project = Project(tmp_path)
    for arguments in (("status",), ("service", "list"), ("task", "start", "x"), ("logs", "x"), ("shutdown",)):
        program = project.program(*arguments)

        assert (program.wait(), program.out) == (3, "")
        assert program.err.startswith(f"supervisor: no supervisor runs for {project.folder}")
        assert '"supervisor run" in the workspace starts one' in program.err
        assert len(program.err.splitlines()) == 1
    project.close()


def test_socket_that_a_killed_supervisor_left_is_no_supervisor(running: Running) -> None:
    running.project.stop(running.program)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(running.socket))

    program = running.cli("status")

    assert program.process.returncode == 3
    assert "no supervisor runs" in program.err
