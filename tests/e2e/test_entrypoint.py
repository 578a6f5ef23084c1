"""`supervisor run` where nobody sits at a terminal: a second one, standard files that are missing, full or closed."""

import os
import pwd
import signal
import subprocess
import sys
import time

import pytest

from supervisor.model.sysexits import EXIT_IN_USE
from tests.e2e.harness import MARKER, ROOT, Program, Project, until

SLEEPER = (
    "services: {web: {name: W, triggeredBy: [postEnvironmentStart], commands: {start: exec sleep 1000}}}\n"
)
CHATTY = SLEEPER.replace("exec sleep 1000", "yes a long line of words")


def test_second_entrypoint_is_refused_and_the_first_goes_on(project: Project) -> None:
    project.write(SLEEPER)
    first = project.run()
    first.event(reference="web", phase="running")

    second = project.run()

    assert second.wait() == EXIT_IN_USE
    assert second.err == (
        f"supervisor: cannot use the state directory {project.state}: another supervisor (pid {first.pid}) uses it; "
        f"end it (kill {first.pid}), or choose another state directory with --state-dir\n"
    )
    first.send(signal.SIGUSR1)
    first.event(kind="notice", text="1 service runs")
    assert project.program("status").wait() == 0, "its socket is its own"
    assert project.stop(first) == 130


def test_of_entrypoints_started_at_once_one_runs(project: Project) -> None:
    project.write(SLEEPER)

    programs = [project.run() for _ in range(5)]

    until(lambda: sum(program.process.poll() is None for program in programs) == 1, "the end of all but one")
    (first,) = (program for program in programs if program.process.poll() is None)
    assert [p.process.returncode for p in programs if p is not first] == [EXIT_IN_USE] * 4
    first.event(reference="web", phase="running")
    assert sum("sleep 1000" in command for command in project.processes().values()) == 1
    assert project.stop(first) == 130


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_missing_standard_files_do_no_harm(project: Project, closed: tuple[int, ...]) -> None:
    project.write(
        "tasks: {t: {name: T, triggeredBy: [postEnvironmentStart], command: 'echo out; echo err >&2; cat; exit 3'}}\n"
    )
    words = "".join(f" {number}>&-" if number else " <&-" for number in closed)
    program = [
        sys.executable,
        "-I",
        str(ROOT / "supervisor/__main__.py"),
        "run",
        "--exit-when-done",
        "--logs",
    ]

    done = subprocess.run(
        ["sh", "-c", f'exec "$@"{words}', "sh", *program],
        cwd=project.folder,
        env=project.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=40,
        check=False,
    )

    assert (done.returncode, done.stderr) == (1, b"")
    assert project.logs() == ["out\nerr\n"]
    assert (project.state / "lock").read_text().strip().isdigit()


def grows(project: Project, above: int = 0) -> int:
    """Wait until the log of the only command is larger than that; returns its size."""

    def size() -> int:
        sizes = [log.stat().st_size for log in (project.home.parent / "s").glob("supervisor/*/runs/*/log")]
        return max(sizes, default=0)

    return until(lambda: size() if size() > above else 0, "a larger log")


def test_output_that_nobody_reads_holds_up_neither_commands_nor_the_end(project: Project) -> None:
    project.write(CHATTY)
    program = project.program("run", "--logs", "--log-limit", "1")
    grows(project, grows(project, 1 << 20))  # more than a pipe takes, and more all the time
    began = time.monotonic()

    program.send(signal.SIGTERM)

    assert program.process.wait(30) == 0
    assert time.monotonic() - began < 20
    assert project.end(program) == 0
    assert program.err == ""


def test_output_that_was_closed_holds_up_nothing(project: Project) -> None:
    project.write(CHATTY)
    program = project.program("run", "--logs", "--log-limit", "1")
    program.line("a long line of words")

    program.close_output()

    grows(project, grows(project))
    program.send(signal.SIGTERM)
    assert project.end(program) == 0
    assert program.err == ""


def test_commands_have_what_a_login_sets_where_the_supervisor_has_no_environment(project: Project) -> None:
    project.write("tasks: {env: {name: E, triggeredBy: [postEnvironmentStart], command: exec env}}\n")
    marker = {name: project.env[name] for name in (MARKER, "SUPERVISOR_TEST_SESSION")}
    words = ("run", "--logs", "--exit-when-done", "--listen", "none", "--state-dir", str(project.home / "s"))
    program = project.keep(Program(words, project.folder, marker, subprocess.PIPE))
    assert project.end(program) == 0, program.err
    told = pwd.getpwuid(os.geteuid())
    for expected in (
        f"HOME={told.pw_dir}",
        f"USER={told.pw_name}",
        f"LOGNAME={told.pw_name}",
        "PATH=/",
        "SHELL=/",
    ):
        assert f" | {expected}" in program.out
