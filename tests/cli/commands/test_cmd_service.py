"""`supervisor service`: services of a running supervisor."""

from __future__ import annotations

from tests.cli.running import Running


def test_service_is_started_waited_for_restarted_and_stopped(running: Running) -> None:
    running.out("service", "start", "web")
    assert running.phase("web") == "starting"
    running.ready()
    running.out("service", "start", "web", "--wait")
    assert running.phase("web") == "running"
    (before,) = [s for s in running.json("service", "list") if s["metadata"]["reference"] == "web"]

    running.out("service", "restart", before["id"], "--wait")

    (after,) = [s for s in running.json("service", "list") if s["metadata"]["reference"] == "web"]
    assert after["status"]["session"] == after["spec"]["session"] != before["status"]["session"]
    assert running.phase("web") == "running"
    running.out("service", "stop", "web", "once", "--wait")
    assert running.phase("web") == "stopped"


def test_start_that_fails_exits_1_and_says_why(running: Running) -> None:
    program = running.cli("service", "start", "once", "--wait")

    assert program.process.returncode == 1
    assert 'service "once" has failed: exited 3' in program.err
    table = running.out("service", "list").splitlines()
    assert table[0].split() == ["SERVICE", "PHASE", "STARTED", "BY", "ABOUT"]
    assert table[2].split() == ["once", "failed", "hand", "exited", "3"]


def test_service_that_is_unknown_is_named_and_nothing_is_done(running: Running) -> None:
    program = running.cli("service", "start", "web", "onec")

    assert program.process.returncode == 1
    assert program.err == 'supervisor: there is no service "onec"; did you mean "once"?\n'
    assert running.phase("web") == "stopped"


def test_deleted_service_is_gone(running: Running) -> None:
    running.out("service", "start", "web")
    running.out("service", "delete", "web", "--force", "--wait")

    assert [s["metadata"]["reference"] for s in running.json("service", "list")] == ["once"]


def test_logs_of_a_service_are_printed_whole_or_from_their_end(running: Running) -> None:
    running.ready()
    running.out("service", "start", "web", "--wait")

    assert running.out("service", "logs", "web") == "hello\n"
    assert running.out("logs", "web", "--tail", "0") == ""
    follower = running.project.program("logs", "web", "-f")
    follower.line("hello")
    running.out("service", "stop", "web", "--wait")
    assert follower.wait() == 0
