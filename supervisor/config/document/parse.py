"""From YAML text to a tree of nodes with places, by the rules of YAML 1.2 where PyYAML follows 1.1.

libyaml (PyYAML's C parser) gives events; PyYAML's own composer and constructor are not used: they recurse, resolve
words as YAML 1.1 does and let the last of two equal keys win. Nothing here recurses, so no nesting and no alias can
exhaust the stack.

After a mistake that leaves the rest readable (an equal key, an unknown tag) reading goes on; after any other the tree
is None.
"""

from __future__ import annotations

from supervisor.config.document import scalar
from supervisor.config.document.nodes import (
    MapEntry,
    Mapping,
    Node,
    Scalar,
    ScalarKind,
    Sequence,
    copy_at,
    merge,
)
from supervisor.config.document.text import LIMIT_BYTES, Mistake, Text
from supervisor.config.problem import LIMIT_PROBLEMS, Path, Problem, Severity, path_text, quoted
from supervisor.lean.frozen import dataclass, field
from supervisor.lean.libyaml import CParser, YAMLError, events

LIMIT_DEPTH = 100
LIMIT_NODES = 100_000
"""For a document with aliases, counted as if each were written out; without aliases the file's size is the limit."""


class _Anchor:
    """A node that aliases may name, and what it would cost to write it out again; `nodes` is 0 until it is complete."""

    def __init__(self, node: Node, nodes: int = 0, size_bytes: int = 0) -> None:
        self.node = node
        self.nodes = nodes
        self.size_bytes = size_bytes


class _Frame:
    """A collection that is being read."""

    def __init__(
        self, node: Mapping | Sequence, anchor: _Anchor | None, nodes_before: int, bytes_before: int
    ) -> None:
        self.node = node
        self.anchor = anchor
        self.nodes_before = nodes_before
        self.bytes_before = bytes_before
        self.key: Scalar | None = None
        """Of a mapping: the key whose value comes next."""
        self.merge: Mapping | Sequence | None = None
        self.merge_key: Scalar | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """The document and what is wrong with its YAML. An empty document has neither."""

    root: Node | None = None
    problems: list[Problem] = field(default_factory=list)

    @property
    def is_broken(self) -> bool:
        """Whether reading had to stop, so that there is nothing to check."""
        return self.root is None and bool(self.problems)


def parse(text: Text) -> Parsed:
    """Read the one document of the text."""
    builder = _Builder(text)
    try:
        builder.read()
    except _Stop as stop:
        builder.note(stop.at, stop.message, stop.hint, stop.path)
        return Parsed(None, builder.problems)
    except YAMLError as error:
        # Not at the top: a good file does not need it, and the first command would wait for the import.
        from supervisor.config.document.syntax_errors import syntax_problems

        for mistake in syntax_problems(error, text.content, builder.innermost()):
            path = builder.path_at(mistake.at) if mistake.inside else ()
            builder.note(mistake.at, mistake.message, mistake.hint, path)
        return Parsed(None, builder.problems)
    return Parsed(builder.root, builder.problems)


class _Stop(Exception):
    """A mistake after which the rest cannot be read."""

    def __init__(self, mistake: Mistake, path: Path = ()) -> None:
        super().__init__(mistake.message)
        self.at, self.message, self.hint = mistake.at, mistake.message, mistake.hint
        self.path = path


