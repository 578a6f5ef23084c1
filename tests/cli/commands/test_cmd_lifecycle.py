"""`shutdown` of a running supervisor."""

from __future__ import annotations

import signal

from tests.cli.running import Running
from tests.e2e.harness import until


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
