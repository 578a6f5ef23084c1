"""Records as JSON; `record_reader` makes records of it again.

Writing needs no types: a record becomes an object that names its class under `_`, an enum its value, a tuple a list.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring_ascii as _string

from supervisor.lean.frozen import is_frozen, values_of
from supervisor.lean.typing import Any
from supervisor.model.spec import ServiceItem, ServiceSpec, TaskItem, TaskSpec


def to_json(value: object) -> str:
    """A record or a part of one, as one line of JSON: what `json.dumps` would write of it, in a third of the time.

    Each class of records has a writer of its own, made when one is first written: the names of its fields are text
    then, and nothing is copied into a dictionary. Raises TypeError for what is a part of no record.
    """
    return _writer(value.__class__)(value)


_Writer = Callable[[Any], str]


def _writer(kind: type[Any]) -> _Writer:
    return _writers.get(kind) or _writers.setdefault(kind, _writer_of(kind))


def _writer_of(kind: type[Any]) -> _Writer:
    if is_frozen(kind):
        return _record_writer(kind)
    if issubclass(kind, enum.Enum):
        return lambda value: to_json(value.value)
    if issubclass(kind, Mapping):
        return _mapping
    raise TypeError(f"cannot write {kind.__name__} as JSON: it is not a part of any record")


def _record_writer(kind: type[Any]) -> _Writer:
    return record_writer(kind, {})


def record_writer(kind: type[Any], shown: Mapping[str, Callable[[Any], str] | None]) -> _Writer:
    """Writes the records of a class. Of a part that is written again, such as a spec, the text is remembered.

    `shown`: `{name: how}` the value of a field is written as another text, or what is added; None: it is left out.
    """
    names = kind.__match_args__
    fields = [(f",{_string(name)}:", place) for place, name in enumerate(names) if name not in shown]
    others = [(f",{_string(name)}:", how) for name, how in shown.items() if how is not None]
    begin = f'{{"_":{_string(kind.__name__)}'
    writers, parts = _writers, _parts

    def write(record: Any) -> str:
        pieces = [begin]
        values = values_of(record)
        for name, place in fields:
            pieces.append(name)
            value = values[place]
            cls = value.__class__
            if cls in parts:
                known = _texts.get(id(value))
                pieces.append(known[1] if known and known[0] is value else _remembered(value))
            else:
                pieces.append((writers.get(cls) or _writer(cls))(value))
        for name, how in others:
            pieces += (name, _string(how(record)))
        pieces.append("}")
        return "".join(pieces)

    return write


_MOST_TEXTS = 16_384
_texts: dict[int, tuple[object, str]] = {}
"""`{id of a part: (the part, its text)}`: records are replaced all the time, their specs and items are not."""
_parts = frozenset[type[Any]]((ServiceItem, ServiceSpec, TaskItem, TaskSpec))
"""The classes of which that is true."""


def _remembered(value: object) -> str:
    text = to_json(value)
    if len(_texts) >= _MOST_TEXTS:
        _texts.clear()
    _texts[id(value)] = value, text
    return text


def _sequence(values: tuple[Any, ...] | list[Any]) -> str:
    return f"[{','.join([_writer(value.__class__)(value) for value in values])}]" if values else "[]"


def _mapping(values: Mapping[str, Any]) -> str:
    pairs = [f"{_string(name)}:{_writer(value.__class__)(value)}" for name, value in values.items()]
    return f"{{{','.join(pairs)}}}"


def _number(value: float) -> str:
    if value - value == 0.0:
        return float.__repr__(value)
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


_writers: dict[type[Any], _Writer] = {
    str: _string,
    int: int.__repr__,
    float: _number,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _: "null",
    tuple: _sequence,
    list: _sequence,
    dict: _mapping,
}
