"""Answers on the Unix socket while the server is still being imported, which takes most of a start.

The first client after a start asks whether there is a supervisor and how it is, so that is answered at once. Every
request is looked at without being taken out of its socket (MSG_PEEK). `GET /control/status` and `GET /healthz` in their
plainest form are then taken and answered; any other request stays where it is, and the server finds it there when it
takes over the connections.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Awaitable, Callable, Collection

import anyio

from supervisor.api.supervisor_handle import StatusSource
from supervisor.shim.unix_socket import peer_credentials

_LONGEST_HEAD = 8192
_PAUSE_S = 0.02
_MOST = 64
"""How many connections are taken here; more wait in the kernel's queue for the server, which has its limits."""
_NOT_HERE = (b"\r\norigin:", b"\r\nauthorization:", b"\r\ncontent-length:", b"\r\ntransfer-encoding:")
"""Headers that need a decision, or a body to be read."""


class EarlyStatus:
    """Answers on a listening Unix socket until the server is there."""

    def __init__(
        self,
        listening: socket.socket,
        source: StatusSource,
        peers: Collection[int] = (),
        others: Collection[socket.socket] = (),
    ) -> None:
        """Nothing is answered yet.

        Args:
            listening: the Unix socket.
            source: has the status.
            peers: the users who may ask, beside root and our own.
            others: sockets that listen for the server alone.
        """
        self._listening = listening
        self._others = others
        self._answers: dict[bytes, Callable[[], Awaitable[bytes]]] = {
            b"GET /control/status HTTP/1.1": self._status,
            b"GET /healthz HTTP/1.1": self._health,
        }
        self._source = source
        self._peers = {0, os.geteuid(), *peers}
        self._connections: list[socket.socket] = []
        self._waiting: set[anyio.CancelScope] = set()
        self._relieved = False
        self._relief = anyio.Event()
        self._answered = anyio.Event()

    async def first_answered(self, patience_s: float) -> None:
        """Wait until a client was answered, or wants the server, for so long at most."""
        with anyio.move_on_after(patience_s):
            async with anyio.create_task_group() as tasks:
                for other in self._others:
                    tasks.start_soon(self._note_client, other)
                await self._answered.wait()
                tasks.cancel_scope.cancel()

    async def run(self) -> tuple[int, ...]:
        """Answer until `relieve` was called; returns the descriptors of the connections that go on."""
        try:
            async with anyio.create_task_group() as tasks:
                while await self._readable(self._listening):
                    if len(self._connections) >= _MOST:
                        await self._relief.wait()
                        break
                    try:
                        connection, _ = self._listening.accept()
                    except OSError:
                        await anyio.sleep(
                            _PAUSE_S
                        )  # no descriptor is left, say; what to do then is the server's
                        continue
                    connection.setblocking(False)
                    self._connections.append(connection)
                    tasks.start_soon(self._attend, connection)
            return tuple(connection.detach() for connection in self._connections)
        finally:
            for connection in self._connections:
                connection.close()

    def relieve(self) -> None:
        """The server is there: end once requests in progress are answered."""
        self._relieved = True
        self._relief.set()
        for scope in self._waiting:
            scope.cancel()

    async def _note_client(self, listening: socket.socket) -> None:
        await anyio.wait_readable(listening)
        self._answered.set()

    async def _readable(self, sock: socket.socket) -> bool:
        """Wait for something to read; False: the server is there."""
        if not self._relieved:
            with anyio.CancelScope() as scope:
                self._waiting.add(scope)
                try:
                    await anyio.wait_readable(sock)
                finally:
                    self._waiting.discard(scope)
        return not self._relieved

    async def _attend(self, connection: socket.socket) -> None:
        if not self._may_ask(connection):
            return
        while await self._readable(connection):
            try:
                head = connection.recv(_LONGEST_HEAD, socket.MSG_PEEK)
            except OSError:
                head = b""
            if not head:
                self._connections.remove(connection)
                connection.close()
                return
            answer = self._answer_to(head)
            if answer is None:
                self._answered.set()
                return
            connection.recv(head.index(b"\r\n\r\n") + 4)
            sent = await _sent(connection, await answer())
            self._answered.set()
            if not sent:
                return

    def _may_ask(self, connection: socket.socket) -> bool:
        return peer_credentials(connection)[1] in self._peers

    def _answer_to(self, head: bytes) -> Callable[[], Awaitable[bytes]] | None:
        head, end, _ = head.partition(b"\r\n\r\n")
        line, _, _ = head.partition(b"\r\n")
        if not end or any(name in head.lower() for name in _NOT_HERE):
            return None
        return self._answers.get(line)

    async def _status(self) -> bytes:
        return _response("application/json; charset=utf-8", json.dumps(await self._source.status()))

    async def _health(self) -> bytes:
        return _response("text/plain; charset=utf-8", "ok\n")


def _response(content_type: str, text: str) -> bytes:
    body = text.encode()
    head = (
        "HTTP/1.1 200 OK",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        "Server: supervisor",
    )
    return "\r\n".join([*head, "", ""]).encode() + body


async def _sent(connection: socket.socket, data: bytes) -> bool:
    """Send all of it; False: the client is gone."""
    try:
        while data:
            try:
                data = data[connection.send(data) :]
            except BlockingIOError:
                await anyio.wait_writable(connection)
    except OSError:
        return False
    return True
