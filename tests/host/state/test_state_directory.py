"""The state directory: what is in it, who is kept out, and what is refused."""

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.host.state import state_directory
from supervisor.host.state.state_directory import StateDir
from supervisor.model.errors import BadSettings, MachineError, StateInUse


def test_state_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    with StateDir(tmp_path / "a/b/state", "/work/shop") as state:
        assert [oct(path.stat().st_mode & 0o777) for path in (tmp_path / "a", state.path, state.runs)] == [
            "0o700"
        ] * 3
        assert (state.path / "workspace").read_text() == "/work/shop\n"
        assert (state.path / "lock").read_text() == f"{os.getpid()}\n"
        assert {state.database.parent, state.shim_socket.parent, state.api_socket.parent} == {state.path}


def test_second_supervisor_is_refused_and_learns_the_holders_pid(tmp_path: Path) -> None:
    with StateDir(tmp_path / "state", "/w"), pytest.raises(StateInUse) as refused:
        StateDir(tmp_path / "state", "/w")

    assert f"another supervisor (pid {os.getpid()}) uses it; end it (kill" in str(refused.value)


def test_state_directory_is_free_again_once_it_is_closed(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "state", "/w")
    state.close()
    state.close()

    StateDir(tmp_path / "state", "/w").close()


def test_lock_ends_with_its_holder_and_children_do_not_inherit_it(tmp_path: Path) -> None:
    hold = (
        "import subprocess, sys; from supervisor.host.state.state_directory import StateDir;"
        "state = StateDir(sys.argv[1], '/');"
        "child = subprocess.Popen(['sleep', '60'], close_fds=False); print(child.pid, flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, tmp_path / "state"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdin
    assert holder.stdout
    child = int(holder.stdout.readline())
    with pytest.raises(StateInUse, match=f"pid {holder.pid}"):
        StateDir(tmp_path / "state", "/")

    holder.kill()
    holder.wait()
    holder.stdin.close()
    holder.stdout.close()
    try:
        StateDir(tmp_path / "state", "/").close()
        os.kill(child, 0)  # it lived through all of this
    finally:
        os.kill(child, 9)


def test_lock_file_that_was_replaced_is_not_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flock = fcntl.flock
    taken: list[int] = []

    def flock_late(fd: int, operation: int) -> None:
        if not taken:  # somebody removes the file between our open and our flock
            os.unlink(tmp_path / "state/lock")
        taken.append(fd)
        flock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", flock_late)
    with StateDir(tmp_path / "state", "/"), pytest.raises(StateInUse):
        StateDir(tmp_path / "state", "/")


def test_state_directory_that_others_may_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o770)

    with pytest.raises(BadSettings, match="other users may write there; chmod 700"):
        StateDir(tmp_path / "state", "/")


def test_state_directory_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)

    with pytest.raises(BadSettings, match=f"it belongs to user {os.getuid()}"):
        StateDir(tmp_path / "state", "/")


@pytest.mark.parametrize("where", ["state", "state/runs", "state/lock"])
def test_link_in_the_place_of_a_folder_or_the_lock_is_refused(tmp_path: Path, where: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / where).parent.mkdir(exist_ok=True, mode=0o700)
    (tmp_path / where).symlink_to(tmp_path / "elsewhere")

    with pytest.raises((BadSettings, MachineError), match="symbolic link"):
        StateDir(tmp_path / "state", "/")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_folder_in_tmp_that_somebody_else_made_first_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "homeless").mkdir()
    (tmp_path / "homeless").chmod(0o777)
    monkeypatch.setattr(state_directory, "home_in_tmp", lambda: tmp_path / "homeless")

    with pytest.raises(BadSettings, match="homeless can be written by others"):
        StateDir(tmp_path / "homeless/shop-1234", "/")


def test_file_in_the_place_of_the_state_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")

    with pytest.raises(
        BadSettings, match="it is not a folder; choose another state directory with --state-dir"
    ):
        StateDir(tmp_path / "state", "/")


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.ENOLCK])
def test_filesystem_that_does_not_serve_is_named_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fails(fd: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", fails)

    with pytest.raises(MachineError, match=os.strerror(number)):
        StateDir(tmp_path / "state", "/")


def test_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"its path is \d+ bytes too long for a socket in it"):
        StateDir(tmp_path / ("x" * 107), "/")
    assert list(tmp_path.iterdir()) == []
