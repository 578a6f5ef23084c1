"""A response that is read as it arrives."""

from __future__ import annotations

import socket
from contextlib import closing
from http.client import HTTPResponse

import pytest

from supervisor.cli.remote.live_response import LiveResponse
from supervisor.cli.remote.responses import ConnectionLost
from supervisor.model.errors import SupervisorError

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Log-Cursor: a:7\r\n\r\n"
BODY = b"4\r\nab\r\n\r\n1;x=y\r\nc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"
DATA = b"ab\r\nc0123456789abcdef"


def opened(sent: bytes) -> tuple[LiveResponse, socket.socket]:
    """A response of which so much has come, and the server's end."""
    client, server = socket.socketpair()
    server.sendall(sent)
    response = HTTPResponse(client)
    response.begin()
    with response:
        return LiveResponse(response, client), server


def test_body_is_the_same_wherever_it_is_cut() -> None:
    for first in range(len(BODY)):
        live, server = opened(HEAD + BODY[:first])
        data = live.read()
        for position in range(first, len(BODY)):
            server.sendall(BODY[position : position + 1])
            data += live.read()
        assert (data, live.ended) == (DATA, True)
        live.close()
        server.close()


def test_nothing_yet_is_not_the_end() -> None:
    live, server = opened(HEAD)

    assert (live.read(), live.ended, live.headers["X-Log-Cursor"]) == (b"", False, "a:7")
    server.sendall(b"3\r\nabc\r\n")
    assert (live.read(), live.read(), live.ended) == (b"abc", b"", False)
    server.close()
    with pytest.raises(ConnectionLost):
        live.read()
    live.close()


def test_what_no_supervisor_sends_is_an_error() -> None:
    client, server = socket.socketpair()
    with client, server:
        server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na")
        response = HTTPResponse(client)
        response.begin()
        with response, pytest.raises(SupervisorError, match="is not a supervisor"):
            LiveResponse(response, client)
    live, server = opened(HEAD + b"xyz\r\n")
    with closing(live), server, pytest.raises(SupervisorError, match="is not a supervisor"):
        live.read()
