"""Messages as JSON: reads both spellings of a field's name, writes lowerCamelCase, and accepts no near miss.

Reading is done here. protobuf's json_format accepts `[]` and `""` for an empty message, 1.5, true and "2" for an enum,
and a field twice if it is spelt in two ways, and names the place of a mistake only in some cases. Here the error names
the first mistake by its path. The first message of a class compiles its readers; reading takes half the time of
json_format, which does the writing.

Source: https://protobuf.dev/programming-guides/json/
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from connect_server.connect_errors import Path
from connect_server.json_scalars import TEXT_FORMS, reader, refused, shown

M = TypeVar("M", bound=Message)

Put = Callable[[Any, Any, Path], None]
"""Puts the JSON value at a path into a message."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a name in a JSON object means: its field, in one spelling for both, and how the field is read."""

    json_name: str
    oneof: str
    put: Put


def decode(data: bytes | bytearray, message_class: type[M]) -> M:
    """The message in a JSON body. Raises InvalidArgument, which names the place of the first mistake."""
    message = message_class()
    fill(message, loaded(data), ())
    return message


def encode(message: Message) -> bytes:
    """The message's JSON on one line: enums by name, 64-bit numbers as strings, without unset fields."""
    return json.dumps(MessageToDict(message), ensure_ascii=False, separators=(",", ":")).encode()


def loaded(data: bytes | bytearray) -> Any:
    """The value that a body of strict JSON holds. Raises InvalidArgument."""
    try:
        return json.loads(data.decode(), object_pairs_hook=once_each, parse_constant=no_constant)
    except json.JSONDecodeError as error:
        raise refused(
            (), f"the body is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
        ) from error
    except UnicodeDecodeError as error:
        raise refused((), f"the body is not UTF-8 at byte {error.start}") from error
    except RecursionError as error:
        raise refused((), "the body is nested too deeply") from error
    except ValueError as error:
        # Python's own limit on the digits of a number.
        raise refused((), "the body has a number that is too long") from error


def once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object. A name that appears twice is refused: one of the two values would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise refused((next(name for name in found if names.count(name) > 1),), "appears twice")
    return found


def no_constant(name: str) -> Any:
    """Refuse NaN and Infinity, which Python reads and JSON lacks."""
    raise refused((), f"the body is not JSON: {name}")


def fill(message: Message, value: Any, path: Path) -> None:
    """Puts the fields of a JSON object into a message."""
    if not isinstance(value, dict):
        raise refused(path, f"{'' if path else 'the body '}must be an object, not {shown(value)}")
    entries = of_message(message.DESCRIPTOR)
    seen: dict[str, str] = {}
    for name, inner in value.items():
        entry = entries.get(name)
        if entry is None:
            raise refused(
                (*path, name), f"is an unknown field; {message.DESCRIPTOR.full_name} has no such name"
            )
        if inner is None:
            continue
        place = entry.oneof or entry.json_name
        if place in seen:
            raise refused((*path, name), f"cannot be set beside {seen[place]}")
        seen[place] = name
        entry.put(message, inner, (*path, entry.json_name))


@cache
def of_message(message: Descriptor) -> Mapping[str, Entry]:
    """The fields of a message by each spelling of their names."""
    entries = {}
    for field in message.fields:
        oneof = f"oneof {field.containing_oneof.name}" if field.containing_oneof else ""
        entries[field.name] = entries[field.json_name] = Entry(field.json_name, oneof, of_field(field))
    return entries


def of_field(field: FieldDescriptor) -> Put:
    """How a field is read: one value, a list or a map."""
    if field.message_type and field.message_type.GetOptions().map_entry:
        return of_map(field.name, *field.message_type.fields)
    if field.message_type and field.message_type.full_name not in TEXT_FORMS:
        return of_messages(field.name) if field.is_repeated else of_one_message(field.name)
    return of_scalars(field) if field.is_repeated else of_one(field)


def of_one(field: FieldDescriptor) -> Put:
    """A field of one value other than an object."""
    name, read = field.name, reader(field)

    def put(message: Any, value: Any, path: Path) -> None:
        setattr(message, name, read(value, path))

    def put_message(message: Any, value: Any, path: Path) -> None:
        getattr(message, name).CopyFrom(read(value, path))

    return put_message if field.message_type else put


def of_one_message(name: str) -> Put:
    """A field of one message; `{}` sets it too."""

    def put(message: Any, value: Any, path: Path) -> None:
        inner = getattr(message, name)
        inner.SetInParent()
        fill(inner, value, path)

    return put


def of_scalars(field: FieldDescriptor) -> Put:
    """A list of values other than objects."""
    name, read = field.name, reader(field)

    def put(message: Any, value: Any, path: Path) -> None:
        getattr(message, name).extend(
            [read(item, (*path, index)) for index, item in enumerate(listed(value, path))]
        )

    return put


def of_messages(name: str) -> Put:
    """A list of messages."""

    def put(message: Any, value: Any, path: Path) -> None:
        items = getattr(message, name)
        for index, item in enumerate(listed(value, path)):
            fill(items.add(), item, (*path, index))

    return put


def of_map(name: str, key_field: FieldDescriptor, value_field: FieldDescriptor) -> Put:
    """A map. Its keys are strings: maps with other keys are not supported."""
    read_key = reader(key_field)
    read_value = None if value_field.message_type else reader(value_field)

    def put(message: Any, value: Any, path: Path) -> None:
        if not isinstance(value, dict):
            raise refused(path, f"must be an object, not {shown(value)}")
        entries = getattr(message, name)
        for key, inner in value.items():
            inner_path = (*path, key)
            read_key(key, inner_path)
            if read_value is None:
                fill(entries[key], inner, inner_path)
            else:
                entries[key] = read_value(inner, inner_path)

    return put


def listed(value: Any, path: Path) -> list[Any]:
    """The value, which must be a list."""
    if not isinstance(value, list):
        raise refused(path, f"must be a list, not {shown(value)}")
    return value
