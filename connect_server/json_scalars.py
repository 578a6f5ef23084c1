"""Single values of fields in JSON: how each type may be written.

As lenient as protobuf's JSON mapping asks for (a number may be a string, 1e3 a whole number, bytes in either alphabet
of base64), and no more.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from connect_server.connect_errors import InvalidArgument, Path, Violation, quoted

Read = Callable[[Any, Path], Any]
"""The field's value for a JSON value that stands at a path; raises InvalidArgument."""

# json.loads joins pairs of surrogates. One that is left stands alone, and UTF-8 cannot write it.
SURROGATE = re.compile("[\ud800-\udfff]")
WHOLE_NUMBER = re.compile("-?[0-9]{1,20}")

RANGES: dict[int, tuple[int, int]] = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
}

# Messages that JSON writes as a string: {name: (class, what the string must be)}
TEXT_FORMS: dict[str, tuple[type[Duration | Timestamp], str]] = {
    "google.protobuf.Duration": (Duration, "a duration in seconds, such as 600s"),
    "google.protobuf.Timestamp": (Timestamp, "a time such as 2006-01-02T15:04:05Z"),
}

SHOWN_LIMIT = 60


def reader(field: FieldDescriptor) -> Read:
    """How one value of the field is read."""
    if field.message_type:
        return of_text_form(*TEXT_FORMS[field.message_type.full_name])
    if field.enum_type:
        return of_enum(field.enum_type)
    if field.type in RANGES:
        return of_integer(*RANGES[field.type])
    return {
        FieldDescriptor.TYPE_STRING: read_text,
        FieldDescriptor.TYPE_BOOL: read_bool,
        FieldDescriptor.TYPE_BYTES: read_bytes,
    }[field.type]


def read_text(value: Any, path: Path) -> str:
    """A string that can be written as UTF-8."""
    if not isinstance(value, str):
        raise unlike(path, "a string", value)
    if not value.isascii() and SURROGATE.search(value):
        raise refused(path, "must be Unicode; it has half of a surrogate pair")
    return value


def read_bool(value: Any, path: Path) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise unlike(path, "true or false", value)
    return value


def read_bytes(value: Any, path: Path) -> bytes:
    """Base64, with or without the padding at its end."""
    if not isinstance(value, str):
        raise unlike(path, "base64 in a string", value)
    text = value.replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise unlike(path, "base64", value) from error


def of_integer(least: int, most: int) -> Read:
    """A whole number of a type's range, as a number or as its digits in a string."""

    def read(value: Any, path: Path) -> int:
        number = whole(value)
        if number is None:
            raise unlike(path, "a whole number", value)
        if not least <= number <= most:
            raise refused(path, f"must be from {least} to {most}, not {shown(value)}")
        return number

    return read


def whole(value: Any) -> int | None:
    """The whole number that a JSON value stands for, or None."""
    match value:
        case bool():
            return None
        case int():
            return value
        case float():
            return int(value) if value.is_integer() else None
        case str():
            return int(value) if WHOLE_NUMBER.fullmatch(value) else None
        case _:
            return None


def of_enum(enum: EnumDescriptor) -> Read:
    """A value by its name, or by its number. A number that only newer clients know is kept, as protobuf asks."""
    names = {value.name: value.number for value in enum.values}
    example = enum.values[min(1, len(enum.values) - 1)].name
    least, most = RANGES[FieldDescriptor.TYPE_INT32]

    def read(value: Any, path: Path) -> int:
        if isinstance(value, str) and value in names:
            return int(names[value])
        if type(value) is int and least <= value <= most:
            return value
        raise unlike(path, f"a {enum.name}, such as {example}", value)

    return read


def of_text_form(message_class: type[Duration | Timestamp], must: str) -> Read:
    """A message that is written as a string."""

    def read(value: Any, path: Path) -> Duration | Timestamp:
        message = message_class()
        if not isinstance(value, str):
            raise unlike(path, must, value)
        try:
            message.FromJsonString(value)
        except ValueError as error:
            raise unlike(path, must, value) from error
        return message

    return read


def refused(path: Path, problem: str) -> InvalidArgument:
    """The error for a problem at a path."""
    return InvalidArgument((Violation(path, problem),))


def unlike(path: Path, must: str, value: Any) -> InvalidArgument:
    """The error for a value of another type, or one that is written in another way."""
    return refused(path, f"must be {must}, not {shown(value)}")


def shown(value: Any) -> str:
    """A JSON value as part of a message: its kind, and the value if it is short."""
    match value:
        case None:
            return "null"
        case str():
            return f"the string {quoted(value)}"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            text = json.dumps(value)
            return text if len(text) <= SHOWN_LIMIT else f"{text[:SHOWN_LIMIT]}…"
