"""Messages as bytes: protobuf's binary form, and its JSON form read strictly and written on one line.

connectrpc's own JSON codec takes fields that it does not know, an array for an empty message, and writes indented. Here
an unknown field is refused by its path, so that a misspelt one is not silently without effect; unknown fields of the
binary form are newer clients' and stay allowed, as protobuf means them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from connectrpc.code import Code
from connectrpc.codec import Codec
from connectrpc.errors import ConnectError
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import DecodeError, Message

_M = TypeVar("_M", bound=Message)

_SHOWN = 200


class BinaryCodec:
    """Protobuf's binary form."""

    def name(self) -> str:
        return "proto"

    def encode(self, message: Message) -> bytes:
        return message.SerializeToString()

    def decode(self, data: bytes | bytearray, message_class: type[_M]) -> _M:
        try:
            return message_class.FromString(bytes(data))
        except DecodeError as error:
            raise _unreadable(message_class, "the body is truncated, or no protobuf") from error


class JSONCodec:
    """Protobuf's JSON form. Source: https://protobuf.dev/programming-guides/json/."""

    def name(self) -> str:
        return "json"

    def encode(self, message: Message) -> bytes:
        return json.dumps(MessageToDict(message), ensure_ascii=False, separators=(",", ":")).encode()

    def decode(self, data: bytes | bytearray, message_class: type[_M]) -> _M:
        value = _parsed(data, message_class)
        message = message_class()
        try:
            ParseDict(value, message)
        except ParseError as error:
            unknown = next(_unknown(value, message_class.DESCRIPTOR, ""), None)
            why = f"unknown field {unknown}" if unknown else _shown(str(error))
            raise _unreadable(message_class, why) from error
        except (ValueError, TypeError, RecursionError) as error:
            raise _unreadable(message_class, _shown(str(error))) from error
        return message


def codecs() -> list[Codec[Any, Any]]:
    """What every service reads and writes."""
    return [BinaryCodec(), JSONCodec()]


def _parsed(data: bytes | bytearray, message_class: type[Message]) -> dict[str, Any]:
    try:
        value = json.loads(bytes(data).decode(), object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        why = f"no JSON, at {where}: {error.msg}" if data.strip() else "it is empty; the smallest is {}"
        raise _unreadable(message_class, why) from error
    except UnicodeDecodeError as error:
        raise _unreadable(message_class, f"no UTF-8, at byte {error.start}") from error
    except RecursionError as error:
        raise _unreadable(message_class, "it is nested too deeply") from error
    except ValueError as error:
        raise _unreadable(message_class, _shown(str(error))) from error
    if not isinstance(value, dict):
        raise _unreadable(message_class, "it must be an object, {...}")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"field {_shown(twice)} stands there twice")
    return found


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _unknown(value: Any, kind: Any, path: str) -> Iterator[str]:
    """Paths of fields that a message does not have. `kind`: its Descriptor, of which there are two classes."""
    # Those of google.protobuf have JSON forms of their own; some of them hold whatever one likes.
    if not isinstance(value, dict) or kind.full_name.startswith("google.protobuf."):
        return
    fields: dict[str, Any] = {}
    for field in kind.fields:
        fields[field.name] = fields[field.json_name] = field
    for name, inner in value.items():
        field_path = f"{path}.{name}" if path else name
        if name not in fields:
            yield _shown(field_path)
        elif (inner_kind := fields[name].message_type) is not None:
            yield from _unknown_inside(inner, inner_kind, field_path)


def _unknown_inside(value: Any, kind: Any, path: str) -> Iterator[str]:
    if kind.GetOptions().map_entry:
        of_values = kind.fields_by_name["value"].message_type
        if of_values is not None and isinstance(value, Mapping):
            for key, inner in value.items():
                yield from _unknown(inner, of_values, f"{path}[{key!r}]")
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _unknown(inner, kind, f"{path}[{at}]")
    else:
        yield from _unknown(value, kind, path)


def _unreadable(message_class: type[Message], why: str) -> ConnectError:
    return ConnectError(
        Code.INVALID_ARGUMENT, f"cannot read the body as {message_class.DESCRIPTOR.full_name}: {why}"
    )


def _shown(text: str) -> str:
    """On one line, of bounded length."""
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."
