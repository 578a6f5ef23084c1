"""Rules for the values of messages, as data: what a field must hold beside its type. `validation` checks them.

They mean what buf.validate means by them. The package protovalidate would check them as well, and as quickly; it is not
used because it costs 10 MB of memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from google.protobuf.duration_pb2 import Duration


@dataclass(frozen=True, slots=True)
class Constraint:
    """One thing that a value must hold: `must` completes the sentence that begins with the field's path."""

    must: str
    holds: Callable[[Any], bool]
    shown: bool = True
    """A message adds the value that was given."""


@dataclass(frozen=True, slots=True)
class FieldRule:
    """What a field, or a oneof, must hold.

    A field with presence (a message, `optional`, a member of a oneof) is checked only if it is set; any other always,
    its zero value too.
    """

    constraints: tuple[Constraint, ...] = ()
    defined: bool = False
    """An enum's number must have a name."""
    each: FieldRule | None = None
    """Of every item of a list, of every value of a map."""
    keys: FieldRule | None = None
    """Of every key of a map."""
    required: bool = False
    if_populated: bool = False
    """The zero value passes."""


Rules = Mapping[str, Mapping[str, FieldRule]]
"""`{full name of a message: {field or oneof: rule}}`"""


def matches(pattern: str, must: str) -> FieldRule:
    """A text that matches as a whole."""
    fullmatch = re.compile(pattern).fullmatch
    return FieldRule((Constraint(must, lambda text: fullmatch(text) is not None),))


def length(least: int, most: int) -> FieldRule:
    """A text of so many characters."""
    must = f"must have {least} to {most} characters"
    return FieldRule((Constraint(must, lambda text: least <= len(text) <= most),))


def at_most(count: int, each: FieldRule | None = None) -> FieldRule:
    """A list of so many items."""
    must = f"must have at most {count} items"
    return FieldRule((Constraint(must, lambda items: len(items) <= count),), each=each)


def between(least: int, most: int) -> FieldRule:
    """A number in a range that includes both ends."""
    must = f"must be from {least} to {most}"
    return FieldRule((Constraint(must, lambda number: least <= number <= most),))


def one_of(*words: str) -> FieldRule:
    """A text out of a few."""
    listed = ", ".join(word or '""' for word in words)
    return FieldRule((Constraint(f"must be one of {listed}", frozenset(words).__contains__),))


def nanoseconds(duration: Duration) -> int:
    """The duration as one number."""
    return duration.seconds * 1_000_000_000 + duration.nanos


def both(*rules: FieldRule) -> FieldRule:
    """A field that must hold the constraints of all rules; everything else is the first rule's."""
    constraints = tuple(constraint for rule in rules for constraint in rule.constraints)
    return replace(rules[0], constraints=constraints)
