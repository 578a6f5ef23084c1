"""The published schema says as much as an editor can use, and the starter file shows what it says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from supervisor.config import decode, load_bytes, resources
from supervisor.config.explainer import validator
from supervisor.config.resources import schema_path, starter_text
from supervisor.model.spec import SERVICE_TRIGGERS, TASK_TRIGGERS, Role

Schema = dict[str, Any]


def published() -> Schema:
    whole = validator().schema
    assert isinstance(whole, dict)
    return whole


def fields() -> Iterator[tuple[str, str, Schema]]:
    """Every field with its path, its name and its schema."""
    yield from _fields(published(), "")
    for name, definition in published()["$defs"].items():
        yield from _fields(definition, name)


def _fields(owner: Schema, path: str) -> Iterator[tuple[str, str, Schema]]:
    for name, field in owner.get("properties", {}).items():
        yield f"{path}.{name}", name, field
        yield from _fields(field, f"{path}.{name}")


def test_schema_is_valid_2020_12_and_names_no_host() -> None:
    assert published()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert published()["$id"].startswith("urn:")
    jsonschema.Draft202012Validator.check_schema(published())


@pytest.mark.parametrize(("path", "field"), [(path, field) for path, _, field in fields()])
def test_every_field_has_a_title_and_a_description(path: str, field: Schema) -> None:
    field = field | published()["$defs"].get(field.get("$ref", "").removeprefix("#/$defs/"), {}) | field

    assert field["title"]
    assert len(field["description"]) > 20
    assert field["description"].endswith(".")


def test_other_spelling_is_marked_and_means_the_same() -> None:
    others = {(path, name): field for path, name, field in fields() if "_" in name}
    usual = {path: field for path, _, field in fields()}

    assert {name for _, name in others} == {
        *("triggered_by", "depends_on", "runs_on", "readiness_timeout", "prebuild_requires_success")
    }
    for (path, name), field in others.items():
        owner = path.removesuffix(name)
        same = next(usual[f"{owner}{first}"] for first in _first_spellings() if decode.snake(first) == name)
        words = {"title", "description", "deprecated", "examples", "default"}
        assert field["deprecated"] is True
        assert {k: v for k, v in field.items() if k not in words} == {
            k: v for k, v in same.items() if k not in words
        }


def _first_spellings() -> list[str]:
    return ["triggeredBy", "dependsOn", "runsOn", "readinessTimeout", "prebuildRequiresSuccess"]


def test_schema_has_the_triggers_and_roles_of_the_model() -> None:
    defs = published()["$defs"]

    assert set(defs["serviceTrigger"]["enum"]) == {trigger.value for trigger in SERVICE_TRIGGERS}
    assert set(defs["taskTrigger"]["enum"]) == {trigger.value for trigger in TASK_TRIGGERS}
    assert set(defs["service"]["properties"]["role"]["enum"]) == {"", None, *(role.value for role in Role)}


def test_every_choice_is_described() -> None:
    described = [each for each in _parts(published()) if "enum" in each]

    assert len(described) == 3
    for each in described:
        assert len(each["enum"]) == len(each["enumDescriptions"])


def test_every_example_in_the_schema_is_valid() -> None:
    for part in _parts(published()):
        for example in part.get("examples", ()):
            definitions = {"$defs": published()["$defs"]}
            jsonschema.Draft202012Validator({**definitions, **part}).validate(example)


def _parts(part: object) -> Iterator[Schema]:
    if isinstance(part, dict):
        yield part
        for below in part.values():
            yield from _parts(below)
    elif isinstance(part, list):
        for below in part:
            yield from _parts(below)


def test_schema_of_an_installed_package_is_found_inside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "supervisor"
    monkeypatch.setattr(resources, "_PACKAGE", package)

    assert schema_path() == tmp_path / "schemas" / "automations.schema.json"
    (package / "schemas").mkdir(parents=True)
    (package / "schemas" / "automations.schema.json").touch()
    assert schema_path() == package / "schemas" / "automations.schema.json"


# ---- the starter file ----


def test_starter_file_is_valid_without_a_warning() -> None:
    loaded = load_bytes(starter_text().encode())

    assert loaded.file is not None
    assert loaded.problems == ()


def test_starter_file_shows_every_field_and_every_trigger() -> None:
    shown = {key for part in _parts(yaml.safe_load(starter_text())) for key in part}
    usual = {name for _, name, _ in fields() if "_" not in name}

    assert usual - shown == {"machine"}
    for word in ("machine: {}", *(trigger.value for trigger in TASK_TRIGGERS)):
        assert word in starter_text()


def test_starter_file_has_more_words_than_settings() -> None:
    lines = starter_text().splitlines()

    assert sum("#" in line for line in lines) > 20
    assert max(map(len, lines)) <= 120
