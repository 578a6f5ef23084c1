"""Every rule of the contract's wire facts is kept: values that hold it pass, values that break it are refused."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from connect_server.validation import Validator
from platform_wire.rules import RULES
from schemas import generate
from tests.platform_wire import facts

FACTS = facts.facts()
VALIDATOR = Validator(RULES)
UUID = "0b9e6d4c-3f1a-4c52-9d3e-6a7b8c9d0e1f"
MODULES = [
    importlib.import_module(f"platform_wire.{path.stem}_pb2")
    for path in generate.SCHEMAS.glob("gitpod/v1/*.proto")
]

# What rules are written in, with a value that holds each and some that do not. A rule that is not here fails the test.
SAMPLES: dict[str, tuple[list[Any], list[Any]]] = {
    "string { uuid: true }": (
        [UUID, UUID.upper()],
        ["", "x", UUID + "\n", UUID.replace("-", ""), f"{{{UUID}}}"],
    ),
    "string { uri: true }": (
        ["https://example.com/a?b=c#d", "ssh://git@[::1]:22/x", "mailto:a@b"],
        ["", "example.com", "/a", "https://a b", "https://a/%zz", "https://a/#b#c"],
    ),
    "string { min_len: 1 }": (["x", "ü"], [""]),
    "string { min_len: 3 max_len: 80 }": (["SSH", "ü" * 80], ["", "ab", "ü" * 81]),
    "string { min_len: 1 max_len: 100 }": (["x", "x" * 100], ["", "x" * 101]),
    "string { min_len: 1 max_len: 128 }": (["x", "x" * 128], ["", "x" * 129]),
    "string { min_len: 0 max_len: 4096 }": (["", "x" * 4096], ["x" * 4097]),
    "string { max_len: 80 }": (["", "x" * 80], ["x" * 81]),
    "string { max_len: 128 }": (["", "x" * 128], ["x" * 129]),
    "string { max_len: 255 }": (["", "x" * 255], ["x" * 256]),
    'string { pattern: "^[a-zA-Z0-9_-]{1,128}$" }': (
        ["a", "A-b_9", "a" * 128],
        ["", "a b", "a\n", "a" * 129, "ü", "a.b"],
    ),
    'string { in: "" in: "default" in: "editor" in: "ai-agent" }': (
        ["", "default", "editor", "ai-agent"],
        ["Default", "x"],
    ),
    'string { in: "manual" in: "postEnvironmentStart" in: "postDevcontainerStart" in: "prebuild" }': (
        ["manual", "postEnvironmentStart", "postDevcontainerStart", "prebuild"],
        ["", "Manual", "beforeSnapshot"],
    ),
    "int32 { lte: 100 gte: 0 }": ([0, 100], [-1, 101]),
    "int32 { lte: 65535 gte: 1024 }": ([1024, 65535], [0, 1023, 65536]),
    "enum { defined_only: true }": ([0], [-1, 9999]),
    "enum { defined_only: true not_in: 0 }": ([1], [0, 9999]),
    "duration { lte { seconds: 86400 } gte { } }": (
        [Duration(), Duration(seconds=86400)],
        [Duration(seconds=86400, nanos=1), Duration(nanos=-1)],
    ),
    "cel relative_path": (["", "a/b", "./a", "\n"], ["/", "/a"]),
    "cel disconnected_timeout": (
        [Duration(), Duration(seconds=1800)],
        [Duration(seconds=1799, nanos=999_999_999), Duration(nanos=1), Duration(seconds=-1)],
    ),
    "string { min_len: 1 } cel host_or_host_port": (
        ["example.com", "127.0.0.1:80", "a-b:65535"],
        ["", "-a", "a:0", "a:65536", "a:", "a/b", "http://a", "a\n"],
    ),
}


def message_class(name: str) -> type[Message]:
    first, *rest = name.removeprefix("gitpod.v1.").split(".")
    found: Any = next(getattr(module, first) for module in MODULES if hasattr(module, first))
    for part in rest:
        found = getattr(found, part)
    return found


def with_value(of: type[Message], field: FieldDescriptor, value: Any) -> Message:
    message = of()
    if field.message_type:
        getattr(message, field.name).CopyFrom(value)
    else:
        setattr(message, field.name, value)
    return message


def with_items(of: type[Message], field: FieldDescriptor, items: list[Any]) -> Message:
    return of(**{field.name: items})


def with_entry(of: type[Message], field: FieldDescriptor, key: str, value: Any) -> Message:
    message = of()
    assert field.message_type is not None
    entries = getattr(message, field.name)
    if field.message_type.fields_by_name["value"].message_type:
        entries[key].SetInParent()
    else:
        entries[key] = value
    return message


def samples(rule: str) -> tuple[list[Any], list[Any]]:
    rule = re.sub(r'cel \{ id: "(\w+)".*\}', r"cel \1", rule)
    return SAMPLES[rule]


def filled(field: FieldDescriptor, count: int) -> list[Any]:
    """So many items, whatever they are."""
    if field.message_type:
        return [{} for _ in range(count)]
    return [0 if field.enum_type else UUID] * count


def cases(name: str, member: str) -> tuple[list[Message], list[Message]]:
    """Messages that hold the rule of a field, and messages that break it."""
    of = message_class(name)
    descriptor: Descriptor = of.DESCRIPTOR  # type: ignore[assignment]
    rule = FACTS.rules[name, member]
    if member in descriptor.oneofs_by_name:
        assert rule == "required: true"
        return [of(**{field.name: zero(field)}) for field in descriptor.oneofs_by_name[member].fields], [of()]
    field = descriptor.fields_by_name[member]
    if rule == "required: true":
        return [of(**{member: {} if field.message_type else "x"})], [of()]
    rule = rule.removesuffix(" required: true")
    if rule.endswith(" ignore: IGNORE_IF_UNPOPULATED"):
        good, bad = samples(rule.removesuffix(" ignore: IGNORE_IF_UNPOPULATED"))
        good, bad = [*good, ""], [value for value in bad if value]
        return [with_value(of, field, value) for value in good], [
            with_value(of, field, value) for value in bad
        ]
    if found := re.fullmatch(
        r"repeated \{ (?:min_items: 0 )?(?:max_items: (\d+) ?)?(?:items \{ (.*) \} )?\}", rule
    ):
        most, items = found[1], found[2]
        held = [with_items(of, field, [])]
        broken = []
        if most:
            held.append(with_items(of, field, filled(field, int(most))))
            broken.append(with_items(of, field, filled(field, int(most) + 1)))
        if items:
            good, bad = samples(items)
            held += [with_items(of, field, [value]) for value in good]
            broken += [with_items(of, field, [good[0], value]) for value in bad]
        return held, broken
    if found := re.fullmatch(r"map \{ keys \{ (.*?) \}(?: values \{ (.*) \})? \}", rule):
        good, bad = samples(found[1])
        held = [with_entry(of, field, key, "") for key in good]
        broken = [with_entry(of, field, key, "") for key in bad]
        if found[2]:
            good, bad = samples(found[2])
            held += [with_entry(of, field, "key", value) for value in good]
            broken += [with_entry(of, field, "key", value) for value in bad]
        return held, broken
    good, bad = samples(rule)
    return [with_value(of, field, value) for value in good], [with_value(of, field, value) for value in bad]


def zero(field: FieldDescriptor) -> Any:
    return {} if field.message_type else False if field.type == FieldDescriptor.TYPE_BOOL else ""


def complaints(message: Message, member: str) -> list[str]:
    """What is said of the member itself, its items and its keys, and not by the rules of the messages in it."""
    descriptor: Descriptor = message.DESCRIPTOR  # type: ignore[assignment]
    field = descriptor.fields_by_name.get(member)
    if field is None:
        return [str(one) for one in VALIDATOR.violations(message) if not one.path]
    depth = 2 if field.is_repeated else 1
    found = [
        one
        for one in VALIDATOR.violations(message)
        if one.path[0] == field.json_name and len(one.path) <= depth
    ]
    return [str(one) for one in found]


@pytest.mark.parametrize(("name", "member"), FACTS.rules, ids=str)
def test_rule_of_the_facts_is_kept(name: str, member: str) -> None:
    held, broken = cases(name, member)
    assert held
    assert broken

    for message in held:
        assert not complaints(message, member), message
    for message in broken:
        assert complaints(message, member), message


def test_no_rule_is_made_up() -> None:
    declared = {(name, member) for name, rules in RULES.items() for member in rules}

    assert declared == set(FACTS.rules)
