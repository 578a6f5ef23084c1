"""Servers on the loopback that behave as they are told, well or badly: real sockets, each in a thread."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime

import trustme

Behaviour = Callable[[socket.socket], None]
"""What to do with a connection; it is closed afterwards."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Authority:
    """A CA, and certificates by it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ca = trustme.CA(organization_name=name, organization_unit_name="Tests")

    def server(self, *names: str, expired: bool = False) -> ssl.SSLContext:
        """What a server of those names needs."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued = self.ca.issue_cert(
            *(names or ("localhost", "127.0.0.1", "::1")),
            not_before=datetime(2019, 1, 1, tzinfo=UTC) if expired else None,
            not_after=datetime(2020, 1, 1, tzinfo=UTC) if expired else None,
        )
        issued.configure_cert(context)
        return context


class Server:
    """Accepts connections on a free port; each is served in a thread of its own."""

    def __init__(self, behaviour: Behaviour, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listening = socket.create_server((host, 0), family=family)
        self.port: int = self._listening.getsockname()[1]
        self._behaviour = behaviour
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="server")]
        self._threads[0].start()

    def close(self) -> None:
        """Also ends connections that nobody answers."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._threads[0].join()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._open.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,), name="connection"))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):  # the doctor goes away when it has seen enough
            self._behaviour(connection)


@contextmanager
def serving(behaviour: Behaviour, host: str = "127.0.0.1") -> Generator[Server]:
    """A server, closed at the end."""
    server = Server(behaviour, host)
    try:
        yield server
    finally:
        server.close()


def read_head(connection: socket.socket) -> bytes:
    """All of a request up to the empty line."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        piece = connection.recv(4096)
        if not piece:
            break
        data += piece
    return data


def answering(data: bytes, heads: list[bytes] | None = None) -> Behaviour:
    """Read a request, note it, and answer with these bytes."""

    def behave(connection: socket.socket) -> None:
        head = read_head(connection)
        if heads is not None:
            heads.append(head)
        connection.sendall(data)

    return behave


def greeting(data: bytes) -> Behaviour:
    """Send these bytes whatever is asked, and stay."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(data)
        silent(connection)

    return behave


def within_tls(context: ssl.SSLContext, behaviour: Behaviour) -> Behaviour:
    """The same, inside TLS."""

    def behave(connection: socket.socket) -> None:
        with context.wrap_socket(connection.dup(), server_side=True) as secured:
            behaviour(secured)

    return behave


def silent(connection: socket.socket) -> None:
    """Say nothing for as long as the other side stays, or until the server is closed."""
    while connection.recv(4096):
        pass


def hanging_up(connection: socket.socket) -> None:
    """Close at once."""


def resetting(connection: socket.socket) -> None:
    """Break the connection off, with what came unread."""
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def proxying(answer: Callable[[bytes], Behaviour], heads: list[bytes]) -> Behaviour:
    """A proxy: reads a request, notes it, and goes on as `answer` says."""

    def behave(connection: socket.socket) -> None:
        head = read_head(connection)
        heads.append(head)
        answer(head)(connection)

    return behave


def tunnelling(head: bytes) -> Behaviour:
    """Connect where CONNECT says, and copy both ways."""
    host, _, port = head.split()[1].rpartition(b":")

    def behave(connection: socket.socket) -> None:
        with socket.create_connection((host.strip(b"[]").decode(), int(port))) as onward:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_copy, args=(onward, connection), name="tunnel")
            back.start()
            _copy(connection, onward)
            back.join()

    return behave


def intercepting(context: ssl.SSLContext, answer: bytes = OK) -> Callable[[bytes], Behaviour]:
    """Say that there is a tunnel, and then be the server oneself."""

    def after(_head: bytes) -> Behaviour:
        def behave(connection: socket.socket) -> None:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            within_tls(context, answering(answer))(connection)

        return behave

    return after


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def full() -> Generator[int]:
    """The port of a server whose queue is full: what else wants to connect gets no answer at all."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening, contextlib.ExitStack() as waiting:
        address = listening.getsockname()
        for _ in range(3):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(address)
        yield address[1]


@contextmanager
def closed() -> Generator[int]:
    """A port that nobody listens on, and nobody else takes meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