class _Builder:
    """Takes the parser's events one by one; `stack` holds the collections that are open, outermost first."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self.stack: list[_Frame] = []
        self.anchors: dict[str, _Anchor] = {}
        # The document's size with its aliases written out: an alias adds the size of what it names.
        self.nodes = 0
        self.size_bytes = 0
        self.alias: int | None = None
        self.documents = 0

    def read(self) -> None:
        parser = CParser(self.text.content)
        while (event := parser.get_event()) is not None:
            at = event.start_mark.index if event.start_mark else 0
            match event:
                case events.ScalarEvent():
                    self.scalar(at, event)
                case events.AliasEvent():
                    self.alias_to(at, event.anchor or "")
                case events.MappingStartEvent():
                    self.open(Mapping(at), event.anchor, event.tag, scalar.MAPPING_TAGS)
                case events.SequenceStartEvent():
                    self.open(Sequence(at), event.anchor, event.tag, scalar.SEQUENCE_TAGS)
                case events.CollectionEndEvent():
                    self.close()
                case events.DocumentStartEvent():
                    self.start_document(at)
                case _:
                    pass  # the stream's start and end, the document's end
        self.check_size()

    def start_document(self, at: int) -> None:
        self.documents += 1
        if self.documents > 1:
            raise _Stop(Mistake(at, "a second document starts here", "the file must hold one document"))

    def innermost(self) -> int | None:
        """Where the innermost open collection begins; None at the top."""
        return self.stack[-1].node.at if self.stack else None

    # ---- nodes ----

    def scalar(self, at: int, event: events.ScalarEvent) -> None:
        text: str = event.value
        size_bytes = len(text) if text.isascii() else len(text.encode())
        self.nodes += 1
        self.size_bytes += size_bytes
        if event.tag is not None:
            kind = scalar.tagged_kind(event.tag, text) or self.bad_tag(at, event.tag, text)
        elif event.implicit[0]:
            kind = scalar.plain_kind(text)
        else:
            kind = ScalarKind.STRING
        if event.tag == "!" and " " in text and not event.style:
            what = f'"!" is a tag of YAML, so that the value is {quoted(text)}'
            self.note(at, what, "put the whole value in quotes", self.path(), Severity.WARNING)
        node = Scalar(at, kind, text)
        if event.anchor is not None:
            self.anchors[event.anchor] = _Anchor(node, 1, size_bytes)
        self.place(node, merge=event.tag is None and event.implicit[0] and text == "<<")

    def bad_tag(self, at: int, tag: str, text: str) -> ScalarKind:
        if scalar.is_known(tag):
            self.note(at, f"{quoted(text)} is not of the type {scalar.tag_text(tag)}", "", self.path())
        else:
            self.note(
                at,
                f"unknown tag {quoted(scalar.tag_text(tag))}",
                "remove it, or put the value in quotes",
                self.path(),
            )
        return ScalarKind.STRING

    def open(
        self, node: Mapping | Sequence, name: str | None, tag: str | None, known: frozenset[str]
    ) -> None:
        if len(self.stack) >= LIMIT_DEPTH:
            raise _Stop(Mistake(node.at, f"nested deeper than {LIMIT_DEPTH} levels"))
        if self.wants_key():
            raise _Stop(self.no_key(node, node.at), self.path())
        if tag is not None and tag not in known:
            self.note(node.at, f"unknown tag {quoted(scalar.tag_text(tag))}", "remove it", self.path())
        anchor = None
        if name is not None:
            anchor = self.anchors[name] = _Anchor(node)
        self.stack.append(_Frame(node, anchor, self.nodes, self.size_bytes))
        self.nodes += 1

    def close(self) -> None:
        frame = self.stack.pop()
        if frame.anchor:
            frame.anchor.nodes = self.nodes - frame.nodes_before
            frame.anchor.size_bytes = self.size_bytes - frame.bytes_before
        if frame.merge is not None and isinstance(frame.node, Mapping):
            merge(frame.node, frame.merge)
        self.place(frame.node)

    def alias_to(self, at: int, name: str) -> None:
        anchor = self.anchors.get(name)
        if anchor is None:
            hint = f'put it in quotes, or write "&{name}" before the value, further up, that it should repeat'
            raise _Stop(Mistake(at, f"unknown alias *{name}", hint), self.path())
        if not anchor.nodes:
            raise _Stop(Mistake(at, f"the alias *{name} stands inside the value that it names"), self.path())
        if isinstance(anchor.node, Mapping | Sequence) and self.wants_key():
            raise _Stop(self.no_key(anchor.node, at), self.path())
        self.nodes += anchor.nodes
        self.size_bytes += anchor.size_bytes
        self.alias = at
        self.check_size()
        self.place(copy_at(anchor.node, at))

    def check_size(self) -> None:
        """Called at each alias, so that a large expansion is refused before it is read."""
        if self.alias is None or (self.nodes <= LIMIT_NODES and self.size_bytes <= LIMIT_BYTES):
            return
        much = f"{LIMIT_NODES:,} values" if self.nodes > LIMIT_NODES else f"{LIMIT_BYTES // 1_000_000} MB"
        raise _Stop(Mistake(self.alias, f"the aliases make the file grow past {much}"), self.path())

    # ---- their places ----

    def wants_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].node, Mapping) and self.stack[-1].key is None

    def no_key(self, node: Mapping | Sequence, at: int) -> Mistake:
        what = "a list" if isinstance(node, Sequence) else "a mapping"
        return Mistake(at, f"{what} cannot be a key", 'a value in "{{ }}" needs quotes')

    def place(self, node: Node, merge: bool = False) -> None:
        if not self.stack:
            self.root = node
            return
        frame = self.stack[-1]
        if isinstance(frame.node, Sequence):
            frame.node.items.append(node)
        elif frame.key is None:
            # Collections never come here: `open` and `alias_to` have refused them.
            assert isinstance(node, Scalar)
            self.place_key(frame, node, merge)
        else:
            self.place_value(frame, frame.node, frame.key, node)

    def place_key(self, frame: _Frame, key: Scalar, merge: bool) -> None:
        frame.key = key
        if not merge:
            return
        if frame.merge_key is not None:
            hint = "write one with a list: <<: [*a, *b]"
            self.note(key.at, f'duplicate key "<<"; {self.first_at(frame.merge_key.at)}', hint, self.path())
        frame.merge_key = key

    def place_value(self, frame: _Frame, into: Mapping, key: Scalar, value: Node) -> None:
        if key is frame.merge_key:
            frame.merge = self.merge_source(value)
        elif (first := into.entries.get(key.text)) is not None:
            self.note(key.at, f"duplicate key {quoted(key.text)}; {self.first_at(first.at)}", "", self.path())
        else:
            into.entries[key.text] = MapEntry(key.at, value)
        frame.key = None

    def merge_source(self, value: Node) -> Mapping | Sequence:
        if isinstance(value, Mapping):
            return value
        if isinstance(value, Sequence) and all(isinstance(item, Mapping) for item in value.items):
            return value
        raise _Stop(Mistake(value.at, '"<<" must name a mapping or a list of mappings'), self.path())

    # ---- problems ----

    def first_at(self, at: int) -> str:
        return f"the first is at line {self.text.position(at)[0]}"

    def path(self) -> Path:
        """The path of the value that is being read, or of the key that has just been read."""
        return _path(self.stack)

    def path_at(self, at: int) -> Path:
        """The path for a place in the text: of the innermost collection or its last value, if that begins there."""
        if at == self.innermost():
            return _path(self.stack[:-1])
        return (*_path(self.stack), *self.last_placed_at(at))

    def last_placed_at(self, at: int) -> Path:
        """The key of the value that was placed last, if it begins there."""
        frame = self.stack[-1] if self.stack else None
        if (
            frame is None
            or not isinstance(frame.node, Mapping)
            or frame.key is not None
            or not frame.node.entries
        ):
            return ()
        key = next(reversed(frame.node.entries))
        return (key,) if frame.node.entries[key].value.at == at else ()

    def note(self, at: int, message: str, hint: str, path: Path, severity: Severity = Severity.ERROR) -> None:
        if len(self.problems) > LIMIT_PROBLEMS:
            return
        line, column = self.text.position(at)
        self.problems.append(Problem(message, path_text(path), line, column, hint, severity))


def _path(frames: list[_Frame]) -> Path:
    parts: list[str | int] = []
    for frame in frames:
        if isinstance(frame.node, Sequence):
            parts.append(len(frame.node.items))
        elif frame.key is not None:
            parts.append(frame.key.text)
    return tuple(parts)
