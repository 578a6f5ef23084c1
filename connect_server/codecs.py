"""Messages as bytes: protobuf's binary form, and its JSON form as `strict_json` reads and writes it.

Unknown fields of the binary form come from newer clients and stay allowed, as protobuf means them.

Large answers are made and encoded in a thread: for one of 1 MB, 0.1 s, the event loop would stand still.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar, cast

import anyio.to_thread
from google.protobuf.message import DecodeError, Message

from connect_server import strict_json
from connect_server.connect_errors import Code, ConnectError, InvalidArgument

_M = TypeVar("_M", bound=Message)

SMALL_BYTES = 32 * 1024
"""An answer up to this size takes a few milliseconds, and is made at once."""


class Encoded:
    """Stands for a message that is encoded already."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class Shared:
    """A message that many streams send: it is encoded once in each form, by the first that sends it."""

    __slots__ = ("_forms", "message")

    def __init__(self, message: Message) -> None:
        self.message = message
        self._forms: dict[str, bytes] = {}

    def form(self, name: str, encode: Callable[[Message], bytes]) -> bytes:
        """The message in the form of this name, which `encode` makes."""
        known = self._forms.get(name)
        if known is None:
            known = self._forms[name] = encode(self.message)
        return known


class _Answered(Protocol):
    """A call, of which only the form of its answer is needed."""

    @property
    def codec(self) -> BinaryCodec | JSONCodec: ...


async def encoded(
    make: Callable[[], _M],
    size_bytes: int,
    call: _Answered,
    run: Callable[[Callable[[], Encoded]], Awaitable[Encoded]] = anyio.to_thread.run_sync,
) -> _M:
    """The message that `make` returns; one of `size_bytes` that would hold up the loop is made and encoded in a thread.

    Args:
        make: must not need the event loop's thread.
        size_bytes: about how large the message is.
        call: says in which form it is answered.
        run: runs a function in a thread.
    """
    if size_bytes <= SMALL_BYTES:
        return make()
    return cast(_M, await run(lambda: Encoded(call.codec.encode(make()))))


class BinaryCodec:
    """Protobuf's binary form."""

    name = "proto"
    """Its name in content types."""

    def encode(self, message: Message | Encoded | Shared) -> bytes:
        """The message as bytes."""
        if isinstance(message, Shared):
            return message.form(self.name, self.encode)
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

    name = "json"
    """Its name in content types."""

    def encode(self, message: Message | Encoded | Shared) -> bytes:
        """The message as bytes."""
        if isinstance(message, Shared):
            return message.form(self.name, self.encode)
        return message.data if isinstance(message, Encoded) else strict_json.encode(message)

    def decode(self, data: bytes | bytearray, message_class: type[_M]) -> _M:
        """The message in the bytes. Raises ConnectError."""
        try:
            return strict_json.decode(data, message_class)
        except InvalidArgument as error:
            raise ConnectError(Code.INVALID_ARGUMENT, str(error)) from error
