"""`dataclass(frozen=True, slots=True)` as in the standard library, at a fraction of its price at import.

The first command waits for 60 such classes. `dataclasses` imports `inspect`, which costs 8 ms, and writes and compiles
six methods for each class, which costs half a millisecond. Here `__init__` is compiled once a class has some
instances, and all classes share the other methods, which are plain functions. For a type checker this is the standard
library's decorator. The functions of `dataclasses` accept these classes: what they look for is made when it is read.
"""

from __future__ import annotations

from operator import attrgetter

from supervisor.lean.typing import TYPE_CHECKING, Any

_UNCOMPILED = 30
"""How many instances of a class are made before its `__init__` is compiled, which takes as long as making 60."""

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from dataclasses import field as field
    from dataclasses import replace as replace
else:

    def dataclass(*, frozen, slots):
        """Make a class a frozen dataclass with slots, the only kind here."""
        assert frozen
        assert slots
        return _frozen

    def field(*, default_factory):
        """A field whose default is made anew for each instance."""
        return _Factory(default_factory)

    def replace(record, /, **changes):
        """A copy of a record with other values in some fields. Raises TypeError if it has no such field."""
        places, values = record._places, list(record._values)
        for name, value in changes.items():
            if name not in places:
                raise TypeError(f"{record.__class__.__name__} has no field {name!r}")
            values[places[name]] = value
        return record.__class__(*values)


def is_frozen(value: object) -> bool:
    """Whether this is a class made here, or an instance of one."""
    return hasattr(value, "_places")


def values_of(value: Any) -> tuple[Any, ...]:
    """The values of the fields of an instance of a class made here, in order."""
    values: tuple[Any, ...] = value._values
    return values


class _Factory:
    """In the class body, a default that a function makes."""

    __slots__ = ("default_factory",)

    def __init__(self, default_factory: Any) -> None:
        self.default_factory = default_factory


class _StandardFields:
    """`__dataclass_fields__`, by which the standard library recognizes a dataclass."""

    def __init__(self, defaults: dict[str, Any]) -> None:
        self._defaults = defaults

    def __get__(self, _instance: Any, owner: Any) -> Any:
        import dataclasses

        fields: list[Any] = []
        for name in owner.__match_args__:
            fields.append((name, owner.__annotations__[name]))
            if name in self._defaults:
                default = self._defaults[name]
                if hasattr(default, "default_factory"):
                    default = dataclasses.field(default_factory=default.default_factory)
                fields[-1] += (default,)
        like: Any = dataclasses.make_dataclass(owner.__name__, fields)
        owner.__dataclass_fields__ = like.__dataclass_fields__
        return like.__dataclass_fields__


def _frozen(cls: type[Any]) -> Any:
    namespace = dict(cls.__dict__)
    names = tuple(cls.__annotations__)
    # With slots, a default cannot stay where the body put it. The class is made anew: slots cannot be added later.
    defaults = {name: namespace.pop(name) for name in names if name in namespace}
    del namespace["__dict__"], namespace["__weakref__"]
    instances = 0

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        nonlocal instances
        instances += 1
        if instances > _UNCOMPILED or not _filled(self, made, defaults, args, kwargs):
            made.__init__ = _written_init(made, defaults)
            made.__init__(self, *args, **kwargs)

    own = {
        "__slots__": names,
        "__match_args__": names,
        "__init__": __init__,
        "__dataclass_fields__": _StandardFields(defaults),
        "_values": property(_values_of(names)),
        "_places": {name: place for place, name in enumerate(names)},
    }
    kind: Any = type(cls)
    made: Any = kind(cls.__name__, cls.__bases__, _SHARED | namespace | own)
    return made


def _filled(self: Any, made: Any, defaults: dict[str, Any], args: Any, kwargs: dict[str, Any]) -> bool:
    """Set all fields; False if the arguments are wrong: the written `__init__` raises the error."""
    given, slots = len(args), made.__dict__
    for name, place in made._places.items():
        set_ = slots[name].__set__  # it knows nothing of our __setattr__
        if place < given:
            set_(self, args[place])
        elif name in kwargs:
            set_(self, kwargs.pop(name))
        elif name not in defaults:
            return False
        elif hasattr(default := defaults[name], "default_factory"):  # of our `field` or of `dataclasses`
            set_(self, default.default_factory())
        else:
            set_(self, default)
    return not kwargs and given <= len(made._places)


def _values_of(names: tuple[str, ...]) -> Any:
    """From an instance to the tuple of its fields' values."""
    if len(names) > 1:
        return attrgetter(*names)
    # One name would give the bare value.
    return lambda self: tuple(getattr(self, name) for name in names)


def _written_init(cls: Any, defaults: dict[str, Any]) -> Any:
    """The `__init__` that the standard library would have written."""
    scope: dict[str, Any] = {"_MISSING": object()}
    parameters, lines = ["self"], ["pass"]
    for name in cls.__match_args__:
        value = name
        scope[f"_set_{name}"] = cls.__dict__[name].__set__
        if name not in defaults:
            parameters.append(name)
        elif hasattr(defaults[name], "default_factory"):
            scope[f"_make_{name}"] = defaults[name].default_factory
            parameters.append(f"{name}=_MISSING")
            value = f"_make_{name}() if {name} is _MISSING else {name}"
        else:
            scope[f"_default_{name}"] = defaults[name]
            parameters.append(f"{name}=_default_{name}")
        lines.append(f"_set_{name}(self, {value})")
    body = "".join(f"    {line}\n" for line in lines)
    exec(f"def __init__({', '.join(parameters)}):\n{body}", scope)
    return scope["__init__"]


def _refuse(self: Any, name: str, *_value: Any) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot change field {name!r}")


def _repr(self: Any) -> str:
    fields = (f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
    return f"{type(self).__qualname__}({', '.join(fields)})"


def _eq(self: Any, other: Any) -> Any:
    return self._values == other._values if other.__class__ is self.__class__ else NotImplemented


def _hash(self: Any) -> int:
    return hash(self._values)


def _reduce(self: Any) -> tuple[Any, ...]:
    return type(self), self._values


_SHARED = {
    "__repr__": _repr,
    "__eq__": _eq,
    "__hash__": _hash,
    "__reduce__": _reduce,
    "__setattr__": _refuse,
    "__delattr__": _refuse,
}
