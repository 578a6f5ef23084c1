"""The names that annotations take from `typing`, without its import, which would be a twentieth of the start.

For a type checker these are the names of `typing` itself; at run time they do nothing. Modules that are not on the way
to the first command import `typing`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any as Any
    from typing import Generic as Generic
    from typing import NewType as NewType
    from typing import NoReturn as NoReturn
    from typing import Protocol as Protocol
    from typing import Self as Self
    from typing import TextIO as TextIO
    from typing import TypeVar as TypeVar
    from typing import assert_never as assert_never
else:
    Any = NoReturn = Self = TextIO = object

    class Protocol:
        """What a class has to have, said to the type checker."""

        __slots__ = ()

    class Generic:
        """A class with parameters, which mean something to the type checker alone."""

        __slots__ = ()

        def __class_getitem__(cls, _parameters):
            return cls

    def TypeVar(_name):
        """A parameter's name."""
        return object

    def NewType(_name, kind):
        """A type of its own to the type checker; at run time the type that it is made of."""
        return kind

    def assert_never(value):
        """Stands where the type checker has shown that nothing comes. Raises AssertionError."""
        raise AssertionError(f"there is no case for {value!r}")
