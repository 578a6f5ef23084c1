"""`dataclass(frozen=True, slots=True)` as in the standard library, at a tenth of its price at import.

The standard library writes and compiles six methods for each class when the class is made. That is half a millisecond,
and the first command waits for 60 classes. Here `__init__` is compiled when the first instance is made, and the other
methods are plain functions that all classes share. `dataclasses.fields`, `replace` and the like work as ever, and to a
type checker this is the standard library's decorator.
"""

from __future__ import annotations

import dataclasses
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen, slots):
        """Make a class a frozen dataclass with slots; there is no other kind."""
        assert frozen
        assert slots
        return _frozen


def _frozen(cls: type[Any]) -> Any:
    # The fields, the slots and __match_args__, and none of the methods.
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    made._values = property(_values_of(dataclasses.fields(made)))
    made.__setattr__ = made.__delattr__ = _refuse
    for name, method in _SHARED.items():
        if name not in cls.__dict__:
            setattr(made, name, method)

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        made.__init__ = _written_init(made)
        made.__init__(self, *args, **kwargs)

    made.__init__ = __init__
    return made


def _values_of(fields: tuple[dataclasses.Field[Any], ...]) -> Any:
    """From an instance to the tuple of its fields' values."""
    names = [field.name for field in fields]
    if len(names) > 1:
        return attrgetter(*names)
    # One name would give the bare value.
    return lambda self: tuple(getattr(self, name) for name in names)


def _written_init(cls: Any) -> Any:
    """The `__init__` that the standard library would have written."""
    scope: dict[str, Any] = {"_MISSING": dataclasses.MISSING}
    parameters, lines = ["self"], ["pass"]
    for field in dataclasses.fields(cls):
        name, value = field.name, field.name
        # A slot's own __set__ knows nothing of our __setattr__.
        scope[f"_set_{name}"] = cls.__dict__[name].__set__
        if field.default is not dataclasses.MISSING:
            scope[f"_default_{name}"] = field.default
            parameters.append(f"{name}=_default_{name}")
        elif field.default_factory is not dataclasses.MISSING:
            scope[f"_make_{name}"] = field.default_factory
            parameters.append(f"{name}=_MISSING")
            value = f"_make_{name}() if {name} is _MISSING else {name}"
        else:
            parameters.append(name)
        lines.append(f"_set_{name}(self, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    body = "".join(f"    {line}\n" for line in lines)
    exec(f"def __init__({', '.join(parameters)}):\n{body}", scope)
    return scope["__init__"]


def _refuse(self: Any, name: str, *_value: Any) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot change field {name!r}")


def _repr(self: Any) -> str:
    fields = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self))
    return f"{type(self).__qualname__}({', '.join(fields)})"


def _eq(self: Any, other: Any) -> Any:
    return self._values == other._values if other.__class__ is self.__class__ else NotImplemented


def _hash(self: Any) -> int:
    return hash(self._values)


def _reduce(self: Any) -> tuple[Any, ...]:
    return type(self), self._values


_SHARED = {"__repr__": _repr, "__eq__": _eq, "__hash__": _hash, "__reduce__": _reduce}
