"""The compiled messages and services are what the contract's wire facts say, and are generated from `schemas/`."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor

from platform_wire import identity_pb2
from schemas import generate
from tests.platform_wire import facts
from tests.platform_wire.facts import Field

NAMES = sorted(path.stem for path in generate.SCHEMAS.glob("*/v1/*.proto"))
FILES: list[FileDescriptor] = [
    importlib.import_module(f"platform_wire.{name}_pb2").DESCRIPTOR for name in NAMES
]
FACTS = facts.facts()

# The contract names the service without its messages, and of `Secret` only what is inside: as in the public client.
BESIDE_THE_FACTS = {
    "gitpod.v1.IdentityService",
    "gitpod.v1.GetIDTokenRequest",
    "gitpod.v1.GetIDTokenResponse",
    "gitpod.v1.GetAuthenticatedIdentityRequest",
    "gitpod.v1.GetAuthenticatedIdentityResponse",
    "gitpod.v1.ExchangeTokenRequest",
    "gitpod.v1.ExchangeTokenResponse",
    "gitpod.v1.IDTokenVersion",
    "gitpod.v1.Secret",
}


def messages(parent: FileDescriptor | Descriptor) -> Iterator[Descriptor]:
    nested = (
        parent.message_types_by_name if isinstance(parent, FileDescriptor) else parent.nested_types_by_name
    )
    for message in nested.values():
        if not message.GetOptions().map_entry:
            yield message
            yield from messages(message)


def enums(file: FileDescriptor) -> Iterator[EnumDescriptor]:
    yield from file.enum_types_by_name.values()
    for message in messages(file):
        yield from message.enum_types


def type_name(field: FieldDescriptor) -> str:
    if field.message_type and field.message_type.GetOptions().map_entry:
        key, value = field.message_type.fields
        return f"map<{type_name(key)}, {type_name(value)}>"
    if named := field.message_type or field.enum_type:
        return str(named.full_name)
    names = {number: name for name, number in vars(FieldDescriptor).items() if name.startswith("TYPE_")}
    return names[field.type].removeprefix("TYPE_").lower()


def as_fact(field: FieldDescriptor) -> Field:
    type_ = type_name(field)
    # `optional` is a oneof of its own to protobuf, named after its field.
    oneof = field.containing_oneof.name if field.containing_oneof else ""
    optional = oneof == f"_{field.name}"
    label = (
        "repeated" if field.is_repeated and not type_.startswith("map<") else "optional" if optional else ""
    )
    return Field(
        field.number,
        field.name,
        type_,
        label,
        "" if optional else oneof,
        field.GetOptions().deprecated,
    )


def test_messages_have_the_fields_of_the_facts() -> None:
    compiled = {
        message.full_name: [
            as_fact(field) for field in sorted(message.fields, key=lambda field: field.number)
        ]
        for file in FILES
        for message in messages(file)
        if message.full_name not in BESIDE_THE_FACTS
    }

    assert compiled == FACTS.messages


def test_enums_have_the_values_of_the_facts() -> None:
    compiled = {
        enum.full_name: {value.number: value.name for value in enum.values}
        for file in FILES
        for enum in enums(file)
        if enum.full_name not in BESIDE_THE_FACTS
    }

    assert compiled == FACTS.enums


def test_services_have_the_methods_of_the_facts() -> None:
    compiled = {
        service.full_name: {
            method.name: (method.input_type.full_name, method.output_type.full_name, method.server_streaming)
            for method in service.methods
        }
        for file in FILES
        for service in file.services_by_name.values()
        if service.full_name not in BESIDE_THE_FACTS
    }

    assert compiled == FACTS.methods


def test_everything_stands_in_the_file_that_the_facts_name() -> None:
    compiled = {
        item.full_name: file.name
        for file in FILES
        for item in [*file.services_by_name.values(), *messages(file), *enums(file)]
        if item.full_name not in BESIDE_THE_FACTS
    }

    assert compiled == FACTS.files


def test_identity_names_the_subject_and_its_organization() -> None:
    response: Descriptor = identity_pb2.GetAuthenticatedIdentityResponse.DESCRIPTOR  # type: ignore[assignment]

    assert [(field.number, field.name, type_name(field)) for field in response.fields] == [
        (1, "subject", "gitpod.v1.Subject"),
        (2, "organization_id", "string"),
        (3, "organization_tier", "string"),
    ]


def modules() -> list[Path]:
    return [
        *generate.WIRE.glob("*_pb2.py*"),
        *generate.WIRE.glob("*_connect.py"),
        *generate.WIRE.glob("*_handler.py"),
    ]


def test_generated_modules_are_fresh(tmp_path: Path) -> None:
    generate.generated(tmp_path)

    fresh = {path.name: path.read_text("utf-8") for path in tmp_path.iterdir()}
    committed = {path.name: path.read_text("utf-8") for path in modules()}
    assert fresh.keys() == committed.keys()
    stale = [name for name in fresh if fresh[name] != committed[name]]
    assert not stale, "run .venv/bin/python schemas/generate.py"


def test_generated_modules_import_nothing_of_the_platforms_client() -> None:
    foreign = re.compile(r"^\s*(?:from|import) (?:gitpod|supervisor\.v1)\b", re.MULTILINE)

    assert not [path.name for path in modules() if foreign.search(path.read_text("utf-8"))]
