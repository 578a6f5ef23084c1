"""Records as JSON, and back.

Writing needs no types: a dataclass becomes an object that names its class under `_`, an enum its value, a tuple a list.
Reading follows the annotations, so that unions find their class again. Fields that a row lacks take their default and
fields that the class lacks are passed over: a row written by a neighbouring version can be read.
"""

from __future__ import annotations

import enum
import functools
import json
import types
from collections.abc import Mapping

from supervisor.model.frozen import as_dict, is_frozen
from supervisor.model.hints import Any, TypeVar

T = TypeVar("T")


def to_json(value: object) -> str:
    """`value`, a record or a part of one, as one line of JSON."""
    return _encoder.encode(value)


def plain(value: object) -> Any:
    """One level of what JSON does not know: dataclasses, enums and mappings other than dict."""
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
    hints = _hints(any_kind)
    return kind(**{name: _value(hint, data[name]) for name, hint in hints.items() if name in data})


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    from typing import get_type_hints  # the first command of a new environment does not wait for it

    return get_type_hints(kind)


def _value(hint: Any, data: Any) -> Any:
    from typing import Union, get_args, get_origin

    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _union(arguments, data)
    if origin is tuple:
        return tuple(_value(arguments[0], item) for item in data)
    if origin is Mapping:
        return {key: _value(arguments[1], item) for key, item in data.items()}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(data)
    if is_frozen(hint):
        return from_plain(hint, data)
    return data


def _union(members: tuple[Any, ...], data: Any) -> Any:
    if isinstance(data, dict) and "_" in data:
        kind = next(kind for kind in members if getattr(kind, "__name__", "") == data["_"])
        return from_plain(kind, data)
    return data
