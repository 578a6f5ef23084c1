"""The body of a request: bounded in size and time, also once it is unpacked."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress

import anyio.to_thread
from aiohttp import web

from connect_server.connect_errors import Code, ConnectError, quoted

LIMIT_BYTES = 4 * 1024 * 1024
STILL_S = 30.0
"""How long a body may stand still."""
_PIECE_BYTES = 256 * 1024
"""Of what is unpacked bit by bit: so much is held at once."""
_GZIP = 16 + zlib.MAX_WBITS
"""Of zlib: a gzip header and trailer around the data."""


async def read_body(request: web.Request, limit_bytes: int, still_s: float) -> bytes:
    """The whole body, as it was sent. Raises what `pieces` does."""
    return b"".join([piece async for piece in pieces(request, limit_bytes, still_s)])


async def pieces(request: web.Request, limit_bytes: int, still_s: float) -> AsyncIterator[bytes]:
    """The body as it comes. Raises ConnectError if it is too large, stands still for so long, or is broken.

    What is too large is read to its end first: a client that sends everything before it reads would see a broken
    connection in place of the error.
    """
    if (request.content_length or 0) > limit_bytes:
        await discard(request, still_s)
        raise _too_large(limit_bytes)
    size = 0
    while piece := await _next_piece(request, still_s):
        size += len(piece)
        if size > limit_bytes:
            await discard(request, still_s)
            raise _too_large(limit_bytes)
        yield piece


async def discard(request: web.Request, still_s: float) -> None:
    """Read what is left of a body, as far as it comes."""
    with suppress(ConnectError):
        while await _next_piece(request, still_s):
            pass


async def _next_piece(request: web.Request, still_s: float) -> bytes:
    try:
        async with asyncio.timeout(still_s):
            return await request.content.readany()
    except TimeoutError:
        raise ConnectError(
            Code.DEADLINE_EXCEEDED, f"nothing more of the body has come for {still_s:g} seconds"
        ) from None
    except web.RequestPayloadError as error:
        raise ConnectError(Code.INVALID_ARGUMENT, f"cannot read the body: {error}") from error


def unpacked(data: bytes, encoding: str, limit_bytes: int = LIMIT_BYTES) -> bytes:
    """A body or message without its compression. Raises ConnectError.

    Args:
        data: as it was sent.
        encoding: the name of its compression, as a header gives it; empty: none.
        limit_bytes: what it may have in the end; hardly more than that is ever unpacked.
    """
    if encoding in ("", "identity"):
        return data
    _check_gzip(encoding)
    unpacker = zlib.decompressobj(_GZIP)
    try:
        unpacked_data = unpacker.decompress(data, limit_bytes + 1)
    except zlib.error as error:
        raise _not_gzip(str(error)) from error
    if len(unpacked_data) > limit_bytes:
        raise _too_large(limit_bytes)
    _check_end(unpacker.eof, unpacker.unused_data)
    return unpacked_data


async def unpacked_pieces(
    packed: AsyncIterator[bytes], encoding: str, limit_bytes: int
) -> AsyncIterator[bytes]:
    """What `unpacked` gives, bit by bit: a small body that becomes a large one is never held. Raises ConnectError."""
    _check_gzip(encoding)
    unpacker = zlib.decompressobj(_GZIP)
    size = 0
    async for data in packed:
        if unpacker.eof:
            _check_end(True, data)
        goes_on = True
        while goes_on:
            try:
                piece = await anyio.to_thread.run_sync(unpacker.decompress, data, _PIECE_BYTES)
            except zlib.error as error:
                raise _not_gzip(str(error)) from error
            size += len(piece)
            if size > limit_bytes:
                raise _too_large(limit_bytes)
            if piece:
                yield piece
            data = unpacker.unconsumed_tail
            goes_on = not unpacker.eof and (bool(data) or len(piece) == _PIECE_BYTES)
    _check_end(unpacker.eof, unpacker.unused_data)


def _check_gzip(encoding: str) -> None:
    if encoding != "gzip":
        why = f"cannot unpack {quoted(encoding)}: gzip is the only compression here"
        raise ConnectError(Code.UNIMPLEMENTED, why)


def _check_end(has_ended: bool, behind: bytes) -> None:
    if not has_ended or behind:
        raise _not_gzip("it goes on behind its end" if has_ended else "it is cut off")


def _not_gzip(why: str) -> ConnectError:
    return ConnectError(Code.INVALID_ARGUMENT, f"the body is not gzip: {why}")


def _too_large(limit_bytes: int) -> ConnectError:
    return ConnectError(Code.RESOURCE_EXHAUSTED, f"the body is larger than {limit_bytes} bytes")
