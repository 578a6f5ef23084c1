"""A large answer, which is sent piece by piece: neither copying nor compressing it holds up the event loop."""

from __future__ import annotations

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

LARGE_BYTES = 1 << 20
"""An answer up to this size is sent in one go, and compressed if its client takes that."""
_PIECE_BYTES = 256 << 10


class LargeBody(Payload):
    """Bytes that are sent as fast as the client takes them, and let go afterwards."""

    def __init__(self, data: bytes | bytearray) -> None:
        super().__init__(data)
        self._size = len(data)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The body as text."""
        return bytes(self._value).decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send all of it."""
        with memoryview(self._value) as data:
            for begin in range(0, len(data), _PIECE_BYTES):
                await writer.write(data[begin : begin + _PIECE_BYTES])
        self._value = b""
