"""Which supervisors are kept out of a state directory whose lock was removed."""

import os
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.host.state import exclusion
from supervisor.host.state.exclusion import Exclusion
from supervisor.host.state.state_directory import StateDir
from supervisor.model.errors import StateInUse
from tests.host.users.other_user import UID, needs_root

ROOT = Path(__file__).parents[3]


def test_second_supervisor_is_kept_out_of_a_directory_that_was_made_again(tmp_path: Path) -> None:
    with StateDir(tmp_path / "state", "/w") as state:
        shutil.rmtree(state.path)
        with pytest.raises(StateInUse, match=f"another supervisor \\(pid {os.getpid()}\\) uses it"):
            StateDir(tmp_path / "state", "/w")

        assert not state.is_whole()
        state.restore()
        assert state.is_whole()
        assert (state.path / "lock").read_text() == f"{os.getpid()}\n"
        with pytest.raises(StateInUse):
            StateDir(tmp_path / "state", "/w")
    StateDir(tmp_path / "state", "/w").close()


@pytest.mark.parametrize("name", ["lock", "runs", "."])
def test_what_was_removed_is_made_again(tmp_path: Path, name: str) -> None:
    with StateDir(tmp_path / "state", "/w") as state:
        path = state.path / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        assert not state.is_whole()
        state.restore()
        assert state.is_whole()


def test_lock_that_somebody_else_holds_by_now_is_not_taken(tmp_path: Path) -> None:
    hold = "import fcntl, sys; fcntl.flock(sys.stdin, fcntl.LOCK_EX); print(flush=True); sys.stdout.close(); input()"
    with StateDir(tmp_path / "state", "/w") as state:
        (state.path / "lock").unlink()
        reading, writing = os.pipe()
        fd = os.open(state.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        with subprocess.Popen(
            [sys.executable, "-I", "-c", hold.replace("input()", f"import os; os.read({reading}, 1)")],
            stdin=fd,
            stdout=subprocess.PIPE,
            pass_fds=[reading],
        ) as holder:
            os.close(fd)
            assert holder.stdout
            holder.stdout.readline()
            with pytest.raises(StateInUse):
                state.restore()
            assert not state.is_whole()
            os.close(writing)
        os.close(reading)
        state.restore()
        assert state.is_whole()


@needs_root
def test_names_of_another_user_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    mine = Exclusion(tmp_path / "state")
    squatted = b"\0" + mine._prefix + b"squatted"
    mine.close()
    os.seteuid(UID)
    squatter = socket.socket(socket.AF_UNIX)
    try:
        squatter.bind(squatted)
        squatter.listen()
    finally:
        os.seteuid(0)
    with squatter, StateDir(tmp_path / "state", "/w") as state:
        shutil.rmtree(state.path)
        with pytest.raises(StateInUse):
            StateDir(tmp_path / "state", "/w")


def test_name_that_was_handed_over_keeps_others_out(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "state", "/w")
    lock, name = state.keep()
    state.close()
    shutil.rmtree(tmp_path / "state")
    with pytest.raises(StateInUse):
        StateDir(tmp_path / "state", "/w")
    StateDir(tmp_path / "state", "/w", lock=lock, name=name).close()


def test_names_of_other_directories_do_not_count(tmp_path: Path) -> None:
    with StateDir(tmp_path / "one", "/w"), StateDir(tmp_path / "other", "/w"):
        pass


@needs_root
def test_same_path_on_another_filesystem_is_another_directory(tmp_path: Path) -> None:
    """As in two containers that share a network namespace, and with it the names."""
    look = "import sys; from supervisor.host.state.exclusion import Exclusion; print(Exclusion(sys.argv[1]).other())"
    words = [sys.executable, "-c", look, str(tmp_path)]
    mounted = f'mount -t tmpfs none {shlex.quote(str(tmp_path))} && exec "$@"'
    mine = Exclusion(tmp_path)
    try:
        here = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        there = subprocess.run(
            ["unshare", "-m", "sh", "-c", mounted, "sh", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
    finally:
        mine.close()
    if there.returncode != 0:
        pytest.skip("cannot mount in a namespace")
    assert (here.stdout, there.stdout) == (f"{os.getpid()}\n", "None\n")


def test_connections_are_drained_so_that_the_next_one_gets_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exclusion, "_BACKLOG", 0)
    mine, other = Exclusion(tmp_path), Exclusion(tmp_path)
    try:
        assert other.other() == os.getpid()
        assert other.other() is None, "its queue is full"
        mine.drain()
        assert other.other() == os.getpid()
    finally:
        mine.close()
        other.close()
