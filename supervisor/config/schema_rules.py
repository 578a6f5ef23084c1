"""Judges plain data by a JSON Schema, with the rules that the published one uses.

jsonschema knows all of them and more, for 2.4 MB, which a running supervisor would hold for the day on which somebody
saves a mistake. A test holds the two to the same errors, on generated files, and the published schema to these rules.

Source: https://json-schema.org/draft/2020-12/json-schema-validation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from supervisor.config.problem import Path

# Plain JSON data and pieces of a schema: they have no types of their own.
Data = Any
Schema = dict[str, Any]

TYPES: dict[str, Callable[[Data], bool]] = {
    "array": lambda data: isinstance(data, list),
    "boolean": lambda data: isinstance(data, bool),
    "null": lambda data: data is None,
    "object": lambda data: isinstance(data, dict),
    "string": lambda data: isinstance(data, str),
}
ANNOTATIONS = {
    *("$schema", "$id", "$defs", "title", "description", "examples", "default", "deprecated"),
    *("enumDescriptions", "markdownEnumDescriptions"),
}
"""What a schema says to people and editors."""


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """One rule that some part of the data breaks."""

    rule: str
    """Its name in the schema."""
    value: Data
    """What it says there."""
    schema: Schema
    """The piece of the schema that it stands in."""
    way: tuple[str, ...]
    """The names that lead to it, as if references were what they refer to."""
    data: Data
    """The part of the data."""
    path: Path
    """Where that is. The name of an entry has the path of its mapping."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the judge is, in the schema and in the data."""

    schema: Schema
    data: Data
    way: tuple[str, ...] = ()
    path: Path = ()

    def below(self, schema: Schema, data: Data, way: tuple[str, ...], path: Path = ()) -> _Place:
        return _Place(schema, data, self.way + way, self.path + path)


class SchemaRules:
    """A schema, ready to judge."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def is_valid(self, data: Data) -> bool:
        """Whether the data breaks no rule."""
        return not any(self.broken(data))

    def broken(self, data: Data) -> Iterator[BrokenRule]:
        """Every rule that the data breaks. One of a field that is missing comes for each such field."""
        return self._judge(_Place(self.schema, data))

    def _judge(self, place: _Place) -> Iterator[BrokenRule]:
        for rule, value in place.schema.items():
            if rule in RULES:
                yield from RULES[rule](self, place, value)

    def _holds(self, place: _Place) -> bool:
        return not any(self._judge(place))

    def _type(self, place: _Place, types: Data) -> Iterator[BrokenRule]:
        wanted = [types] if isinstance(types, str) else types
        if not any(TYPES[each](place.data) for each in wanted):
            yield _broken(place, "type")

    def _enum(self, place: _Place, choices: Data) -> Iterator[BrokenRule]:
        if place.data not in choices:
            yield _broken(place, "enum")

    def _min_length(self, place: _Place, least: Data) -> Iterator[BrokenRule]:
        if isinstance(place.data, str) and len(place.data) < least:
            yield _broken(place, "minLength")

    def _pattern(self, place: _Place, pattern: Data) -> Iterator[BrokenRule]:
        r"""`$` ends the text in a schema's expressions; in Python's it also stands before a last "\n"."""
        if isinstance(place.data, str) and not re.search(pattern.replace("$", r"\Z"), place.data):
            yield _broken(place, "pattern")

    def _required(self, place: _Place, names: Data) -> Iterator[BrokenRule]:
        if isinstance(place.data, dict):
            for name in names:
                if name not in place.data:
                    yield _broken(place, "required")

    def _properties(self, place: _Place, fields: Data) -> Iterator[BrokenRule]:
        if isinstance(place.data, dict):
            for name, schema in fields.items():
                if name in place.data:
                    yield from self._judge(
                        place.below(schema, place.data[name], ("properties", name), (name,))
                    )

    def _additional(self, place: _Place, schema: Data) -> Iterator[BrokenRule]:
        if not isinstance(place.data, dict):
            return
        more = [name for name in place.data if name not in place.schema.get("properties", {})]
        if schema is False and more:
            yield _broken(place, "additionalProperties")
        elif isinstance(schema, dict):
            for name in more:
                inner = place.below(schema, place.data[name], ("additionalProperties",), (name,))
                yield from self._judge(inner)

    def _names(self, place: _Place, schema: Data) -> Iterator[BrokenRule]:
        if isinstance(place.data, dict):
            for name in place.data:
                yield from self._judge(place.below(schema, name, ("propertyNames",)))

    def _items(self, place: _Place, schema: Data) -> Iterator[BrokenRule]:
        if isinstance(place.data, list):
            for index, item in enumerate(place.data):
                yield from self._judge(place.below(schema, item, ("items",), (index,)))

    def _reference(self, place: _Place, reference: Data) -> Iterator[BrokenRule]:
        schema = self.schema["$defs"][reference.removeprefix("#/$defs/")]
        yield from self._judge(place.below(schema, place.data, ()))

    def _dependent(self, place: _Place, schemas: Data) -> Iterator[BrokenRule]:
        if isinstance(place.data, dict):
            for name, schema in schemas.items():
                if name in place.data:
                    yield from self._judge(place.below(schema, place.data, ("dependentSchemas", name)))

    def _not(self, place: _Place, schema: Data) -> Iterator[BrokenRule]:
        if self._holds(place.below(schema, place.data, ())):
            yield _broken(place, "not")

    def _one_of(self, place: _Place, schemas: Data) -> Iterator[BrokenRule]:
        if sum(self._holds(place.below(schema, place.data, ())) for schema in schemas) != 1:
            yield _broken(place, "oneOf")


RULES: dict[str, Callable[[SchemaRules, _Place, Data], Iterator[BrokenRule]]] = {
    "$ref": SchemaRules._reference,
    "additionalProperties": SchemaRules._additional,
    "dependentSchemas": SchemaRules._dependent,
    "enum": SchemaRules._enum,
    "items": SchemaRules._items,
    "minLength": SchemaRules._min_length,
    "not": SchemaRules._not,
    "oneOf": SchemaRules._one_of,
    "pattern": SchemaRules._pattern,
    "properties": SchemaRules._properties,
    "propertyNames": SchemaRules._names,
    "required": SchemaRules._required,
    "type": SchemaRules._type,
}
"""`{name of a rule: what looks whether it is broken}`."""


def _broken(place: _Place, rule: str) -> BrokenRule:
    return BrokenRule(rule, place.schema[rule], place.schema, (*place.way, rule), place.data, place.path)
