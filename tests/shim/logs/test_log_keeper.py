"""The keeper holds read ends while nobody else does, and ends when it has nothing to do."""

import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from supervisor.shim.logs.log_keeper import KeeperLink
from supervisor.shim.protocol import KEEPER_SOCKET

DEADLINE_S = 10.0


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def has_ended(pid: int) -> bool:
    return os.waitpid(pid, os.WNOHANG)[0] == pid


def is_reachable(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        return sock.connect_ex(path) == 0


def is_held(fifo: Path) -> bool:
    """Whether some process has the read end: without one, a writer is refused."""
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "runs/run/fifo"
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    return path


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[KeeperLink]:
    link = KeeperLink()
    link.path = str(tmp_path / KEEPER_SOCKET)
    yield link
    link.close()
    if link.pid:
        until(lambda: has_ended(link.pid))


def hold(link: KeeperLink, fifo: Path) -> None:
    fd = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    link.hold("run", fd)
    link.flush()
    os.close(fd)  # as the end of the shim does


def test_what_is_in_a_fifo_stays_while_the_keeper_holds_it(keeper: KeeperLink, fifo: Path) -> None:
    hold(keeper, fifo)
    until(lambda: is_held(fifo))
    writer = os.open(fifo, os.O_WRONLY)
    os.write(writer, b"last words")
    os.close(writer)

    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    assert os.read(reader, 100) == b"last words"
    os.close(reader)
    keeper.drop("run")
    keeper.flush()
    until(lambda: not is_held(fifo))


def test_next_shim_finds_the_keeper_of_the_one_before(keeper: KeeperLink, fifo: Path) -> None:
    writer = os.open(fifo, os.O_RDWR)  # the command lives on
    hold(keeper, fifo)
    until(lambda: is_reachable(keeper.path))
    keeper.close()  # the shim is killed

    second = KeeperLink()
    second.path = keeper.path
    assert second.is_inherited
    fd = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    second.hold("run", fd)
    second.flush()
    assert second.pid == 0, "it started another one"
    os.close(fd)
    os.close(writer)
    second.drop("run")
    second.flush()
    until(lambda: not is_held(fifo))
    second.close()


def test_keeper_without_shim_and_writers_ends(keeper: KeeperLink, fifo: Path) -> None:
    writer = os.open(fifo, os.O_RDWR)
    hold(keeper, fifo)
    keeper.close()
    time.sleep(0.1)
    assert os.waitpid(keeper.pid, os.WNOHANG) == (0, 0), "it left a FIFO that a command writes into"
    os.close(writer)

    until(lambda: has_ended(keeper.pid))
    keeper.pid = 0
    assert not fifo.exists(), "the next shim would take it for one that nobody held"


def test_keeper_removes_the_fifo_of_a_stream_of_its_own(keeper: KeeperLink, tmp_path: Path) -> None:
    fifo = tmp_path / "runs/run/stderr.fifo"
    fifo.parent.mkdir(parents=True)
    os.mkfifo(fifo)
    fd = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    keeper.hold("run/stderr", fd)
    keeper.flush()
    os.close(fd)
    until(lambda: is_held(fifo))
    keeper.close()

    until(lambda: has_ended(keeper.pid))
    keeper.pid = 0
    assert not fifo.exists()


def test_keeper_that_a_shim_started_itself_has_held_nothing_before(keeper: KeeperLink, fifo: Path) -> None:
    assert not keeper.is_inherited
    hold(keeper, fifo)
    until(lambda: is_reachable(keeper.path) and is_held(fifo))  # with that it has had a writer, too
    assert not keeper.is_inherited


def test_keeper_that_is_killed_is_followed_by_one_that_holds_the_same(keeper: KeeperLink, fifo: Path) -> None:
    fd = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    keeper.hold("run", fd)
    keeper.flush()
    first = keeper.pid
    os.kill(first, signal.SIGKILL)
    until(lambda: has_ended(first))
    poll = select.poll()
    poll.register(keeper.fileno(), 0)
    assert poll.poll(0), "its end is not reported"
    keeper.replace()

    assert keeper.pid not in (0, first)
    os.close(fd)
    until(lambda: is_held(fifo))
    keeper.drop("run")
    keeper.flush()


def test_lists_of_processes_say_what_it_is(keeper: KeeperLink, fifo: Path) -> None:
    hold(keeper, fifo)
    until(lambda: is_held(fifo))  # with that it has had a writer, too

    until(lambda: Path(f"/proc/{keeper.pid}/cmdline").read_bytes().rstrip(b"\0") == b"log-keeper")
    assert Path(f"/proc/{keeper.pid}/comm").read_text() == "log-keeper\n"
