"""What a terminal has printed: its last part byte by byte, and the screen that the rest has left."""

from __future__ import annotations

from collections import deque

from supervisor.terminals.emulated_screen import EmulatedScreen
from supervisor.terminals.repaint import replay
from supervisor.terminals.terminal_queries import without_queries

KEPT_BYTES = 2 << 20
"""So much of the last output is kept at least."""
BLOCK_BYTES = 1 << 19
"""Output is dropped in blocks of this size."""


class _Block:
    """Output, and what to send to an empty terminal so that it is as it was before."""

    __slots__ = ("data", "opening")

    def __init__(self, opening: bytes) -> None:
        self.opening = opening
        self.data = bytearray()


class TerminalOutput:
    """The output of one terminal, and its screen.

    Example:
        output = TerminalOutput(80, 24)
        output.feed(os.read(pty, 65536))    # and on to those who are attached, as it is
        output.replay()    # who attaches gets this, then all that is fed from now on
    """

    def __init__(self, cols: int, rows: int) -> None:
        self._screen = EmulatedScreen(cols, rows)
        self._blocks = deque([_Block(b"")])
        self._kept_bytes = 0

    @property
    def cols(self) -> int:
        """Columns of the terminal."""
        return self._screen.cols

    @property
    def rows(self) -> int:
        """Rows of the terminal."""
        return self._screen.rows

    def feed(self, data: bytes) -> None:
        """Take what the terminal has printed, cut anywhere."""
        self._screen.feed(data)
        block = self._blocks[-1]
        block.data += data
        self._kept_bytes += len(data)
        if len(block.data) < BLOCK_BYTES:
            return
        self._blocks.append(_Block(replay(self._screen)))
        while self._kept_bytes - len(self._blocks[0].data) >= KEPT_BYTES:
            self._kept_bytes -= len(self._blocks.popleft().data)

    def resize(self, cols: int, rows: int) -> None:
        """The terminal has another size from now on."""
        self._screen.resize(cols, rows)

    def history(self) -> bytes:
        """All kept output without what a terminal would answer; of older one what shows the screen that it left.

        All that is fed later follows it without loss or doubling.
        """
        data = self._blocks[0].opening + b"".join(block.data for block in self._blocks)
        return without_queries(data, keep_focus=self._wants_focus())

    def replay(self) -> bytes:
        """What makes an empty terminal of this size show what the screen shows now.

        All that is fed later follows it without loss or doubling.
        """
        return replay(self._screen)

    def _wants_focus(self) -> bool:
        self._screen.settle()
        return self._screen.modes.get(1004, False)
