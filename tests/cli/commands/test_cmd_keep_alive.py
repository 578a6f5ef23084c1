"""`supervisor activity` and `supervisor keep-alive` beside a running supervisor."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from supervisor.cli.remote.client import Client
from supervisor.cli.remote.responses import Json, RequestRefused
from tests.cli.running import Running
from tests.e2e.harness import Project

SERVICE = "gitpod.v1.EnvironmentService"


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


def sources(running: Running) -> dict[str, str]:
    """{source: what it is} of what is active; a person at this machine does not count."""
    found = running.json("activity")["sources"]
    return {seen["source"]: seen["detail"] for seen in found if seen["kind"] != "ssh"}


def test_nothing_is_active_in_a_supervisor_that_runs_services_alone(running: Running) -> None:
    running.ready()
    running.out("service", "start", "web", "--wait")

    assert sources(running) == {}
    assert running.json("activity")["heartbeat"] is None
    assert "none: no management plane is configured" in running.out("activity")


def test_running_task_is_activity_until_it_ends(running: Running) -> None:
    running.out("task", "start", "long")

    assert sources(running) == {"Automations": "task long"}
    assert "Automations, since " in running.out("activity")
    assert "activity     Automations, since " in running.out("status")

    running.out("task", "stop", "long", "--wait")
    assert sources(running) == {}


def test_report_of_an_editor_is_activity_and_is_told_by_the_environment(running: Running) -> None:
    id_ = running.json("status")["environmentId"]

    mark(running, id_, "VS Code")

    assert sources(running) == {"VS Code": "reported by a client"}
    assert running.json("activity")["last"]["source"] == "VS Code"
    assert signal_of(running, id_)["source"] == "VS Code"


def test_report_without_a_name_counts(running: Running) -> None:
    id_ = running.json("status")["environmentId"]

    Client(str(running.socket)).call("MarkEnvironmentActive", SERVICE, environmentId=id_)

    assert sources(running) == {"API client": "reported by a client"}


def test_report_by_a_clock_that_is_wrong_is_shown_as_given_and_counts_as_of_now(running: Running) -> None:
    id_ = running.json("status")["environmentId"]

    for timestamp in ("2999-01-01T00:00:00Z", "1999-01-01T00:00:00Z"):
        mark(running, id_, "VS Code", timestamp=timestamp)

        assert signal_of(running, id_)["timestamp"] == timestamp
        (seen,) = [s for s in running.json("activity")["sources"] if s["kind"] == "reported"]
        assert abs((datetime.now(UTC) - datetime.fromisoformat(seen["seen"])).total_seconds()) < 60


def test_report_about_another_environment_is_refused(running: Running) -> None:
    with pytest.raises(RequestRefused, match="cannot find environment"):
        mark(running, "99999999-2222-4333-8444-555555555555", "VS Code")
    assert sources(running) == {}


@pytest.mark.parametrize("source", ["ab", "x" * 81])
def test_report_whose_source_is_too_short_or_too_long_is_refused(running: Running, source: str) -> None:
    id_ = running.json("status")["environmentId"]
    with pytest.raises(RequestRefused, match=r"activitySignal\.source must have 3 to 80 characters"):
        mark(running, id_, source)
    assert sources(running) == {}


def test_process_keeps_awake_while_it_lives_also_over_a_restart_of_the_supervisor(
    running: Running, sleeper: subprocess.Popen[bytes]
) -> None:
    assert running.out("keep-alive", "--pid", str(sleeper.pid), "--source", "Nightly build") == ""

    assert sources(running) == {"Nightly build": f"process {sleeper.pid} (sleep)"}

    running.program.send(signal.SIGKILL)
    running.program.wait()
    running.program = running.start()
    assert sources(running) == {"Nightly build": f"process {sleeper.pid} (sleep)"}

    sleeper.kill()
    sleeper.wait()
    assert sources(running) == {}


def test_process_that_is_not_there_is_refused(running: Running, sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    sleeper.wait()

    program = running.cli("keep-alive", "--pid", str(sleeper.pid))

    assert program.process.returncode == 1
    assert program.err == (
        f"supervisor: cannot stay awake for process {sleeper.pid}: there is none with this id; it may have ended\n"
    )


def test_source_that_is_too_short_is_refused(running: Running, sleeper: subprocess.Popen[bytes]) -> None:
    program = running.cli("keep-alive", "--pid", str(sleeper.pid), "--source", "ab")

    assert program.process.returncode == 1
    assert 'supervisor: cannot name activity "ab": a source has 3 to 80 characters' in program.err


@pytest.mark.parametrize(
    "arguments",
    [(), ("--pid", "1", "--while", "true"), ("--while",), ("--pid", "1", "true"), ("true",), ("--pid", "x")],
)
def test_wrong_usage_is_told_from_refusal(running: Running, arguments: tuple[str, ...]) -> None:
    assert running.cli("keep-alive", *arguments).process.returncode == 2


def test_command_is_run_and_keeps_awake_with_its_own_output_and_exit_code(running: Running) -> None:
    program = running.project.program(
        "keep-alive",
        "--source",
        "Release",
        "--while",
        "sh",
        "-c",
        "echo up; while [ ! -e go ]; do sleep 0.02; done; exit 7",
    )
    program.line("up")

    assert sources(running) == {"Release": f"process {program.pid} (sh)"}

    (running.project.folder / "go").touch()
    assert program.wait() == 7
    assert (program.out, program.err) == ("up\n", "")
    assert sources(running) == {}


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGKILL]
)
def test_signals_reach_the_command(running: Running, number: signal.Signals) -> None:
    program = running.project.program("keep-alive", "--while", "sh", "-c", "echo up; exec sleep 1000")
    program.line("up")

    program.send(number)

    assert program.wait() == -number


def test_command_finds_signals_as_a_shell_would_give_them(running: Running) -> None:
    assert (
        running.out("keep-alive", "--while", "grep", "^SigIgn", "/proc/self/status").split()[1].strip("0")
        == ""
    )


@pytest.mark.parametrize(("name", "status"), [("no-such-command", 127), ("./no-program", 126)])
def test_command_that_cannot_be_run_exits_as_in_a_shell(running: Running, name: str, status: int) -> None:
    Path(running.project.folder, "no-program").touch()

    program = running.cli("keep-alive", "--while", name)

    assert program.process.returncode == status
    assert f'supervisor: cannot run "{name}": ' in program.err
    assert sources(running) == {}


def test_command_is_not_run_without_a_supervisor(tmp_path: Path) -> None:
    project = Project(tmp_path)
    program = project.program("keep-alive", "--while", "touch", "ran")
    assert program.wait() == 3
    assert not (project.folder / "ran").exists()
    project.close()


def mark(running: Running, environment: str, source: str, **more: str) -> None:
    """What an editor does."""
    client = Client(str(running.socket))
    client.call(
        "MarkEnvironmentActive", SERVICE, environmentId=environment, activitySignal={"source": source, **more}
    )


def signal_of(running: Running, environment: str) -> Json:
    """What the environment's status says of activity."""
    answer = Client(str(running.socket)).call("GetEnvironment", SERVICE, environmentId=environment)
    signal: Json = answer["environment"]["status"]["activitySignal"]
    return signal
