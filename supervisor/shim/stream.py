"""Messages over a stream socket: JSON objects, each after its length in four bytes.

What the objects mean is `protocol`'s. Standard library only.
"""

from __future__ import annotations

import json
import socket
import struct

from supervisor.lean.typing import Any

Message = dict[str, Any]
_LENGTH = struct.Struct("!I")
_LONGEST = 64 << 20


class Stream:
    """Messages over a stream socket. Nothing here blocks: what the peer does not take yet is kept."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.socket = sock
        self.ended = False
        """Whether all has been received that will ever come."""
        self.broken = False
        """Whether a send has failed: the peer is gone. What it sent before may still be here to be received."""
        self.unsent = bytearray()
        self._received = bytearray()

    def send(self, message: Message) -> None:
        """Send now, or with a later flush. Text that was not UTF-8 survives: JSON escapes lone surrogates."""
        data = json.dumps(message).encode("ascii")
        self.unsent += _LENGTH.pack(len(data)) + data
        self.flush()

    def flush(self) -> None:
        """Send what is unsent, as far as the peer takes it."""
        try:
            while self.unsent:
                del self.unsent[: self.socket.send(self.unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self.broken = True
            self.unsent.clear()

    def receive(self) -> list[Message]:
        """Every message that has arrived whole, in order; afterwards `ended` says whether more can come."""
        try:
            while not self.ended:
                data = self.socket.recv(1 << 18)
                self.ended = not data
                self._received += data
        except BlockingIOError:
            pass
        except OSError:
            self.ended = True
        messages = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    def _next(self) -> Message | None:
        if len(self._received) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._received)
        end = _LENGTH.size + length
        if length > _LONGEST:
            self.ended = True
        if length > _LONGEST or len(self._received) < end:
            return None
        data = bytes(self._received[_LENGTH.size : end])
        del self._received[:end]
        try:
            message = json.loads(data)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):  # the peer is not a shim or supervisor: trust nothing that follows
            self.ended = True
            return None
        return message
