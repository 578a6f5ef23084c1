"""Bad surroundings and bad commands: each has a clear message or a defined outcome."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import Program, Project

ONE_TASK = "tasks: {{a: {{name: A, triggeredBy: [postEnvironmentStart], command: '{}'}}}}\n"


def failed(project: Project, program: Program, status: int = 1) -> str:
    """The sentence of a supervisor that could not begin."""
    assert project.end(program) == status
    assert "Traceback" not in program.err
    (line,) = program.err.splitlines()
    return line


def detail_of_the_failure(project: Project, *arguments: str, **env: str) -> str:
    program = project.run("--exit-when-done", *arguments, **env)
    assert project.end(program) == 1
    return str(program.event(kind="task", reference="a", phase="failed")["detail"])


def test_state_directory_in_use_names_the_other_supervisor(project: Project) -> None:
    project.write(ONE_TASK.format("exec sleep 1000"))
    first = project.run()
    first.event(reference="a", phase="running")

    second = project.run()
    assert second.wait() == 4
    assert second.err.startswith(f"supervisor: cannot use the state directory {project.state}: ")
    assert f"another supervisor (pid {first.pid}) uses it; end it (kill {first.pid})" in second.err
    assert first.phases("a") == ["running"]
    assert project.stop(first) == 130


def test_state_directory_that_cannot_be_made_is_told(project: Project) -> None:
    (project.folder / "file").touch()

    sentence = failed(project, project.run("--state-dir", "file/state"))

    assert sentence.startswith(f"supervisor: cannot use the state directory {project.folder}/file/state: ")
    assert "Not a directory" in sentence


def test_state_directory_that_others_may_write_is_told(project: Project) -> None:
    open_to_all = project.home / "state"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)

    assert "other users may write there" in failed(
        project, project.run("--state-dir", str(open_to_all)), status=2
    )


@pytest.fixture
def read_only(project: Project) -> Iterator[Path]:
    """A folder that cannot be written, by root neither."""
    folder = project.home / "read-only"
    folder.mkdir(mode=0o500)
    if os.geteuid() != 0:
        yield folder
        return
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "none", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("root may write everywhere, and nothing can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_read_only_state_directory_is_told(project: Project, read_only: Path) -> None:
    sentence = failed(project, project.run("--state-dir", str(read_only / "state")))

    assert sentence.startswith(f"supervisor: cannot use the state directory {read_only}/state: ")


def test_read_only_workspace_runs_what_needs_not_write(project: Project, read_only: Path) -> None:
    aside = project.home / "a.yaml"
    aside.write_text(ONE_TASK.format("pwd; test ! -w ."))

    program = project.run("--exit-when-done", "--logs", "--workspace", str(read_only), str(aside))

    assert project.end(program) == 0, program.out + program.err
    assert program.event(kind="log")["line"] == str(read_only)


def test_missing_workspace_is_wrong_usage(project: Project) -> None:
    project.write(ONE_TASK.format("true"))
    program = project.run("--workspace", "gone", "automations.yaml")

    assert project.end(program) == 2
    gone = project.folder / "gone"
    assert program.err == f'supervisor: cannot use --workspace "{gone}": there is no such folder\n'


def test_missing_shell_is_told(project: Project) -> None:
    project.write(ONE_TASK.format("true"))

    detail = detail_of_the_failure(project, PATH=str(project.home))

    assert detail == f'step "a" could not start: cannot run bash or sh: not found on PATH "{project.home}"'


def test_sh_serves_where_there_is_no_bash(project: Project) -> None:
    sh = shutil.which("sh")
    assert sh
    (project.home / "sh").symlink_to(sh)
    project.write(ONE_TASK.format("exit 5"))

    assert detail_of_the_failure(project, PATH=str(project.home)) == 'step "a" exited 5'


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [("/etc/passwd", 126, "ermission denied"), ("no-such-program", 127, "not found")],
)
def test_command_that_cannot_be_executed_is_told_by_its_shell(
    project: Project, command: str, code: int, says: str
) -> None:
    project.write(ONE_TASK.format(command))

    assert detail_of_the_failure(project) == f'step "a" exited {code}'
    assert says in project.logs()[0]


def test_flood_of_output_is_bounded_on_disk_and_costs_the_supervisor_nothing(project: Project) -> None:
    project.use("floods-output")

    program = project.run("--log-limit", "4", MIB="200")
    program.event(kind="task", reference="flood", phase="succeeded")
    cpu_s = cpu_of(program)
    assert project.stop(program) == 130

    (log,) = (project.state / "runs").glob("*/log")
    assert log.stat().st_size > 200 << 20, "the offsets stay true"
    assert log.stat().st_blocks * 512 < 5 << 20
    with log.open("rb") as file:
        file.seek(-14, os.SEEK_END)
        assert file.read() == b"the last line\n"
    assert cpu_s < 1.0, "which is what starting takes, on a slow machine"


def cpu_of(program: Program) -> float:
    """The processor time that it has used, in seconds."""
    fields = Path(f"/proc/{program.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_output_without_a_newline_is_shown_and_bounded(project: Project) -> None:
    project.use("line-without-end")

    program = project.run("--logs", "--exit-when-done")

    assert project.end(program) == 1
    assert program.event(kind="log", reference="unended")["line"] == "no newline at the end"
    pieces = [
        event["line"] for event in program.events if event.get("reference") == "endless" and "line" in event
    ]
    assert sum(map(len, pieces)) == 4 << 20
    assert max(map(len, pieces)) <= 8 << 10


def test_damaged_database_is_set_aside_with_a_word(project: Project) -> None:
    project.write(ONE_TASK.format("true"))
    assert project.end(project.run("--exit-when-done")) == 0
    for path in project.state.glob("state.db*"):
        path.write_bytes(b"no database" * 1000)

    program = project.run("--exit-when-done")

    assert project.end(program) == 0
    assert any("the database was damaged: set aside as" in event.get("text", "") for event in program.events)


def test_readiness_timeout_fails_the_service_and_what_needs_it(project: Project) -> None:
    project.use("readiness-timeout")

    program = project.run("--exit-when-done")

    assert project.end(program) == 1
    assert program.event(reference="mute", phase="failed")["detail"].startswith("not ready after 2 s")
    assert 'step "mute" not ready after 2 s' in program.event(reference="after", phase="failed")["detail"]
    assert not any("must not run" in log for log in project.logs())
