"""Checks messages against rules, before a handler gets them. Answers are not checked.

The first message of a type compiles its checks, those of the messages inside it included, so that a small request costs
about a microsecond.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from connect_server.connect_errors import InvalidArgument, Path, Violation, quoted
from connect_server.field_rules import Constraint, FieldRule, Rules

Found = list[Violation]
Check = Callable[[Any, Path, Found], None]
"""Checks the value at a path, and adds its violations."""

NO_RULE = FieldRule()

ENOUGH = 100
"""After so many violations the rest of a list or map is not checked: a request can have a million of them."""


class Validator:
    """Holds messages to rules."""

    def __init__(self, rules: Rules) -> None:
        """`rules`: of any number of services; a message without any passes."""
        self._rules = rules
        self._compiled: dict[Any, tuple[Check, ...]] = {}

    def validate(self, message: Message) -> None:
        """Raise InvalidArgument, with all violations, if the message breaks a rule."""
        found = self.violations(message)
        if found:
            raise InvalidArgument(tuple(found))

    def violations(self, message: Message) -> Found:
        """All violations of the message, in the order of its fields."""
        found: Found = []
        for check in self._of_message(message.DESCRIPTOR):
            check(message, (), found)
        return found

    def _of_message(self, message: Any) -> tuple[Check, ...]:
        """The checks of a message's oneofs and fields; each of them gets the message itself."""
        checks = self._compiled.get(message)
        if checks is None:
            rules = self._rules.get(message.full_name, {})
            choices = [_choice(message, name) for name in rules if name in message.oneofs_by_name]
            fields = (self._in_message(field, rules.get(field.name, NO_RULE)) for field in message.fields)
            checks = self._compiled[message] = (*choices, *(check for check in fields if check))
        return checks

    def _in_message(self, field: FieldDescriptor, rule: FieldRule) -> Check | None:
        """The check of one field, which knows when to look at the value; None if the field has no rule."""
        inner = self._of_field(field, rule)
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

    def _of_field(self, field: FieldDescriptor, rule: FieldRule) -> Check | None:
        """The check of what a field holds: a value, a list or a map."""
        if field.message_type and field.message_type.GetOptions().map_entry:
            keys, values = field.message_type.fields
            key_constraints = _constraints(keys, rule.keys or NO_RULE)
            return _of_map(key_constraints, self._of_value(values, rule.each or NO_RULE))
        if field.is_repeated:
            return _of_list(rule.constraints, self._of_value(field, rule.each or NO_RULE))
        return self._of_value(field, rule)

    def _of_value(self, field: FieldDescriptor, rule: FieldRule) -> Check | None:
        """The check of one value: its constraints, and the checks inside it if it is a message."""
        constraints = _constraints(field, rule)
        inner = self._of_message(field.message_type) if field.message_type else ()
        if not constraints and not inner:
            return None

        def check(value: Any, path: Path, found: Found) -> None:
            _hold(constraints, value, path, found)
            for check_inside in inner:
                check_inside(value, path, found)

        return check


def _choice(message: Descriptor, name: str) -> Check:
    """The check of a oneof of which one field must be set."""
    members = " or ".join(field.json_name for field in message.oneofs_by_name[name].fields)

    def check(value: Any, path: Path, found: Found) -> None:
        if value.WhichOneof(name) is None:
            found.append(Violation(path, f"must have {members}"))

    return check


def _of_map(keys: tuple[Constraint, ...], of_values: Check | None) -> Check | None:
    """The check of a map: of every key, and of every value."""
    if not keys and of_values is None:
        return None

    def check(entries: Any, path: Path, found: Found) -> None:
        for key in entries:
            _hold(keys, key, (*path, key), found, "key ")
            if of_values is not None:
                of_values(entries[key], (*path, key), found)
            if len(found) >= ENOUGH:
                return

    return check


def _of_list(constraints: tuple[Constraint, ...], of_items: Check | None) -> Check | None:
    """The check of a list: of the list, and then of every item, unless the list is too long."""
    if not constraints and of_items is None:
        return None

    def check(items: Any, path: Path, found: Found) -> None:
        for constraint in constraints:
            if not constraint.holds(items):
                found.append(Violation(path, f"{constraint.must}, not {len(items)}"))
                return
        if of_items is not None:
            for index, item in enumerate(items):
                of_items(item, (*path, index), found)
                if len(found) >= ENOUGH:
                    return

    return check


def _constraints(field: FieldDescriptor, rule: FieldRule) -> tuple[Constraint, ...]:
    """The rule's constraints, and the one that needs the field's type: an enum's numbers."""
    if not rule.defined:
        return rule.constraints
    assert field.enum_type is not None
    numbers = field.enum_type.values_by_number
    defined = Constraint(f"must be a {field.enum_type.name}", lambda number: number in numbers)
    return (defined, *rule.constraints)


def _hold(constraints: Iterable[Constraint], value: Any, path: Path, found: Found, subject: str = "") -> None:
    """Add the first constraint that the value breaks; the others would say the same in other words."""
    for constraint in constraints:
        if not constraint.holds(value):
            instead = _instead(value) if constraint.shown else ""
            found.append(Violation(path, f"{subject}{constraint.must}{instead}"))
            return


def _instead(value: Any) -> str:
    """The value that was given, for the end of a message."""
    if isinstance(value, str):
        return f", not {quoted(value)}"
    if isinstance(value, int):
        return f", not {value}"
    return f", not {value.ToJsonString()}"
