"""The decoder, the published schema and the explanations give one verdict, on generated and on changed real files."""

from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.config import Loaded, load_bytes
from supervisor.config.decode import Undecodable, decode
from supervisor.config.explainer import validator
from supervisor.config.problem import path_text
from tests.config.trees import KEYS, VALUES, Data, Written, at, files, mutated, node, ways
from tests.contract import ACCEPTED, OUR_OWN

# The same examples on every machine: what fails in CI fails here.
examples = settings(derandomize=True, max_examples=300)


def decodes(data: Data) -> bool:
    try:
        decode(node(data))
    except Undecodable:
        return False
    return True


def references_meet(data: Data) -> bool:
    """The rules for references, said a second time and naively."""
    services, tasks = ((data or {}).get(kind) or {} for kind in ("services", "tasks"))
    needs = {name: set(task.get("dependsOn") or task.get("depends_on") or ()) for name, task in tasks.items()}
    if services.keys() & tasks.keys() or any(
        on not in {*services, *tasks} for each in needs.values() for on in each
    ):
        return False
    while ready := [name for name, on in needs.items() if not on & needs.keys()]:
        for name in ready:
            del needs[name]
    return not needs


def check_verdict(data: Data) -> None:
    written = Written(data)
    loaded = load_bytes(written.text.encode())
    is_right = validator().is_valid(data)

    assert decodes(data) == is_right
    assert (loaded.file is not None) == (is_right and references_meet(data))
    check_places(loaded, written)


def check_places(loaded: Loaded, written: Written) -> None:
    """Each problem stands at the line of the part that its path names, or of that part's first line below."""
    by_path = {path_text(way): line for way, line in written.lines.items()}
    lines = written.text.split("\n")
    assert (loaded.file is None) == bool(loaded.errors)
    for problem in loaded.problems:
        if not problem.path:
            continue
        assert problem.line - by_path[problem.path] in (0, 1), problem
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1


@examples
@given(files)
def test_right_shape_is_accepted_by_both(data: Data) -> None:
    assert decodes(data)
    assert validator().is_valid(data)


@examples
@given(mutated(files))
def test_generated_files_get_one_verdict_at_the_right_lines(data: Data) -> None:
    check_verdict(data)


def whole_file() -> Data:
    """Every field that there is, so that every field meets every value below."""
    runs_on = {"docker": {"image": "x", "environment": ["A=b"]}}
    start: dict[str, Any] = {"start": "x", "ready": "x", "stop": "x"}
    common: dict[str, Any] = {"name": "x", "description": "x", "triggeredBy": ["manual"], "runsOn": runs_on}
    service = {**common, "commands": start, "role": "editor", "readinessTimeout": "1s"}
    task = {**common, "command": "x", "dependsOn": ["web"], "prebuildRequiresSuccess": True}
    return {"services": {"web": service}, "tasks": {"build": task}}


@pytest.mark.parametrize("way", list(ways(whole_file())), ids=path_text)
def test_every_field_with_every_value_gets_one_verdict(way: tuple[str | int, ...]) -> None:
    for value in VALUES:
        data = whole_file()
        if way:
            at(data, way[:-1])[way[-1]] = value
        else:
            data = value
        check_verdict(data)


@pytest.mark.parametrize(
    "way", [way for way in ways(whole_file()) if isinstance(at(whole_file(), way), dict)], ids=path_text
)
def test_every_mapping_with_every_key_gets_one_verdict(way: tuple[str | int, ...]) -> None:
    for key in KEYS:
        for value in (None, "x", {"name": "x", "command": "y"}, {"name": "x", "commands": {"start": "y"}}):
            data = whole_file()
            at(data, way)[key] = value
            check_verdict(data)


@examples
@given(st.data())
def test_changed_real_files_get_one_verdict_at_the_right_lines(source: st.DataObject) -> None:
    real = st.sampled_from(ACCEPTED or OUR_OWN).map(lambda path: yaml.safe_load(path.read_text()))
    check_verdict(source.draw(mutated(real, most=3)))


def test_schema_judges_without_the_explainers_own_rule_for_patterns() -> None:
    """Editors use the schema as it is; Python's own `$` is laxer only before a last line end."""
    plain = jsonschema.Draft202012Validator(validator().schema)

    assert plain.is_valid(whole_file())
    assert not plain.is_valid({"tasks": {"a b": {"name": "x", "command": "y"}}})
