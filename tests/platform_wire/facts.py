"""Reads the contract's wire facts: every service, message, field and enum value, and what a value must hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.contract import WIRE

HEAD = re.compile(r"(service|message|enum) (\S+)  \((\S+)\)")
METHOD = re.compile(r"(\w+)\((\S+)\) -> (stream )?(\S+)")
ENUM_VALUE = re.compile(r"(\d+) (\w+)")
FIELD = re.compile(
    r"(?P<number>\d+) (?P<name>\w+): (?P<label>repeated |optional )?(?P<type>map<\S+ \S+>|[\w.]+)"
    r"(?P<deprecated> \(deprecated\))?(?: \| oneof (?P<oneof>\w+))?(?: \| rule: (?P<rule>.*))?"
)
ONEOF = re.compile(r"oneof (?P<name>\w+) \| rule: (?P<rule>.*)")


@dataclass(frozen=True, slots=True)
class Field:
    """A line of a message."""

    number: int
    name: str
    type: str
    label: str
    oneof: str
    deprecated: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """All of the files together. What two of them say alike stands once."""

    files: dict[str, str] = field(default_factory=dict)
    """{service, message or enum: .proto file}"""
    methods: dict[str, dict[str, tuple[str, str, bool]]] = field(default_factory=dict)
    """{service: {method: (request, response, whether responses are a stream)}}"""
    messages: dict[str, list[Field]] = field(default_factory=dict)
    enums: dict[str, dict[int, str]] = field(default_factory=dict)
    rules: dict[tuple[str, str], str] = field(default_factory=dict)
    """{(message, field or oneof): rule}"""


def facts() -> Facts:
    """Everything that the contract says."""
    result = Facts()
    for path in sorted(WIRE.glob("*.txt")):
        for (kind, name, file), lines in blocks(path.read_text("utf-8")):
            result.files[name] = file
            match kind:
                case "service":
                    result.methods[name] = {}
                    for line in lines:
                        method, request, stream, response = matched(METHOD, line).groups()
                        result.methods[name][method] = (request, response, stream is not None)
                case "enum":
                    values = [matched(ENUM_VALUE, line).groups() for line in lines]
                    result.enums[name] = {int(number): word for number, word in values}
                case _:
                    add_message(result, name, lines)
    return result


def blocks(text: str) -> Iterator[tuple[tuple[str, str, str], list[str]]]:
    """Every block's head, as (kind, name, file), with the lines indented below it."""
    for block in re.split(r"\n(?=\S)", text.replace("\n\n", "\n").strip()):
        head, *lines = block.splitlines()
        kind, name, file = matched(HEAD, head).groups()
        yield (kind, name, file), [line.strip() for line in lines]


def add_message(result: Facts, message: str, lines: list[str]) -> None:
    fields = []
    for line in lines:
        if oneof := ONEOF.fullmatch(line):
            result.rules[message, oneof["name"]] = oneof["rule"]
            continue
        found = matched(FIELD, line)
        fields.append(
            Field(
                int(found["number"]),
                found["name"],
                found["type"],
                (found["label"] or "").strip(),
                found["oneof"] or "",
                found["deprecated"] is not None,
            )
        )
        if found["rule"]:
            result.rules[message, found["name"]] = found["rule"]
    result.messages[message] = sorted(fields, key=lambda field: field.number)


def matched(pattern: re.Pattern[str], line: str) -> re.Match[str]:
    """The match of a whole line; a line that says something else must not pass for nothing."""
    found = pattern.fullmatch(line)
    assert found, f"not understood: {line}"
    return found
