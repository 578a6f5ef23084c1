"""`supervisor validate`: the verdict on a file, for people and for programs."""

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke
from tests.contract import CORPUS, needs_corpus

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures"

WEB = "services: {web: {name: Web, triggeredBy: [postEnvironmentStart], commands: {start: serve}}}\n"
MISSPELT = "tasks:\n  build:\n    name: Build\n    comand: make\n"


def test_valid_file_exits_0_and_says_what_is_in_it(supervisor: Invoke, folder: Path) -> None:
    (folder / "a.yaml").write_text(WEB)

    result = supervisor("validate", "a.yaml")

    assert (result.status, result.out, result.err) == (0, "a.yaml: valid: 1 service, 0 tasks\n", "")


def test_file_is_looked_up_where_none_is_named(supervisor: Invoke, folder: Path) -> None:
    (folder / ".gitpod").mkdir()
    (folder / ".gitpod/automations.yaml").write_text(WEB)

    assert supervisor("validate").out == ".gitpod/automations.yaml: valid: 1 service, 0 tasks\n"


def test_no_file_to_be_found_is_wrong_usage_and_names_the_places(supervisor: Invoke) -> None:
    result = supervisor("validate")

    assert (result.status, result.out) == (2, "")
    assert "looked for .ona/automations.yaml, .ona/automations.yml, .gitpod/" in result.err
    assert "supervisor init" in result.err


def test_invalid_file_exits_1_with_place_path_and_suggestion(supervisor: Invoke, folder: Path) -> None:
    (folder / "a.yaml").write_text(MISSPELT)

    result = supervisor("validate", "a.yaml")

    assert result.status == 1
    assert 'a.yaml:4:5: tasks.build.comand: unknown field "comand"; did you mean "command"?' in result.out
    assert result.out.splitlines()[-1] == "a.yaml: 2 errors"


def test_warnings_do_not_count(supervisor: Invoke, folder: Path) -> None:
    (folder / "a.yaml").write_text("tasks: {build: {name: Build, command: make}}\n")

    result = supervisor("validate", "a.yaml")

    assert result.status == 0
    assert "a.yaml:1:9: warning: no service and no task has a trigger" in result.out
    assert result.out.endswith("a.yaml: valid: 0 services, 1 task\n")


def test_json_form_holds_the_same(supervisor: Invoke, folder: Path) -> None:
    (folder / "a.yaml").write_text(MISSPELT)

    result = supervisor("validate", "a.yaml", "--format", "json")

    assert result.status == 1
    assert (result.json["file"], result.json["valid"]) == ("a.yaml", False)
    misspelt = next(problem for problem in result.json["problems"] if problem["line"] == 4)
    assert {key: misspelt[key] for key in ("severity", "column", "path", "hint")} == {
        "severity": "error",
        "column": 5,
        "path": "tasks.build.comand",
        "hint": 'did you mean "command"?',
    }


def test_json_form_of_a_valid_file_has_no_problems(supervisor: Invoke, folder: Path) -> None:
    (folder / "a.yaml").write_text(WEB)

    result = supervisor("validate", "a.yaml", "--format=json")

    assert (result.status, result.json) == (0, {"file": "a.yaml", "valid": True, "problems": []})


def test_standard_input_is_read_for_a_dash(supervisor: Invoke) -> None:
    assert supervisor("validate", "-", stdin=WEB.encode()).out == "<stdin>: valid: 1 service, 0 tasks\n"

    refused = supervisor("validate", "-", stdin=MISSPELT.encode())
    assert refused.status == 1
    assert refused.out.startswith("<stdin>:")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\x7fELF\x02\x01\x01\x00\x00", "binary"),
        (b"name: M\xfcller\n", "UTF-8"),
        (b"# " + b"x" * (11 << 20), "10 MB"),
        (b"a: [1, 2\n", "a.yaml:1:4: "),
        (b"just words\n", "must be a mapping"),
    ],
    ids=["binary", "latin-1", "huge", "no-yaml", "no-mapping"],
)
def test_file_that_is_no_automations_file_is_refused_in_a_sentence(
    supervisor: Invoke, folder: Path, content: bytes, says: str
) -> None:
    (folder / "a.yaml").write_bytes(content)

    result = supervisor("validate", "a.yaml")

    assert (result.status, result.err) == (1, "")
    assert says in result.out
    assert len(result.out) < 1000


def test_missing_file_and_folder_are_refused_in_a_sentence(supervisor: Invoke, folder: Path) -> None:
    assert supervisor("validate", "gone.yaml").out == (
        "gone.yaml: cannot read the file: no such file or directory\ngone.yaml: 1 error\n"
    )
    assert "it is a directory" in supervisor("validate", folder).out
    assert supervisor("validate", "gone.yaml").status == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_refused_in_a_sentence(supervisor: Invoke, folder: Path) -> None:
    (folder / "a.yaml").touch(mode=0o000)

    assert "cannot read the file: permission denied" in supervisor("validate", "a.yaml").out


def test_file_with_nothing_in_it_is_valid(supervisor: Invoke, folder: Path) -> None:
    (folder / "a.yaml").touch()

    assert supervisor("validate", "a.yaml").status == 0


def test_cycle_is_shown_as_its_whole_path(supervisor: Invoke, folder: Path) -> None:
    (folder / "a.yaml").write_text(
        "tasks:\n"
        "  build: {name: Build, command: make, dependsOn: [test]}\n"
        "  test: {name: Test, command: make test, dependsOn: [build]}\n"
    )

    result = supervisor("validate", "a.yaml")

    assert result.status == 1
    assert "build -> test -> build" in result.out


@pytest.mark.parametrize("folder_name", ["behaviours", "quickstart", "files/accepted"])
def test_fixtures_that_should_be_are_valid(supervisor: Invoke, folder_name: str) -> None:
    for path in sorted((FIXTURES / folder_name).glob("*.yaml")):
        assert supervisor("validate", path).status == 0, path.name


@pytest.mark.parametrize("verdict", ["accepted", "rejected"])
@needs_corpus
def test_corpus_gets_its_verdict(supervisor: Invoke, verdict: str) -> None:
    files = sorted((CORPUS / verdict).iterdir())
    results = {path.name: supervisor("validate", path) for path in files}

    wrong = {name: result.out for name, result in results.items() if result.status != (verdict == "rejected")}
    assert wrong == {}
    if verdict == "rejected":
        for path in files:
            assert results[path.name].out.startswith(f"{path}:"), "the place of the first error"
