"""Messages as bytes, for connectrpc: protobuf's binary form, and its JSON form as `wirejson` reads and writes it.

connectrpc's own JSON codec takes fields that it does not know and an array for an empty message, and writes indented.
Unknown fields of the binary form are newer clients' and stay allowed, as protobuf means them.
"""

from __future__ import annotations

from typing import Any, TypeVar

from connectrpc.code import Code
from connectrpc.codec import Codec
from connectrpc.errors import ConnectError
from google.protobuf.message import DecodeError, Message

from supervisor.api.connect import strict_json
from supervisor.api.connect.request_errors import InvalidArgument
from supervisor.api.platform.large_answers import Encoded

_M = TypeVar("_M", bound=Message)


class BinaryCodec:
    """Protobuf's binary form."""

    def name(self) -> str:
        return "proto"

    def encode(self, message: Message | Encoded) -> bytes:
        return message.data if isinstance(message, Encoded) else message.SerializeToString()

    def decode(self, data: bytes | bytearray, message_class: type[_M]) -> _M:
        try:
            return message_class.FromString(bytes(data))
        except DecodeError as error:
            name = message_class.DESCRIPTOR.full_name
            raise ConnectError(
                Code.INVALID_ARGUMENT, f"cannot accept the request: the body is truncated, or is no {name}"
            ) from error


class JSONCodec:
    """Protobuf's JSON form."""

    def name(self) -> str:
        return "json"

    def encode(self, message: Message | Encoded) -> bytes:
        return message.data if isinstance(message, Encoded) else strict_json.encode(message)

    def decode(self, data: bytes | bytearray, message_class: type[_M]) -> _M:
        try:
            return strict_json.decode(data, message_class)
        except InvalidArgument as error:
            raise ConnectError(Code.INVALID_ARGUMENT, str(error)) from error


def codecs() -> list[Codec[Any, Any]]:
    """What every service reads and writes."""
    return [BinaryCodec(), JSONCodec()]
