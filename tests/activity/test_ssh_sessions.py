"""SSH sessions: a real sshd's processes, and a real utmp file."""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.activity import ssh_sessions
from supervisor.activity.sighting import Sighting, SourceKind
from supervisor.host.proc import clock
from tests.activity.sshd import MISSING, sshd

UTMP = struct.Struct("<hxxi32s4s32s256shhiii4I20x")  # utmp(5), on 64 bit machines
USER_PROCESS, DEAD_PROCESS = 7, 8


def seen() -> Sighting | None:
    return next(ssh_sessions.open_sessions(clock.instant()), None)


def eventually(sessions: int) -> Sighting | None:
    """What is seen once there are so many sessions."""
    deadline = time.monotonic() + 30
    while True:
        found = ssh_sessions._sessions(clock.instant())
        if len(found) == sessions:
            return seen()
        assert time.monotonic() < deadline, f"there are {list(map(str, found))}"
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def nobody_else() -> None:
    if seen() is not None:
        pytest.skip("somebody is logged in to this machine")


@pytest.mark.slow
@pytest.mark.skipif(MISSING, reason="there is no sshd here")
def test_open_sessions_are_seen_with_and_without_a_terminal_and_no_longer_than_they_last(
    tmp_path: Path,
) -> None:
    begun = clock.instant()
    with sshd(tmp_path) as server:
        assert seen() is None
        with server.connect() as stranger:
            assert stranger.recv(64).startswith(b"SSH-")
            assert seen() is None
        with server.session() as _, server.session("-tt") as _:
            found = eventually(2)
            assert found is not None
            assert (found.kind, found.source) == (SourceKind.SSH, "SSH")
            assert "on notty" in found.detail
            assert "on pts/" in found.detail
            assert begun.boot_s - 1 <= found.since_s <= found.seen_s
        assert eventually(0) is None


@pytest.mark.parametrize("way", ["another program", "a file of the user's"])
def test_title_of_another_process_is_no_session(tmp_path: Path, way: str) -> None:
    program = tmp_path / "sshd"
    if way == "another program":
        program.symlink_to("/usr/bin/cat")
    else:
        shutil.copy("/usr/bin/cat", program)
        if os.geteuid() == 0:
            os.chown(program, 64321, -1)
    title = "sshd: ada@pts/7"
    with subprocess.Popen(
        [title], executable=program, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        # Popen returns a moment before the program has its name.
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"x")
        assert process.stdout.read(1) == b"x"
        assert ssh_sessions._command(process.pid).strip() == "sshd"
        assert Path(f"/proc/{process.pid}/cmdline").read_bytes() == f"{title}\0".encode()
        assert seen() is None
        process.communicate()


class Utmp:
    """A utmp file that this process's libc reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()
        assert ctypes.CDLL(None).utmpname(str(path).encode()) == 0

    def add(self, pid: int, terminal: str, host: str, login_s: float, kind: int = USER_PROCESS) -> None:
        texts = (terminal.encode(), terminal[-4:].encode(), b"ada", host.encode())
        with self.path.open("ab") as file:
            file.write(UTMP.pack(kind, pid, *texts, 0, 0, 0, int(login_s), 0, 0, 0, 0, 0))


@pytest.fixture
def utmp(tmp_path: Path) -> Iterator[Utmp]:
    assert UTMP.size == 384
    yield Utmp(tmp_path / "utmp")
    ctypes.CDLL(None).utmpname(b"/var/run/utmp")


@pytest.fixture
def shell() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


def test_logins_of_utmp_are_seen(utmp: Utmp, shell: subprocess.Popen[bytes]) -> None:
    now = clock.instant()
    utmp.add(shell.pid, "pts/90", "10.0.0.5", now.wall_s - 1)
    utmp.add(shell.pid, "pts/91", "2001:db8::7", now.wall_s + 1)

    found = seen()

    assert found is not None
    assert found.detail == "ada on pts/90 from 10.0.0.5, ada on pts/91 from 2001:db8::7"
    assert abs(found.since_s - (now.boot_s - 1)) < 3


@pytest.mark.parametrize("host", ["", ":0", "tmux(812).%0", "mosh [812]", ":pts/3:S.0"])
def test_logins_that_came_over_no_network_are_none(
    utmp: Utmp, shell: subprocess.Popen[bytes], host: str
) -> None:
    utmp.add(shell.pid, "pts/90", host, time.time())
    assert seen() is None


def test_names_are_made_fit_for_people(utmp: Utmp, shell: subprocess.Popen[bytes]) -> None:
    utmp.add(shell.pid, "pts/\x1b", "10.0.0.5", time.time())
    found = seen()
    assert found is not None
    assert found.detail == "ada on pts/? from 10.0.0.5"


def test_login_that_was_never_removed_is_none(utmp: Utmp, shell: subprocess.Popen[bytes]) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    utmp.add(gone.pid, "pts/90", "10.0.0.5", time.time())
    utmp.add(os.getpid(), "pts/91", "10.0.0.5", time.time(), kind=DEAD_PROCESS)
    # Its pid is in use again: by a process that is younger than the login.
    utmp.add(shell.pid, "pts/92", "10.0.0.5", time.time() - 3600)

    assert seen() is None


def test_file_that_holds_anything_is_read_without_harm(utmp: Utmp) -> None:
    chance = random.Random(7)
    for _ in range(200):
        host = "".join(chance.choices("abc.:(-\xff", k=5))
        kind = chance.choice([USER_PROCESS, chance.randrange(-9, 99)])
        pid = chance.choice([-1, 0, 2**31 - 1, chance.randrange(-(2**31), 2**31)])
        utmp.add(pid, "pts/\xff", host, chance.randrange(-(2**31), 2**31), kind)
    utmp.path.write_bytes(utmp.path.read_bytes() + chance.randbytes(1000))

    found = seen()

    assert found is None or found.detail.isprintable()


@pytest.mark.slow
@pytest.mark.skipif(MISSING or os.geteuid() != 0, reason="sshd writes utmp as root")
def test_login_that_utmp_and_sshd_both_know_is_one_session(tmp_path: Path, utmp: Utmp) -> None:
    with sshd(tmp_path) as server, server.session("-tt") as _:
        eventually(1)
        (session,) = ssh_sessions._sessions(clock.instant())
        utmp.add(session.pid, session.terminal, "10.0.0.5", time.time())

        found = seen()

        assert found is not None
        assert found.detail == f"ada on {session.terminal} from 10.0.0.5"


@pytest.mark.parametrize(
    ("title", "is_session"),
    [
        ("sshd: ada@pts/0", True),
        ("sshd: ada@notty", True),
        ("sshd: ada@pts/0,pts/2", True),
        ("sshd-session: ada@internal-sftp", True),
        ("sshd: ada@example.org@pts/3", True),
        ("sshd: ada [priv]", False),
        ("sshd-session: ada [net]", False),
        ("sshd: unknown [preauth]", False),
        ("sshd: [accepted]", False),
        ("sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", False),
    ],
)
def test_titles_of_sshd_tell_who_is_logged_in(title: str, is_session: bool) -> None:
    assert bool(ssh_sessions._TITLE.fullmatch(title)) == is_session
