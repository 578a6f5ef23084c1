"""Why a tree is not an automations file: the errors of the published schema in plain words, at the right places.

This runs only for a file that `decode` has refused. jsonschema, which is slow to import and to run, checks only the
items that are refused. Each of its errors becomes one problem or is dropped, because it reports the same mistake by
several rules (`type` and `enum`, `oneOf` and the rules below it).
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from supervisor.config import messages
from supervisor.config.decode import REFERENCE, Undecodable, decode_service, decode_task
from supervisor.config.document.nodes import (
    MapEntry,
    Mapping,
    Node,
    Scalar,
    ScalarKind,
    Sequence,
    entries,
    listed_items,
    walk_to,
)
from supervisor.config.document.spaces import blank_name, is_blank
from supervisor.config.document.text import Text
from supervisor.config.problem import Path, Problem, path_text, quoted
from supervisor.config.resources import schema_text
from supervisor.config.suggest import Suggester

# Plain JSON data and schema pieces: jsonschema knows no types for them.
Data = Any
Schema = dict[str, Any]


def explain(root: Node, text: Text) -> Iterator[Problem]:
    """Every reason why the schema refuses the tree; at least one if `decode` refuses it."""
    refused, suggester = _refused_part(root), Suggester()
    explainer = _Explainer(refused, text, suggester)
    for error in validator().iter_errors(plain(refused)):
        yield from explainer.problems(error)
    items, paths = _listed_items(root)
    explainer = _Explainer(_refused_part(items), text, suggester, paths)
    for error in validator().iter_errors(plain(explainer.root)):
        yield from explainer.problems(error)


def _listed_items(root: Node) -> tuple[Mapping, dict[Path, Path]]:
    """The items that stand in a list where a mapping must be, as a mapping: their mistakes are reported with the list.

    Also {path of an item in that mapping: its path in the file}.
    """
    listed, paths = Mapping(root.at), dict[Path, Path]()
    for kind, entry in entries(root, "services", "tasks"):
        items = Mapping(entry.value.at)
        for way, at, node in listed_items(entry.value):
            name = str(len(items.entries))
            items.entries[name] = MapEntry(at, node)
            paths[kind, name] = (kind, *way)
        listed.entries[kind] = MapEntry(entry.at, items)
    return listed, paths


@functools.cache
def validator() -> Draft202012Validator:
    """The published schema, ready to judge plain data."""
    judge: type[Draft202012Validator] = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]
    return judge(json.loads(schema_text()))


def _pattern(_validator: object, pattern: str, instance: Data, _schema: Schema) -> Iterator[ValidationError]:
    r"""`$` ends the text in a schema's expressions; in Python's it also stands before a last "\n"."""
    if isinstance(instance, str) and not re.search(pattern.replace("$", r"\Z"), instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def plain(node: Node) -> Data:
    """The tree as JSON data. Numbers lose their values: no field holds a number."""
    match node:
        case Mapping():
            return {key: plain(entry.value) for key, entry in node.entries.items()}
        case Sequence():
            return [plain(item) for item in node.items]
        case Scalar(kind=ScalarKind.STRING):
            return node.text
        case Scalar(kind=ScalarKind.BOOL):
            return node.text.lower() == "true"
        case Scalar(kind=ScalarKind.NULL):
            return None
        case Scalar():
            return 0 if node.kind is ScalarKind.INT else 0.5


def _refused_part(root: Node) -> Node:
    """The tree without its valid items: `decode` takes 20 microseconds for one, jsonschema a thousand."""
    if not isinstance(root, Mapping):
        return root
    kinds: dict[str, Callable[[str, Node], object]] = {"services": decode_service, "tasks": decode_task}
    part = Mapping(root.at)
    for key, entry in root.entries.items():
        value = entry.value
        if key in kinds and isinstance(value, Mapping):
            wrong = {
                name: item
                for name, item in value.entries.items()
                if not REFERENCE.fullmatch(name) or not _decodes(kinds[key], name, item.value)
            }
            value = Mapping(value.at, wrong)
        part.entries[key] = MapEntry(entry.at, value)
    return part


def _decodes(decode: Callable[[str, Node], object], reference: str, node: Node) -> bool:
    try:
        decode(reference, node)
    except Undecodable:
        return False
    return True


class _Explainer:
    """Turns jsonschema's errors into problems. One method for each rule of the schema, by the rule's name."""

    def __init__(
        self, root: Node, text: Text, suggester: Suggester, paths: dict[Path, Path] | None = None
    ) -> None:
        """`paths`: {path of an item in `root`: its path in the file}, where the two differ."""
        self.root = root
        self.paths = paths or {}
        self.text = text
        self.suggester = suggester
        self.with_missing: set[Path] = set()

    def problems(self, error: ValidationError) -> Iterator[Problem]:
        path: Path = tuple(error.absolute_path)
        at, node = walk_to(self.root, path)
        match error.validator:
            case "type":
                yield self.wrong_type(error, path, at, node)
            case "additionalProperties":
                yield from self.unknown_fields(error, path, node)
            case "required":
                yield from self.missing(error, path, at, node)
            case "minLength":
                yield self.problem(path, node.at, "must not be empty")
            case "pattern" if "propertyNames" in error.absolute_schema_path:
                yield self.bad_reference(str(error.instance), path, node)
            case "pattern":
                yield self.bad_text(path, node)
            case "enum":
                yield from self.not_one_of(error, path, node)
            case "not":
                yield self.both_spellings(error, path, node)
            case "oneOf":
                yield from self.not_one_target(path, at, node)
            case _:
                yield self.problem(path, node.at, f"is not valid: {error.message}")

    def problem(self, path: Path, at: int, message: str, hint: str = "") -> Problem:
        line, column = self.text.position(at)
        path = (*self.paths.get(path[:2], path[:2]), *path[2:])
        return Problem(message, path_text(path), line, column, hint)

    def wrong_type(self, error: ValidationError, path: Path, at: int, node: Node) -> Problem:
        types: Data = error.validator_value
        kind = types if isinstance(types, str) else next(each for each in types if each != "null")
        expected = messages.expected(kind, path)
        if isinstance(node, Scalar) and node.kind is ScalarKind.NULL:
            place = at if node.text == "" else node.at
            return self.problem(
                path, place, f"has no value; it must be {expected}", self.commented_out(place)
            )
        message = f"must be {expected}, not {messages.describe(node)}"
        written = self.text.content[node.at : node.at + 1]
        return self.problem(path, node.at, message, messages.for_type(kind, path, node, written, self.root))

    def commented_out(self, at: int) -> str:
        """A hint for a value that YAML takes for a comment; `at` is the place of its key."""
        line = re.compile(r"[^\r\n]*").match(self.text.content, at)
        return (
            'what follows "#" is a comment: put it in quotes' if line and re.search(r":\s+#", line[0]) else ""
        )

    def unknown_fields(self, error: ValidationError, path: Path, node: Node) -> Iterator[Problem]:
        assert isinstance(node, Mapping)
        schema: Data = error.schema
        known: dict[str, Schema] = schema["properties"]
        for key, entry in node.entries.items():
            if key not in known and key[:1] and is_blank(key[0]):
                yield self.problem(
                    (*path, key), entry.at, f"{blank_name(key[0])} cannot indent a line", "use spaces"
                )
            elif key not in known:
                usual = [name for name, field in known.items() if "_" in key or not field.get("deprecated")]
                hint = messages.for_unknown(path, key, entry.value) or self.suggester.did_you_mean(key, usual)
                hint = hint or messages.known_fields(known)
                yield self.problem((*path, key), entry.at, f"unknown field {quoted(key)}", hint)

    def missing(self, error: ValidationError, path: Path, at: int, node: Node) -> Iterator[Problem]:
        # jsonschema gives one error for each field and names it only in its message: the first error reports all.
        if path in self.with_missing:
            return
        self.with_missing.add(path)
        required: Data = error.validator_value
        for field in required:
            if isinstance(node, Mapping) and field not in node.entries:
                yield self.problem(path, at, f'field "{field}" is missing', messages.for_missing(node, field))

    def bad_reference(self, reference: str, path: Path, node: Node) -> Problem:
        assert isinstance(node, Mapping)
        message, hint = f"{quoted(reference)} cannot be a reference", "use 1 to 128 letters, digits, _ and -"
        if reference[:1] and is_blank(reference[0]):
            message, hint = f"{blank_name(reference[0])} cannot indent a line", "use spaces"
        return self.problem((*path, reference), node.entries[reference].at, message, hint)

    def bad_text(self, path: Path, node: Node) -> Problem:
        assert isinstance(node, Scalar)
        if "\0" in node.text:
            return self.problem(path, node.at, "must not hold a NUL character", 'remove the "\\0"')
        return self.problem(path, node.at, *messages.for_duration(node.text))

    def not_one_of(self, error: ValidationError, path: Path, node: Node) -> Iterator[Problem]:
        if not isinstance(node, Scalar) or node.kind is not ScalarKind.STRING:
            return  # the rule "type" reports it
        enum: Data = error.validator_value
        choices = [choice for choice in enum if choice]
        noun = "role" if path[-1] == "role" else "trigger"
        if node.text == "beforeSnapshot":
            message = 'a service cannot have the trigger "beforeSnapshot"'
            yield self.problem(path, node.at, message, "only a task can")
            return
        near = messages.for_no_space(node.text) or self.suggester.did_you_mean(node.text, choices)
        hint = near or f"the {noun}s are {', '.join(choices)}"
        yield self.problem(path, node.at, f"unknown {noun} {quoted(node.text)}", hint)

    def both_spellings(self, error: ValidationError, path: Path, node: Node) -> Problem:
        assert isinstance(node, Mapping)
        forbidden: Data = error.validator_value
        [first] = forbidden["required"]
        second = str(error.absolute_schema_path[-2])
        if node.entries[second].at < node.entries[first].at:
            first, second = second, first
        line, _ = self.text.position(node.entries[first].at)
        message = f'"{second}" is "{first}" of line {line} in another spelling'
        return self.problem((*path, second), node.entries[second].at, message, "remove one of them")

    def not_one_target(self, path: Path, at: int, node: Node) -> Iterator[Problem]:
        if not isinstance(node, Mapping):
            return  # the rule "type" reports it
        named = [key for key in ("docker", "machine") if key in node.entries]
        valued = [key for key in named if plain(node.entries[key].value) is not None]
        if len(valued) == 1:
            return  # the rules below it report the mistake
        if len(valued) == 2:
            yield self.problem(path, at, 'must have one of "docker" and "machine", not both')
        elif "machine" in named:
            message = 'has no value; "machine" must be a mapping'
            yield self.problem((*path, "machine"), node.entries["machine"].at, message, 'write "machine: {}"')
        else:
            yield self.problem(path, at, 'must have one of "docker" and "machine"')
