"""Messages as bytes, for connectrpc: protobuf's binary form, and its JSON form as `strict_json` reads and writes it.

connectrpc's own JSON codec accepts unknown fields and an array for an empty message, and writes indented. Unknown
fields of the binary form come from newer clients and stay allowed, as protobuf means them.

Large answers are made and encoded in a thread: for one of 1 MB, 0.1 s, the event loop would stand still.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import anyio.to_thread
from connectrpc.code import Code
from connectrpc.codec import Codec
from connectrpc.errors import ConnectError
from google.protobuf.message import DecodeError, Message

from connect_server import strict_json
from connect_server.connect_errors import InvalidArgument

_M = TypeVar("_M", bound=Message)

SMALL_BYTES = 32 * 1024
"""An answer up to this size takes a few milliseconds, and is made at once."""


class Encoded:
    """Stands for a message that is encoded already."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


async def encoded(
    make: Callable[[], _M],
    size_bytes: int,
    ctx: Any,
    run: Callable[[Callable[[], Encoded]], Awaitable[Encoded]] = anyio.to_thread.run_sync,
) -> _M:
    """The message that `make` returns; one of `size_bytes` that would hold up the loop is made and encoded in a thread.

    Args:
        make: must not need the event loop's thread.
        size_bytes: about how large the message is.
        ctx: the call's context, which says in which form it is answered.
        run: runs a function in a thread.
    """
    if size_bytes <= SMALL_BYTES:
        return make()
    as_json = ctx.request_headers.get("content-type", "").partition(";")[0].strip().lower().endswith("json")

    def work() -> Encoded:
        message = make()
        return Encoded(strict_json.encode(message) if as_json else message.SerializeToString())

    return cast(_M, await run(work))


class BinaryCodec:
    """Protobuf's binary form."""

    def name(self) -> str:
        """Its name in content types."""
        return "proto"

    def encode(self, message: Message | Encoded) -> bytes:
        """The message as bytes."""
        return message.data if isinstance(message, Encoded) else message.SerializeToString()

    def decode(self, data: bytes | bytearray, message_class: type[_M]) -> _M:
        """The message in the bytes. Raises ConnectError."""
        try:
            return message_class.FromString(bytes(data))
        except DecodeError as error:
            name = message_class.DESCRIPTOR.full_name
            text = f"cannot accept the request: the body is truncated, or is not a {name}"
            raise ConnectError(Code.INVALID_ARGUMENT, text) from error


class JSONCodec:
    """Protobuf's JSON form."""

    def name(self) -> str:
        """Its name in content types."""
        return "json"

    def encode(self, message: Message | Encoded) -> bytes:
        """The message as bytes."""
        return message.data if isinstance(message, Encoded) else strict_json.encode(message)

    def decode(self, data: bytes | bytearray, message_class: type[_M]) -> _M:
        """The message in the bytes. Raises ConnectError."""
        try:
            return strict_json.decode(data, message_class)
        except InvalidArgument as error:
            raise ConnectError(Code.INVALID_ARGUMENT, str(error)) from error


def codecs() -> list[Codec[Any, Any]]:
    """The forms that every service reads and writes."""
    return [BinaryCodec(), JSONCodec()]
