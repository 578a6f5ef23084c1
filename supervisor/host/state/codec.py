"""Records as JSON, and back.

Writing needs no types: a dataclass becomes an object that names its class under `_`, an enum its value, a tuple a list.
Reading follows the annotations, so that a union finds its class again. A field that a row lacks takes its default, and
a field that the class lacks is ignored: a row that a neighbouring version wrote can be read.
"""

from __future__ import annotations

import enum
import functools
import json
import types
from collections.abc import Callable, Mapping

from supervisor.lean.frozen import as_dict, is_frozen
from supervisor.lean.typing import Any, TypeVar

T = TypeVar("T")


def to_json(value: object) -> str:
    """A record or a part of one, as one line of JSON."""
    return _encoder.encode(value)


def plain(value: object) -> Any:
    """A dataclass, an enum or a mapping as something that JSON knows; one level of it."""
    if is_frozen(value):
        return {"_": type(value).__name__} | as_dict(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"cannot write {type(value).__name__} as JSON: it is not a part of any record")


_encoder = json.JSONEncoder(default=plain, separators=(",", ":"))


def from_plain(kind: type[T], data: Mapping[str, Any]) -> T:
    """The dataclass `kind` from what `to_json` wrote of it. Raises ValueError, KeyError or TypeError on other data."""
    any_kind: Any = kind
    return kind(**{name: read(data[name]) for name, read in _readers(any_kind) if name in data})


def read_as(kind: Any, data: Any) -> Any:
    """A value of the type `kind`, as annotations write it, from what `to_json` wrote. Raises as `from_plain` does."""
    return _reader(kind)(data)


_Reader = Callable[[Any], Any]


@functools.cache
def _readers(kind: Any) -> tuple[tuple[str, _Reader], ...]:
    """For each field its name, and the function that makes its value from JSON."""
    from typing import get_type_hints  # late: the first command of a new environment does not wait for it

    return tuple((name, _reader(hint)) for name, hint in get_type_hints(kind).items())


def _reader(hint: Any) -> _Reader:
    from typing import Union, get_args, get_origin

    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _union_reader(arguments)
    if origin is tuple:
        item = _reader(arguments[0])
        return lambda data: tuple(map(item, data))
    if origin is Mapping:
        value = _reader(arguments[1])
        return lambda data: {key: value(item) for key, item in data.items()}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint
    if is_frozen(hint):
        return functools.partial(from_plain, hint)
    return _as_it_is


def _union_reader(members: tuple[Any, ...]) -> _Reader:
    """For one of several classes, which the object names; a value that names none stays as it is."""
    named = {member.__name__: member for member in members if is_frozen(member)}

    def read(data: Any) -> Any:
        if isinstance(data, dict) and "_" in data:
            return from_plain(named[data["_"]], data)
        return data

    return read if named else _as_it_is


def _as_it_is(data: Any) -> Any:
    return data
