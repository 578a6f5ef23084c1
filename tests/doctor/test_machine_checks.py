"""The checks of the machine itself."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.doctor import machine_checks, programs
from supervisor.doctor.findings import State
from supervisor.doctor.machine_checks import cgroup_v2, checks, disk, inotify, pidfd, room
from supervisor.host.proc.cgroups import Cgroups

MIB = 1 << 20


def test_every_check_has_a_verdict_on_this_machine(tmp_path: Path) -> None:
    for check in checks(tmp_path / "state", tmp_path):
        verdict = check.look()

        assert verdict.detail, check.name
        assert verdict.state in (State.OK, State.WARNING, State.FAILED)


def test_pidfds_work_where_these_tests_run() -> None:
    assert pidfd().state is State.OK


def test_folder_that_is_not_there_yet_is_judged_by_the_one_that_will_hold_it(tmp_path: Path) -> None:
    assert f"free at {tmp_path}" in disk(tmp_path / "a" / "b").detail


def script(text: str) -> str:
    """What a process prints that imports the doctor and then does this to itself."""
    found = subprocess.run(
        [sys.executable, "-c", text],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_folder_that_may_not_be_written_fails() -> None:
    told = script(
        "import os, pathlib\n"
        "from supervisor.doctor.machine_checks import disk\n"
        "os.getuid() or os.setuid(65534)\n"
        "print(disk(pathlib.Path('/')))\n"
    )

    assert "/ may not be written by this user" in told


@pytest.mark.parametrize(
    ("free_bytes", "inodes", "state"),
    [
        (50 * MIB, 10**6, State.FAILED),
        (500 * MIB, 10**6, State.WARNING),
        (5000 * MIB, 10**6, State.OK),
        (5000 * MIB, None, State.OK),
        (5000 * MIB, 5000, State.WARNING),
        (5000 * MIB, 10, State.FAILED),
    ],
)
def test_room_is_bytes_and_inodes(free_bytes: int, inodes: int | None, state: State) -> None:
    assert room("/x", free_bytes, inodes).state is state


NO_SYSTEMD = "/nonexistent"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc/self whose cgroup is a folder of this test."""
    group = tmp_path / "cgroup" / "mine"
    group.mkdir(parents=True)
    (group / "cgroup.procs").touch()
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / "mountinfo").write_text(f"1 1 0:1 / {tmp_path}/cgroup rw - cgroup2 none rw\n")
    (proc / "cgroup").write_text("1:name=systemd:/x\n0::/mine\n")
    return proc


def test_cgroup_that_may_be_divided_is_good(proc: Path) -> None:
    verdict = cgroup_v2(proc, NO_SYSTEMD)

    assert verdict.state is State.OK
    assert verdict.detail == f"each run gets a group of its own below {proc.parent}/cgroup/mine"


def test_cgroup_that_systemd_keeps_is_not_delegated(proc: Path, tmp_path: Path) -> None:
    verdict = cgroup_v2(proc, str(tmp_path))

    assert verdict.state is State.WARNING
    assert "is not delegated (Delegate=yes of a systemd unit)" in verdict.detail


@pytest.mark.parametrize("name", ["mountinfo", "cgroup"])
def test_machine_without_cgroup_v2_is_told(proc: Path, name: str) -> None:
    (proc / name).unlink()

    assert "no mount shows this process's group" in cgroup_v2(proc, NO_SYSTEMD).detail


def test_verdict_on_this_machine_is_what_the_supervisor_would_do(tmp_path: Path) -> None:
    groups = Cgroups.of(tmp_path)
    if groups is not None:
        groups.close(1.0)

    assert (cgroup_v2().state is State.OK) == (groups is not None)


def test_inotify_makes_a_watch() -> None:
    assert inotify().state in (State.OK, State.WARNING)
    assert "watches" in inotify().detail


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("max_user_watches", "100", "100 watches"), ("max_user_watches", "x", "0 watches")],
)
def test_few_watches_are_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    (tmp_path / name).write_text(value)
    monkeypatch.setattr(machine_checks, "_LIMITS", tmp_path)

    assert inotify().state is State.WARNING
    assert words in inotify().detail


def test_exhausted_inotify_is_told() -> None:
    told = script(
        "import ctypes, os, resource\n"
        "from supervisor.doctor.machine_checks import inotify\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
        "try:\n"
        "    while True: os.dup(0)\n"
        "except OSError: pass\n"
        "verdict = inotify()\n"
        "os.closerange(30, 40)\n"
        "print(verdict)"
    )

    assert "are in use: edits of the automations file are found by polling" in told


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing on it but what a test puts there."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_programs_that_are_missing_are_told(path: Path) -> None:
    assert (programs.git().state, programs.docker().state, programs.shell().state) == (
        State.WARNING,
        State.WARNING,
        State.FAILED,
    )
    assert programs.git().detail == "git is not on the PATH"


def test_sh_without_bash_is_a_warning(path: Path) -> None:
    (path / "sh").symlink_to("/bin/sh")

    assert programs.shell().state is State.WARNING


def test_docker_client_without_a_daemon_says_why(path: Path) -> None:
    program(path, "docker", "echo 'Cannot connect to the Docker daemon' >&2; echo more; exit 1")

    assert programs.docker().state is State.WARNING
    assert programs.docker().detail.endswith("its daemon is not: Cannot connect to the Docker daemon")


def test_docker_daemon_tells_its_version(path: Path) -> None:
    program(path, "docker", "echo 27.1.1")

    assert (programs.docker().state, programs.docker().detail) == (State.OK, "27.1.1")


def test_program_that_hangs_is_killed_with_what_it_started(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "TIMEOUT_S", 0.5)
    program(path, "git", "/bin/sleep 1000 & wait")

    assert programs.git().detail == "git gives no answer within 0.5 s"


def test_program_that_cannot_run_is_told(path: Path) -> None:
    broken = path / "git"
    broken.write_text("#!/nonexistent\n")
    broken.chmod(stat.S_IRWXU)

    assert "does not run: no such file or directory" in programs.git().detail
