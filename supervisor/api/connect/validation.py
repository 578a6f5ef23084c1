"""Checks messages against `rules`: `validate(request)` before a handler sees it. Answers are not checked.

A message class is compiled into its checks when it is first seen, those of the messages inside it included, so that a
small request costs about a microsecond.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from supervisor.api.connect.request_errors import InvalidArgument, Violation
from supervisor.api.platform.rules import RULES, Rule, Test
from supervisor.config.problem import Path, quoted

Found = list[Violation]
Check = Callable[[Any, Path, Found], None]
"""Looks at a value that stands at a path, and adds what is wrong with it."""

NO_RULE = Rule()

ENOUGH = 100
"""Lists and maps are not looked at any further after so many violations: a request can have a million of them."""


def validate(message: Message) -> None:
    """Raises InvalidArgument, with all violations, if the message breaks a rule."""
    found = violations(message)
    if found:
        raise InvalidArgument(tuple(found))


def problem(message: Message) -> str | None:
    """What is wrong with the message as one sentence, or None."""
    found = violations(message)
    return str(InvalidArgument(tuple(found))) if found else None


def violations(message: Message) -> Found:
    """Everything that is wrong with the message, in the order of its fields."""
    found: Found = []
    for check in of_message(message.DESCRIPTOR):
        check(message, (), found)
    return found


@cache
def of_message(message: Descriptor) -> tuple[Check, ...]:
    """The checks of a message's oneofs and fields; each of them gets the message itself."""
    rules = RULES.get(message.full_name.removeprefix("gitpod.v1."), {})
    choices = [choice(message, name) for name in rules if name in message.oneofs_by_name]
    fields = (in_message(field, rules.get(field.name, NO_RULE)) for field in message.fields)
    return (*choices, *(check for check in fields if check))


def choice(message: Descriptor, name: str) -> Check:
    """A oneof of which one field must be set."""
    members = " or ".join(field.json_name for field in message.oneofs_by_name[name].fields)

    def check(value: Any, path: Path, found: Found) -> None:
        if value.WhichOneof(name) is None:
            found.append(Violation(path, f"must have {members}"))

    return check


def in_message(field: FieldDescriptor, rule: Rule) -> Check | None:
    """The check of one field, told when to look at it; None if nothing is asked of it."""
    inner = of_field(field, rule)
    if inner is None and not rule.required:
        return None
    name, json_name = field.name, field.json_name
    skips_unset, skips_zero, required = field.has_presence, rule.if_populated, rule.required

    def check(message: Any, path: Path, found: Found) -> None:
        value = getattr(message, name)
        if not (message.HasField(name) if skips_unset else value):
            if required:
                found.append(Violation((*path, json_name), "must be set"))
            if required or skips_unset or skips_zero:
                return
        if inner is not None:
            inner(value, (*path, json_name), found)

    return check


def of_field(field: FieldDescriptor, rule: Rule) -> Check | None:
    """The check of what a field holds: a value, a list or a map."""
    if field.message_type and field.message_type.GetOptions().map_entry:
        keys, values = field.message_type.fields
        return of_map(tests_of(keys, rule.keys or NO_RULE), of_value(values, rule.each or NO_RULE))
    if field.is_repeated:
        return of_list(rule.tests, of_value(field, rule.each or NO_RULE))
    return of_value(field, rule)


def of_map(keys: tuple[Test, ...], of_values: Check | None) -> Check | None:
    """The check of a map: of every key, and of every value."""
    if not keys and of_values is None:
        return None

    def check(entries: Any, path: Path, found: Found) -> None:
        for key in entries:
            broken(keys, key, (*path, key), found, "key ")
            if of_values is not None:
                of_values(entries[key], (*path, key), found)
            if len(found) >= ENOUGH:
                return

    return check


def of_list(tests: tuple[Test, ...], of_items: Check | None) -> Check | None:
    """The check of a list: of itself, and then of every item. A list that is too long is not looked into."""
    if not tests and of_items is None:
        return None

    def check(items: Any, path: Path, found: Found) -> None:
        for test in tests:
            if not test.holds(items):
                found.append(Violation(path, f"{test.must}, not {len(items)}"))
                return
        if of_items is not None:
            for index, item in enumerate(items):
                of_items(item, (*path, index), found)
                if len(found) >= ENOUGH:
                    return

    return check


def of_value(field: FieldDescriptor, rule: Rule) -> Check | None:
    """The check of one value: its tests, and the checks inside it if it is a message."""
    tests = tests_of(field, rule)
    inner = of_message(field.message_type) if field.message_type else ()
    if not tests and not inner:
        return None

    def check(value: Any, path: Path, found: Found) -> None:
        broken(tests, value, path, found)
        for check_inside in inner:
            check_inside(value, path, found)

    return check


def tests_of(field: FieldDescriptor, rule: Rule) -> tuple[Test, ...]:
    """The rule's tests, with what only the field knows: its enum's numbers."""
    if not rule.defined:
        return rule.tests
    assert field.enum_type is not None
    numbers = field.enum_type.values_by_number
    return (Test(f"must be a {field.enum_type.name}", lambda number: number in numbers), *rule.tests)


def broken(tests: Iterable[Test], value: Any, path: Path, found: Found, subject: str = "") -> None:
    """Adds the first test that the value does not hold; the others would say the same in other words."""
    for test in tests:
        if not test.holds(value):
            found.append(Violation(path, f"{subject}{test.must}{instead(value) if test.shown else ''}"))
            return


def instead(value: Any) -> str:
    """The value that was given, if it is short enough to help."""
    if isinstance(value, str):
        return f", not {quoted(value)}"
    if isinstance(value, int):
        return f", not {value}"
    return f", not {value.ToJsonString()}"
