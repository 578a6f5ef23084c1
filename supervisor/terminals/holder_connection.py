"""One connection to the holder: a request comes, and an answer goes, or output from then on."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable

from supervisor.lean.typing import TYPE_CHECKING
from supervisor.terminals.holder_protocol import BrokenFrames, Frames, Head, encode_frame
from supervisor.terminals.poller import READABLE, WRITABLE, Poller

if TYPE_CHECKING:
    from supervisor.terminals.terminal_reader import TerminalReader

_READ = 1 << 18


class HolderConnection:
    """A supervisor's end, as the holder sees it. What the peer does not take yet is kept, and sent later."""

    def __init__(
        self,
        sock: socket.socket,
        poller: Poller,
        take: Callable[[HolderConnection, Head, bytes], None],
        on_end: Callable[[HolderConnection], None],
    ) -> None:
        """`take`: is called with the request; `on_end`: when the connection is closed, by whomever."""
        sock.setblocking(False)
        self._socket: socket.socket | None = sock
        self._poller = poller
        self._take = take
        self._on_end = on_end
        self._frames = Frames()
        self._is_asked = False
        self._unsent: deque[memoryview] = deque()
        self._closes = False
        self.reader: TerminalReader | None = None
        """What it reads; None: nothing."""
        self.stays = False
        """Whether it is left open after the answer, until this process ends: by that its end is seen."""
        self.is_leaving = False
        """Whether one that stays waits for nothing but that end."""
        poller.watch(sock.fileno(), READABLE, self._happened)

    @property
    def is_open(self) -> bool:
        """Whether something can still be sent."""
        return self._socket is not None

    def send(self, head: Head, body: bytes = b"") -> None:
        """Send a frame, now or as the peer reads on."""
        self._unsent.append(memoryview(encode_frame(head, body)))

    def answer(self, head: Head) -> None:
        """Send the one answer, and close unless the connection stays."""
        self.send(head)
        if not self.stays:
            self._closes = True
        self.pump()

    def finish(self) -> None:
        """Close once everything is sent."""
        self._closes = True

    def pump(self) -> None:
        """Send what the peer takes now."""
        sock = self._socket
        if sock is None:
            return
        try:
            while self._has_more():
                first = self._unsent[0]
                sent = sock.send(first)
                if sent < len(first):
                    self._unsent[0] = first[sent:]
                else:
                    self._unsent.popleft()
        except BlockingIOError:
            self._poller.watch(sock.fileno(), READABLE | WRITABLE, self._happened)
            return
        except OSError:
            self.close()
            return
        if self._closes:
            self.close()
        else:
            self._poller.watch(sock.fileno(), READABLE, self._happened)

    def close(self) -> None:
        """Close it now. Without effect if it is closed."""
        if self._socket is None:
            return
        self._poller.forget(self._socket.fileno())
        self._socket.close()
        self._socket = None
        self._unsent.clear()
        self._on_end(self)

    def _has_more(self) -> bool:
        if not self._unsent and self.reader is not None and not self._closes:
            self.reader.fill(self)
        return bool(self._unsent)

    def receive(self) -> None:
        """Take what has come: the request, or the end."""
        sock = self._socket
        try:
            while sock is not None and self._socket is not None:
                data = sock.recv(_READ)
                if not data and self.stays:
                    self._poller.forget(sock.fileno())
                    self.is_leaving = True
                    return
                if not data:
                    self.close()
                    return
                if self._is_asked:
                    continue  # nothing else is to come
                self._frames.feed(data)
                if (request := self._frames.take()) is not None:
                    self._is_asked = True
                    self._take(self, *request)
        except BlockingIOError:
            pass
        except (OSError, BrokenFrames):
            self.close()

    def _happened(self, bits: int) -> None:
        if bits & ~WRITABLE:
            self.receive()
        if bits & WRITABLE:
            self.pump()
