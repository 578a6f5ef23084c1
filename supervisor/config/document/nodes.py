"""A YAML document as a tree whose every node knows its place.

`at` is an offset into the text (see `text.Text`). What an alias names appears at the alias: a copy with the alias's
place, whose children are shared with the original. So a tree may be larger than its file, up to the limits in `parse`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator

from supervisor.config.problem import Path
from supervisor.lean.frozen import dataclass, field


class ScalarKind(enum.Enum):
    """The kind of a scalar in the core schema of YAML 1.2. The value is its name in messages."""

    STRING = "string"
    BOOL = "boolean"
    INT = "number"
    FLOAT = "decimal number"
    NULL = "nothing"


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value. Numbers keep their text: no field of the format holds a number."""

    at: int
    kind: ScalarKind
    text: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    at: int
    items: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MapEntry:
    """The value of a key in a mapping, and the place of the key."""

    at: int
    value: Node


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys with values in the order of the file; a key of another kind counts as its text."""

    at: int
    entries: dict[str, MapEntry] = field(default_factory=dict)


Node = Scalar | Sequence | Mapping


_FIRST_FIELDS = frozenset({"name", "description", "command", "commands", "init", "before"})
"""Fields that an item may begin with: such a key is probably not its reference."""


def is_null(node: Node) -> bool:
    """Whether the node is null, which counts as absent."""
    return isinstance(node, Scalar) and node.kind is ScalarKind.NULL


def is_string(node: Node) -> bool:
    """Whether the node is a string."""
    return isinstance(node, Scalar) and node.kind is ScalarKind.STRING


def walk_to(root: Node, path: Path) -> tuple[int, Node]:
    """The node at `path`, and the place of the key that leads there (of the node itself in a list)."""
    at, node = root.at, root
    for part in path:
        if isinstance(node, Mapping) and isinstance(part, str):
            at, node = node.entries[part].at, node.entries[part].value
        elif isinstance(node, Sequence) and isinstance(part, int):
            node = node.items[part]
            at = node.at
        else:
            raise KeyError(part)
    return at, node


def entries(node: Node | None, *names: str) -> Iterator[tuple[str, MapEntry]]:
    """The entries of a mapping with these names, or all of them; nothing for another node."""
    if isinstance(node, Mapping):
        for key, entry in node.entries.items():
            if not names or key in names:
                yield key, entry


def listed_items(node: Node) -> Iterator[tuple[Path, int, Node]]:
    """The items of a list that stands where a mapping of items must: path, place and node of each.

    An entry of such a list is an item without a reference, or a mapping of references: `- build: {name: ...}`; or a
    reference without a value stands among the item's fields, which were to be indented more.
    """
    for index, each in enumerate(node.items if isinstance(node, Sequence) else ()):
        named = list(entries(each))
        if named and all(isinstance(entry.value, Mapping) for _, entry in named):
            for reference, entry in named:
                yield (index, reference), entry.at, entry.value
        elif len(named) > 1 and named[0][0] not in _FIRST_FIELDS and is_null(named[0][1].value):
            assert isinstance(each, Mapping)
            yield (index, named[0][0]), named[0][1].at, Mapping(each.at, dict(named[1:]))
        else:
            yield (index,), each.at, each


def copy_at(node: Node, at: int) -> Node:
    """The node as it appears at an alias."""
    match node:
        case Scalar():
            return Scalar(at, node.kind, node.text)
        case Sequence():
            return Sequence(at, node.items)
        case Mapping():
            return Mapping(at, node.entries)


def merge(into: Mapping, source: Mapping | Sequence) -> None:
    """Add what `<<` names. A key that exists wins, and an earlier mapping wins over a later one."""
    for each in [source] if isinstance(source, Mapping) else source.items:
        if isinstance(each, Mapping):
            for key, entry in each.entries.items():
                into.entries.setdefault(key, entry)
