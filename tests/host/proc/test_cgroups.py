"""Control groups: which tree is ours, and what is in a group."""

import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from supervisor.host.proc import cgroups
from supervisor.host.proc.cgroups import Cgroups


@pytest.fixture
def groups(tmp_path: Path) -> Iterator[Cgroups]:
    found = Cgroups.of(tmp_path)
    if found is None:
        pytest.skip("there is no tree of control groups that is ours")
    yield found
    found.close(0.0)
    assert not os.path.exists(found.folder)


def start(group: str) -> subprocess.Popen[bytes]:
    """A process in a group."""
    script = f"echo $$ >{group}/cgroup.procs; echo ready; exec sleep 60"
    process = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.stdout.close()
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def test_a_group_holds_processes_until_they_ended(groups: Cgroups) -> None:
    run = groups.make("run")
    assert (cgroups.processes(run), cgroups.populated(run)) == ([], False)
    process = start(run)
    try:
        assert (cgroups.processes(run), cgroups.populated(run)) == ([process.pid], True)
        assert groups.runs() == [run]
        assert not cgroups.remove(run)
        groups.tidy()
        groups.close(0.0)
        assert os.path.isdir(run)
    finally:
        end(process)
    assert not cgroups.populated(run)
    groups.tidy()
    assert groups.runs() == []


def test_the_end_of_the_last_process_is_waited_for(groups: Cgroups) -> None:
    run = groups.make("run")
    process = start(run)
    try:
        assert not cgroups.emptied(run, 0.01)
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(cgroups.emptied, run, 20.0)
            process.kill()
            assert waiting.result(20.0)
    finally:
        end(process)
    assert cgroups.emptied(run, 0.0)
    assert cgroups.emptied(f"{run}/gone", 0.0)


def test_groups_below_a_group_belong_to_it(groups: Cgroups) -> None:
    run = groups.make("run")
    below = f"{run}/one/two"
    os.makedirs(below)
    process = start(below)
    try:
        assert cgroups.processes(run) == [process.pid]
        assert not cgroups.remove(run)
        assert cgroups.kill(run)
        assert process.wait() == -signal.SIGKILL
    finally:
        end(process)
    assert cgroups.remove(run)
    assert not os.path.exists(run)


def test_a_group_that_is_gone_is_empty(groups: Cgroups) -> None:
    gone = f"{groups.folder}/gone"
    assert (cgroups.processes(gone), cgroups.populated(gone)) == ([], False)
    assert cgroups.remove(gone)
    assert cgroups.kill(gone)


def test_no_group_can_be_made_where_there_are_too_many(groups: Cgroups) -> None:
    Path(groups.folder, "cgroup.max.descendants").write_text("1")
    assert groups.make("run") == ""


def test_the_groups_of_the_supervisor_before_are_used_further(groups: Cgroups, tmp_path: Path) -> None:
    left = groups.make("left")
    again = Cgroups.of(tmp_path)
    assert again is not None
    assert again.folder == groups.folder
    assert again.runs() == [left]


def test_what_a_killed_supervisor_left_is_removed_and_made_anew_if_it_lives_after_all(
    groups: Cgroups, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed, other, alive = (Cgroups.of(tmp_path / name) for name in ("killed", "other", "alive"))
    assert killed
    assert other
    assert alive
    killed.make("run")
    process = start(alive.make("run"))
    try:
        other.close(0.0)
        assert os.path.isdir(killed.folder), "it may just have begun"
        # Only these: those of supervisors that run beside this test are younger, or hold something.
        monkeypatch.setattr(cgroups, "_age_s", lambda path: 61.0 * (path in (killed.folder, alive.folder)))
        other.close(0.0)
        assert not os.path.exists(killed.folder)
        assert cgroups.processes(alive.folder) == [process.pid]
        assert killed.make("next") == f"{killed.folder}/next"
        assert os.path.isdir(killed.shims)
    finally:
        end(process)
        for left in (killed, other, alive):
            left.close(0.0)


def test_under_systemd_a_tree_is_ours_only_if_it_was_handed_over(groups: Cgroups, tmp_path: Path) -> None:
    assert not cgroups.is_ours(groups.folder, str(tmp_path))
    os.setxattr(groups.folder, "trusted.delegate", b"0")
    assert not cgroups.is_ours(groups.folder, str(tmp_path))
    os.setxattr(groups.folder, "trusted.delegate", b"1")
    assert cgroups.is_ours(groups.folder, str(tmp_path))


def test_a_tree_that_we_cannot_write_is_not_ours(groups: Cgroups) -> None:
    assert not cgroups.is_ours("/proc/self")
    assert cgroups.is_ours(groups.folder)


@pytest.mark.parametrize(
    ("own", "mounts", "folder"),
    [
        ("0::/", "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw", "/sys/fs/cgroup"),
        ("0::/a/b", "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw", "/sys/fs/cgroup/a/b"),
        (
            "4:memory:/x\n0::/a",
            "9 1 0:1 / /m rw - cgroup cgroup rw\n41 31 0:38 / /u rw - cgroup2 c rw",
            "/u/a",
        ),
        ("0::/a/b", "41 31 0:38 /a /my\\040tree rw shared:3 - cgroup2 c rw", "/my tree/b"),
        ("0::/a", "41 31 0:38 /a /tree rw - cgroup2 c rw", "/tree"),
        ("0::/ab", "41 31 0:38 /a /tree rw - cgroup2 c rw", None),
        ("0::/../..", "41 31 0:38 /x /tree rw - cgroup2 c rw", None),
        ("4:memory:/x", "41 31 0:38 / /u rw - cgroup2 c rw", None),
        ("0::/", "41 31 0:38 / /u rw - tmpfs t rw", None),
        ("", "", None),
    ],
)
def test_the_own_group_is_found_in_the_file_system(
    monkeypatch: pytest.MonkeyPatch, own: str, mounts: str, folder: str | None
) -> None:
    files = {"/proc/self/cgroup": own, "/proc/self/mountinfo": mounts}
    monkeypatch.setattr(cgroups, "_read", files.__getitem__)
    assert cgroups.own_folder() == folder
