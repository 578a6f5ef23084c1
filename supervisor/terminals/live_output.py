"""What a terminal has printed and some reader has not yet been sent."""

from __future__ import annotations

from supervisor.terminals.holder_protocol import DATA_BYTES

MOST_BEHIND_BYTES = 4 << 20
"""A reader that is further behind is ended. It bounds what a terminal's readers cost, however many there are."""


class LiveOutput:
    """The last bytes of a stream, each known by its offset."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._start = 0
        """The offset of the first byte that is kept."""

    @property
    def end(self) -> int:
        """The offset of the byte that comes next."""
        return self._start + len(self._kept)

    def add(self, data: bytes) -> None:
        """This was printed."""
        self._kept += data

    def from_(self, offset: int) -> bytes | None:
        """At most a frame of what begins there; empty: nothing yet; None: it is not kept any more."""
        if offset < self._start:
            return None
        at = offset - self._start
        with memoryview(self._kept) as view:
            return bytes(view[at : at + DATA_BYTES])

    def drop_before(self, offset: int) -> None:
        """Nobody needs what is before `offset`; nor may more be kept than the most that a reader can be behind."""
        excess = min(max(offset - self._start, len(self._kept) - MOST_BEHIND_BYTES), len(self._kept))
        if excess > 0:
            del self._kept[:excess]
            self._start += excess
