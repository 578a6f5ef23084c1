"""A response that is read as it arrives, without waiting, so that one thread follows many logs and the events.

http.client reads the head; from there on the socket is ours, since its reader cannot tell "nothing yet" from the end.
The body must come in chunks: a stream that broke off lacks the last one.
"""

from __future__ import annotations

import socket
from http.client import HTTPResponse

from supervisor.cli.remote.responses import READ_BYTES, ConnectionLost, not_a_supervisor


class LiveResponse:
    """The body of a response. Close it at the end."""

    def __init__(self, response: HTTPResponse, connected: socket.socket) -> None:
        """Take the socket over from a response whose head has been read."""
        self.headers = response.headers
        self.ended = False
        """Whether all of it has been read."""
        if not response.chunked:
            raise not_a_supervisor()  # what follows has no end that could be seen
        connected.setblocking(False)
        self._raw = bytearray(response.fp.peek())  # what came with the head
        self._left = 0
        """Of the chunk that has begun, with the line end after it."""
        self._socket = socket.socket(fileno=connected.detach())

    def fileno(self) -> int:
        """For poll()."""
        return self._socket.fileno()

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def read(self) -> bytes:
        """What has arrived since; empty: nothing yet, or `ended`. Raises ConnectionLost."""
        data = self._decoded()
        if data or self.ended:
            return data
        try:
            received = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError:
            raise ConnectionLost from None
        if not received:
            raise ConnectionLost
        self._raw += received
        return self._decoded()

    def _decoded(self) -> bytes:
        """The data of the chunks that are here, as far as they are."""
        data = bytearray()
        raw = self._raw
        while not self.ended:
            if self._left:
                before = self._left
                part = raw[:before]
                del raw[: len(part)]
                self._left -= len(part)
                of_line_end = min(before, 2) - min(self._left, 2)
                data += part[: len(part) - of_line_end]
                if self._left:
                    break
            end = raw.find(b"\r\n")
            if end < 0:
                break
            size = _size(raw[:end])
            del raw[: end + 2]
            self.ended = size == 0
            self._left = size + 2 if size else 0
        return bytes(data)


def _size(line: bytearray) -> int:
    try:
        return int(line.partition(b";")[0], 16)
    except ValueError:
        raise not_a_supervisor() from None
