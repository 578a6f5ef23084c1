"""Messages to a service manager, received by a real socket."""

import os
import socket
from collections.abc import Generator
from pathlib import Path

import pytest

from supervisor.host.proc.notify import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Generator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(10)
        yield sock


def notifier(sock: socket.socket, **more: str) -> Notifier:
    return Notifier({"NOTIFY_SOCKET": sock.getsockname(), **more})


def test_message_is_one_datagram_of_lines(manager: socket.socket) -> None:
    assert notifier(manager).tell("READY=1", "STATUS=one\nline")

    assert manager.recv(1000) == b"READY=1\nSTATUS=one line"


def test_abstract_address_is_reached() -> None:
    name = f"supervisor-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name}")

        assert Notifier({"NOTIFY_SOCKET": f"@{name}"}).tell("READY=1")
        assert sock.recv(1000) == b"READY=1"


def test_manager_that_does_not_read_or_is_gone_delays_nothing(manager: socket.socket) -> None:
    answers = [notifier(manager).tell("STATUS=again") for _ in range(10_000)]
    assert answers[0]
    assert not answers[-1], "its queue is full"

    assert not Notifier({"NOTIFY_SOCKET": "/does/not/exist"}).tell("READY=1")
    assert not Notifier({"NOTIFY_SOCKET": "vsock:2:1234"}).tell("READY=1")
    assert not Notifier().tell("READY=1")


def test_what_was_taken_is_gone_from_the_environment_and_kept_for_a_successor() -> None:
    environ = {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1", "PATH": "/bin"}

    taken = Notifier.take(environ)

    assert environ == {"PATH": "/bin"}
    assert Notifier.take(dict(taken.environ)).environ == taken.environ


@pytest.mark.parametrize(
    ("microseconds", "pid", "seconds"),
    [
        ("30000000", str(os.getpid()), 30.0),
        ("30000000", None, 30.0),
        ("30000000", "2", None),
        ("0", None, None),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_watchdog_is_ours_only_if_it_says_so(
    microseconds: str | None, pid: str | None, seconds: float | None
) -> None:
    said = {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": microseconds, "WATCHDOG_PID": pid}

    assert Notifier({name: value for name, value in said.items() if value}).watchdog_s == seconds
