"""Sequences that share their beginnings.

The plans of the tasks of a chain begin alike: those of 3,000 tasks, each in a tuple of its own, would have 4.5 million
entries. A `SharedSequence` is its last item and the sequence below that, so what is common exists once.
"""

from __future__ import annotations

from collections.abc import Iterator

from supervisor.lean.typing import Any, Generic, TypeVar

T = TypeVar("T")
_NEAR = 8
"""An item so near to the end is found by walking; for another one all items are put into a tuple, once."""


class SharedSequence(Generic[T]):
    """An immutable sequence. Equal ids mean equal items: the caller of `grown` gives an id that ensures it."""

    __slots__ = ("_items", "below", "id", "last", "size")

    below: SharedSequence[T]
    """All items but the last; the empty sequence itself, if it is empty."""
    last: T
    id: str
    size: int

    def __init__(self) -> None:
        """The empty sequence; all others grow from it."""
        self.below, self.id, self.size = self, "", 0
        self._items: tuple[T, ...] | None = None

    def grown(self, item: T, id_: str) -> SharedSequence[T]:
        """This sequence and one more item."""
        grown: SharedSequence[T] = SharedSequence()
        grown.below, grown.last, grown.id, grown.size = self, item, id_, self.size + 1
        return grown

    def cut(self, size: int) -> SharedSequence[T]:
        """The first `size` items, or all if there are fewer."""
        found = self
        while found.size > size:
            found = found.below
        return found

    def down_to(self, size: int) -> Iterator[SharedSequence[T]]:
        """This and each sequence below it that has more than `size` items, the longest first."""
        found = self
        while found.size > size:
            yield found
            found = found.below

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[T]:
        return iter(self._items if self._items is not None else self._as_tuple())

    def __getitem__(self, index: int) -> T:
        if not 0 <= index < self.size:
            raise IndexError(index)
        if self._items is None and self.size - index > _NEAR:
            self._items = self._as_tuple()
        return self.cut(index + 1).last if self._items is None else self._items[index]

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, SharedSequence) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return repr(tuple(self))

    def _as_tuple(self) -> tuple[T, ...]:
        items = [prefix.last for prefix in self.down_to(0)]
        items.reverse()
        return tuple(items)


EMPTY: SharedSequence[Any] = SharedSequence()
"""The empty sequence."""
