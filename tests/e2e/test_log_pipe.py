"""`--log-transport pipe`: whatever a script does with its output, the log keeps it, and every kill."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.harness import Project, until

PIPE = {"SUPERVISOR_LOG_TRANSPORT": "pipe"}


def run_task(project: Project, script: str) -> tuple[int, str]:
    """The exit status of a task and what is in its log once it is over."""
    indented = script.replace("\n", "\n      ")
    project.write(
        "tasks:\n  t:\n    name: T\n    triggeredBy: [postEnvironmentStart]\n"
        f"    command: |\n      {indented}\n"
    )
    program = project.run("--exit-when-done", **PIPE)
    status = program.wait()
    (log,) = project.logs()
    return status, log


def log_of(project: Project, first: str) -> Path:
    """The log of the run that first prints this."""
    [log] = (log for log in (project.state / "runs").glob("*/log") if log.read_text().startswith(first))
    return log


def test_streams_that_are_opened_anew_truncate_nothing(project: Project) -> None:
    status, log = run_task(project, "echo 1; echo w > /dev/stderr; echo 2 | tee /dev/stderr; echo 3")

    assert (status, log.split()) == (0, ["1", "w", "2", "2", "3"])


def test_output_that_goes_through_a_process_substitution_is_all_there(project: Project) -> None:
    status, log = run_task(project, "exec > >(sed -u 's/^/x /') 2>&1\nseq 20000\nexit 1")

    assert (status, log.splitlines()) == (1, [f"x {number}" for number in range(1, 20001)])


def test_daemon_that_keeps_the_output_open_delays_the_end_by_a_moment(project: Project) -> None:
    project.write(
        "tasks:\n  t:\n    name: T\n    triggeredBy: [postEnvironmentStart]\n    command: |\n"
        "      (until [ -e go ]; do sleep 0.05; done; echo later) &\n      echo now\n"
    )
    began = time.monotonic()
    program = project.run(**PIPE)
    program.event(reference="t", phase="succeeded")
    assert time.monotonic() - began < 5

    (project.folder / "go").touch()
    log = log_of(project, "now")
    until(lambda: log.read_text() == "now\nlater\n", "what the daemon prints later")
    until(lambda: not (log.parent / "fifo").exists(), "the end of the FIFO")
    project.stop(program)


WRITERS = ("a", "b", "c")
LINES = 100_000


def writers(project: Project) -> None:
    items = (
        f"  {name}:\n    name: W\n    triggeredBy: [postEnvironmentStart]\n    command: |\n"
        f"      for i in $(seq {LINES}); do echo {name} writes line $i; done\n"
        for name in WRITERS
    )
    project.write("tasks:\n" + "".join(items))


def written(name: str) -> list[str]:
    return [f"{name} writes line {number}" for number in range(1, LINES + 1)]


def test_output_goes_on_when_the_shim_is_killed_and_no_other_command_starts(project: Project) -> None:
    """More than a FIFO holds: without another shim the command would wait for ever."""
    project.write(
        "tasks:\n  t:\n    name: T\n    triggeredBy: [postEnvironmentStart]\n    command: |\n"
        "      until [ -e go ]; do sleep 0.02; done\n"
        "      head -c 2000000 /dev/zero | tr '\\0' x\n      touch written\n"
    )
    program = project.run(**PIPE)
    program.event(reference="t", kind="task", phase="running")
    until(project.keepers, "the keeper")
    (shim,) = project.shims()
    os.kill(shim, signal.SIGKILL)
    (project.folder / "go").touch()

    until((project.folder / "written").exists, "the end of the output")
    (log,) = (project.state / "runs").glob("*/log")
    until(lambda: log.stat().st_size == 2_000_000, "all output in the log")
    project.stop(program)


def test_keeper_of_an_earlier_shim_is_replaced(project: Project) -> None:
    project.write(
        "tasks:\n  t: {name: T, triggeredBy: [postEnvironmentStart], command: 'while sleep 0.01; do echo more; done'}\n"
    )
    program = project.run(**PIPE)
    program.event(reference="t", kind="task", phase="running")
    first = until(project.keepers, "the keeper")
    shims = project.shims()
    os.kill(shims[0], signal.SIGKILL)
    until(lambda: project.shims() not in ([], shims), "another shim")
    log = next((project.state / "runs").glob("*/log"))
    size = log.stat().st_size
    until(lambda: log.stat().st_size > size + 50, "its pump")

    os.kill(first[0], signal.SIGKILL)
    until(lambda: project.keepers() not in ([], first), "another keeper")
    project.stop(program)


@pytest.mark.slow
def test_stopped_shim_holds_output_back_and_loses_none(project: Project) -> None:
    writers(project)
    program = project.run(**PIPE)
    program.event(reference="a", kind="task", phase="running")
    (shim,) = project.shims()
    os.kill(shim, signal.SIGSTOP)
    try:
        time.sleep(2)
    finally:
        os.kill(shim, signal.SIGCONT)
    for name in WRITERS:
        program.event(reference=name, kind="task", phase="succeeded")
        assert log_of(project, f"{name} writes").read_text().splitlines() == written(name)
    project.stop(program)


def test_limit_holds_for_many_fast_writers(project: Project) -> None:
    items = (
        f"  s{number}:\n    name: S\n    triggeredBy: [postEnvironmentStart]\n"
        "    commands:\n      start: head -c 20000000 /dev/zero | tr '\\0' x; touch done; sleep 1000\n"
        for number in range(10)
    )
    project.write("services:\n" + "".join(items))
    program = project.run("--log-limit", "1", **PIPE)
    program.event(reference="s9", phase="running")
    runs = project.state / "runs"

    def all_written() -> bool:
        logs = list(runs.glob("*/log"))
        return len(logs) == 10 and all(log.stat().st_size == 20_000_000 for log in logs)

    until(all_written, "all output")
    assert all(log.stat().st_blocks * 512 < (5 << 20) // 4 for log in runs.glob("*/log"))
    project.stop(program)
