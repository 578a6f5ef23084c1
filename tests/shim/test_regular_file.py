"""What is opened where a command may have put something else, and that nobody waits for it."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor.shim.regular_file import Replaced, atomic_write, make_regular, open_regular, read_regular
from tests.host.users.other_user import needs_root

PLANTS: dict[str, Callable[[Path], object]] = {
    "a symbolic link": lambda path: path.symlink_to("/etc/passwd"),
    "a folder": lambda path: path.mkdir(),
    "a FIFO": os.mkfifo,
    "a socket": lambda path: socket.socket(socket.AF_UNIX).bind(str(path)),
}
HOLD_A_LEASE = """
import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
fcntl.fcntl(os.open(sys.argv[1], os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_APPEND | os.O_CREAT, os.O_RDWR])
@pytest.mark.parametrize("what", PLANTS)
def test_nothing_but_a_regular_file_is_opened(tmp_path: Path, what: str, flags: int) -> None:
    PLANTS[what](tmp_path / "log")
    before = len(os.listdir("/proc/self/fd"))

    with pytest.raises(Replaced, match=what.split()[-1]):
        open_regular(tmp_path / "log", flags)
    assert len(os.listdir("/proc/self/fd")) == before


@needs_root
def test_device_is_not_opened(tmp_path: Path) -> None:
    os.mknod(tmp_path / "log", 0o600 | 0o020000, os.makedev(1, 5))

    with pytest.raises(Replaced, match="a device"):
        read_regular(tmp_path / "log", 100)


def test_file_with_a_lease_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    holder = subprocess.Popen(
        [sys.executable, "-I", "-c", HOLD_A_LEASE, tmp_path / "log"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        began = time.monotonic()
        with pytest.raises(BlockingIOError, match="a process holds a lease on it"):
            open_regular(tmp_path / "log", os.O_WRONLY | os.O_APPEND)
        assert time.monotonic() - began < 5
        holder.send_signal(signal.SIGKILL)


def test_file_is_made_in_the_place_of_whatever_has_its_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "aside")

    with open(make_regular(tmp_path / "aside"), "wb") as file:
        file.write(b"facts")

    assert read_regular(tmp_path / "aside", 3) == b"fac"


def test_atomic_write_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "facts").symlink_to("/etc/passwd")

    atomic_write(tmp_path / "facts", b"new")

    assert read_regular(tmp_path / "facts", 100) == b"new"
    assert os.listdir(tmp_path) == ["facts"]
    assert (tmp_path / "facts").stat().st_mode & 0o777 == 0o600


def test_atomic_write_that_is_killed_before_the_rename_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "facts").write_bytes(b"old")
    program = (
        "import os, sys; from supervisor.shim import regular_file\n"
        "os.replace = lambda *_: os.kill(os.getpid(), 9)\n"
        "regular_file.atomic_write(sys.argv[1], b'torn')"
    )

    subprocess.run([sys.executable, "-c", program, tmp_path / "facts"], check=False)

    assert sorted(os.listdir(tmp_path)) == ["facts", "facts.new"]
    assert (tmp_path / "facts").read_bytes() == b"old"
    atomic_write(tmp_path / "facts", b"new")
    assert os.listdir(tmp_path) == ["facts"]


def test_atomic_write_without_room_leaves_the_old_file_alone(tmp_path: Path) -> None:
    (tmp_path / "facts").write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            atomic_write(tmp_path / "facts", b"more than fits")  # the first five bytes are taken
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert os.listdir(tmp_path) == ["facts"]
    assert (tmp_path / "facts").read_bytes() == b"old"
