"""What listens on the socket may be something else: it is told in a sentence."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from supervisor.cli.remote.client import Client
from supervisor.model.errors import SupervisorError


def answering(path: Path, body: bytes) -> threading.Thread:
    """Answers one request with a body, with status 200."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()

    def answer() -> None:
        with listening, listening.accept()[0] as client:
            client.recv(1 << 16)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    thread = threading.Thread(target=answer)
    thread.start()
    return thread


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"[" * 100_000, b'{"a":' * 100_000, b"\xff"])
def test_answer_of_something_else_is_an_error(tmp_path: Path, body: bytes) -> None:
    thread = answering(tmp_path / "sock", body)
    try:
        with pytest.raises(SupervisorError, match="is not a supervisor of this kind"):
            Client(str(tmp_path / "sock"), 5.0).status()
    finally:
        thread.join()
