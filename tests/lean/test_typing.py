"""Names that mean something to the type checker alone, and to nobody else do no harm."""

import subprocess
import sys
import typing

import pytest

from supervisor.lean import typing as lean_typing

WITHOUT_TYPING = """
import sys
from supervisor.lean.typing import Any, Generic, Protocol, TypeVar
T = TypeVar("T")
class Box(Generic[T]):
    def __init__(self, value: T) -> None:
        self.value = value
class Reads(Protocol):
    def read(self) -> Any: ...
class File(Reads):
    def read(self) -> Any:
        return Box[int](3).value
assert File().read() == 3
assert "typing" not in sys.modules
"""


def test_classes_are_made_with_them_and_without_typing() -> None:
    subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[0:0] = {sys.path}\n{WITHOUT_TYPING}"],
        check=True,
    )


def test_a_case_that_nobody_thought_of_is_an_error() -> None:
    never: typing.Never = "surprise"  # type: ignore[assignment]
    with pytest.raises(AssertionError, match="surprise"):
        lean_typing.assert_never(never)
