"""Who is killed when memory runs out: commands before the supervisor, as soon as if it were not there."""

import os
import signal
import subprocess
from pathlib import Path

from tests.e2e.harness import Program, Project, until

WITHIN = ("sh", "-c", 'echo 300 >/proc/self/oom_score_adj; exec "$@"', "sh")
"""Whoever was put up may go back, also without CAP_SYS_RESOURCE."""


def score(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


POWERLESS = ("setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource")
"""Without CAP_SYS_RESOURCE, as in most containers and for every user but root."""


def test_commands_are_killed_first_where_the_supervisor_cannot_be_killed_last(project: Project) -> None:
    project.write("tasks: {one: {name: A, command: cat /proc/self/oom_score_adj}}\n")
    words = ("run", "--format", "json", "--listen", "none")
    program = project.keep(Program(words, project.folder, project.env, subprocess.PIPE, POWERLESS))
    until(lambda: [*project.home.parent.glob("s/supervisor/*/api.sock")], "a supervisor that answers")
    for _ in range(2):
        task = project.program("run-task", "one")
        assert task.wait() == 0, task.err
        (shim,) = project.shims()
        until(lambda shim=shim: score(shim) == score(program.pid), "the end of the spawn")  # type: ignore[misc]
        assert int(task.out) == min(score(program.pid) + 200, 1000)
        os.kill(shim, signal.SIGKILL)
        until(lambda shim=shim: shim not in project.processes(), "the end of the shim")  # type: ignore[misc]
    assert project.stop(program) == 130


def test_commands_do_not_inherit_that_the_supervisor_is_killed_last(project: Project) -> None:
    project.write(
        "tasks:\n"
        "  first: {name: A, triggeredBy: [postEnvironmentStart], command: cat /proc/self/oom_score_adj}\n"
        "  second: {name: B, command: cat /proc/self/oom_score_adj}\n"
    )
    words = ("run", "--format", "json", "--logs", "--listen", "none")
    program = project.keep(Program(words, project.folder, project.env, subprocess.PIPE, WITHIN))
    program.event(reference="first", phase="succeeded")
    (shim,) = project.shims()
    assert score(shim) <= 0
    assert score(program.pid) <= 0

    os.kill(shim, signal.SIGKILL)
    second = project.program("run-task", "second")
    assert second.wait() == 0
    assert second.out == "300\n", "of a shim that the supervisor has started since"
    (shim,) = project.shims()
    assert score(shim) <= 0

    assert project.stop(program) == 130
    assert [event["line"] for event in program.events if event["kind"] == "log"] == ["300", "300"]
