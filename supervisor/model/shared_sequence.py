"""Sequences that share their beginnings.

The plans of the tasks of a chain begin alike: of 3,000 tasks, each in a tuple of its own, they would have 4.5 million
entries. A `SharedSequence` is its last item and the prefix below that, so what is common exists once.
"""

from __future__ import annotations

from collections.abc import Iterator

from supervisor.lean.typing import Any, Generic, TypeVar

T = TypeVar("T")
_NEAR = 8
"""An item so far from the end is found by walking; for others the items are laid out once."""


class SharedSequence(Generic[T]):
    """An immutable sequence. Equal ids mean equal items: who grows one gives it an id that sees to this."""

    __slots__ = ("_items", "below", "id", "last", "size")

    below: SharedSequence[T]
    """All items but the last; of an empty one itself."""
    last: T
    id: str
    size: int

    def __init__(self) -> None:
        """The empty one; all others grow from it."""
        self.below, self.id, self.size = self, "", 0
        self._items: tuple[T, ...] | None = None

    def grown(self, item: T, id_: str) -> SharedSequence[T]:
        """This and one item more."""
        grown: SharedSequence[T] = SharedSequence()
        grown.below, grown.last, grown.id, grown.size = self, item, id_, self.size + 1
        return grown

    def cut(self, size: int) -> SharedSequence[T]:
        """The first `size` items; all, if there are not so many."""
        found = self
        while found.size > size:
            found = found.below
        return found

    def down_to(self, size: int) -> Iterator[SharedSequence[T]]:
        """This and each prefix below it that has more than `size` items, the longest first."""
        found = self
        while found.size > size:
            yield found
            found = found.below

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[T]:
        return iter(self._items if self._items is not None else self._laid_out())

    def __getitem__(self, index: int) -> T:
        if not 0 <= index < self.size:
            raise IndexError(index)
        if self._items is None and self.size - index > _NEAR:
            self._items = self._laid_out()
        return self.cut(index + 1).last if self._items is None else self._items[index]

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, SharedSequence) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return repr(tuple(self))

    def _laid_out(self) -> tuple[T, ...]:
        items = [prefix.last for prefix in self.down_to(0)]
        items.reverse()
        return tuple(items)


EMPTY: SharedSequence[Any] = SharedSequence()
"""The empty one."""
