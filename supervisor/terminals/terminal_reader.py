"""One reader of a terminal: it has a position of its own, and waits for nobody."""

from __future__ import annotations

from supervisor.lean.typing import TYPE_CHECKING
from supervisor.terminals.holder_protocol import DATA_BYTES

if TYPE_CHECKING:
    from supervisor.terminals.held_terminal import HeldTerminal
    from supervisor.terminals.holder_connection import HolderConnection


class TerminalReader:
    """Gives its connection the next frame whenever that has sent the one before."""

    def __init__(self, terminal: HeldTerminal, first: bytes = b"") -> None:
        """`first`: what comes before the live output, which begins now."""
        self._terminal = terminal
        self._first = memoryview(first)
        self.offset = terminal.live.end
        """Of the next byte that it gets."""

    def fill(self, connection: HolderConnection) -> None:
        """Add the next frame to what the connection sends, if there is one."""
        if self._first:
            connection.send({"data": True}, bytes(self._first[:DATA_BYTES]))
            self._first = self._first[DATA_BYTES:]
            return
        terminal = self._terminal
        data = terminal.live.from_(self.offset)
        if data is None:
            connection.send({"behind": True})
        elif data:
            self.offset += len(data)
            connection.send({"data": True}, data)
            return
        elif terminal.is_drained:
            connection.send({"draining": True})
        elif terminal.exit_code is not None:
            connection.send({"exited": terminal.exit_code})
        else:
            return
        connection.finish()
