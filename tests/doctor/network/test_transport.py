"""UDP: reachable, refused or unknown."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from supervisor.doctor.findings import State
from tests.doctor.attempts import SHORT_S, find, target


@contextmanager
def datagrams(answers: bool, host: str = "127.0.0.1", ignored: int = 0) -> Generator[tuple[int, list[bytes]]]:
    """A port that takes datagrams, and answers them or not; the first `ignored` of them are lost."""
    got: list[bytes] = []
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    data, peer = sock.recvfrom(100)
                    if data == b"end":
                        return
                    got.append(data)
                    if answers and len(got) > ignored:
                        sock.sendto(b"hello", peer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield sock.getsockname()[1], got
        finally:
            with socket.socket(sock.family, socket.SOCK_DGRAM) as ending:
                ending.sendto(b"end", sock.getsockname())
            thread.join()


@pytest.mark.parametrize(("host", "url"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_port_that_answers_is_reachable(host: str, url: str) -> None:
    with datagrams(answers=True, host=host) as (port, got):
        found = find(target(f"udp://{url}:{port}"))

    assert (found.verdict.state, found.verdict.detail) == (State.OK, "answers")
    assert got


def test_datagram_that_is_lost_is_sent_again() -> None:
    with datagrams(answers=True, ignored=1) as (port, got):
        found = find(target(f"udp://127.0.0.1:{port}"))

    assert found.verdict.state is State.OK
    assert len(got) >= 2


@pytest.mark.slow
def test_port_that_says_nothing_is_unknown_and_not_fatal() -> None:
    with datagrams(answers=False) as (port, got):
        found = find(target(f"udp://127.0.0.1:{port}"), timeout_s=SHORT_S)

    assert found.verdict.state is State.UNKNOWN
    assert not found.is_fatal
    assert got


def test_port_that_nobody_has_is_refused() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    found = find(target(f"udp://127.0.0.1:{port}"))

    assert found.verdict.state is State.FAILED
    assert found.facts["trouble"] == "refused"


def test_proxy_is_not_asked_for_datagrams() -> None:
    with datagrams(answers=True) as (port, _):
        found = find(target(f"udp://127.0.0.1:{port}"), environ={"ALL_PROXY": "http://127.0.0.1:1"})

    assert found.verdict.state is State.OK
