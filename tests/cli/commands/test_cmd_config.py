"""`supervisor config`: what it prints of each source, and what it keeps to itself."""

import json
from pathlib import Path

import pytest

from supervisor.settings.table import SETTINGS
from tests.cli.conftest import Invoke, Result

UUID = "07e03a28-65a5-4d98-b532-8ea67b188048"


def row(result: Result, name: str) -> tuple[str, str, str]:
    [found] = [row for row in result.json["settings"] if row["name"] == name]
    return found["value"], found["source"], found["from"]


def test_every_setting_is_printed_with_its_source(
    supervisor: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = Path("spec.json").absolute()
    spec.write_text(json.dumps({"environmentToken": "s3cret", "environmentId": UUID}))
    monkeypatch.setenv("SUPERVISOR_LISTEN", "none")
    result = supervisor("config", "--log-limit", "5", "--initial-spec", spec, "--format", "json")

    assert result.status == 0
    assert {row["name"] for row in result.json["settings"]} == {
        setting.name for setting in SETTINGS if not setting.hidden
    }
    assert row(result, "log-limit") == ("5", "flag", "--log-limit")
    assert row(result, "listen") == ("none", "variable", "SUPERVISOR_LISTEN")
    assert row(result, "environment-id") == (UUID, "spec", f"environmentId in {spec}")
    assert row(result, "environment-token") == ("***", "spec", f"environmentToken in {spec}")
    assert row(result, "drain-grace") == ("30s", "default", "")


def test_what_a_default_comes_to_here_is_printed(supervisor: Invoke, folder: Path) -> None:
    Path("automations.yaml").write_text("tasks: {}")
    result = supervisor("config", "--format", "json")

    assert row(result, "workspace") == (str(folder), "default", "")
    assert row(result, "automations") == (f"{folder}/automations.yaml", "default", "")
    assert f"/supervisor/{folder.name[:32]}-" in row(result, "state-dir")[0]


def test_the_table_for_people_says_what_holds_where_nothing_is_set(supervisor: Invoke) -> None:
    lines = supervisor("config").out.splitlines()

    assert lines[0].split() == ["SETTING", "FROM", "VALUE"]
    [line] = [line for line in lines if line.startswith("public-url")]
    assert line.split(maxsplit=2) == ["public-url", "default", "the address that the API listens on"]


@pytest.mark.parametrize("output", ["text", "json"])
def test_the_token_is_never_printed(supervisor: Invoke, output: str) -> None:
    for content in ({"environmentToken": "s3cret"}, {"environmentToken": ["s3cret"]}):
        Path("spec.json").write_text(json.dumps(content))
        for arguments in (["--initial-spec", "spec.json"], ["--environment-token-file", "spec.json"]):
            result = supervisor("config", *arguments, "--format", output)
            assert "s3cret" not in result.out + result.err


def test_a_value_that_cannot_be_used_exits_2(supervisor: Invoke) -> None:
    result = supervisor("config", "--log-limit", "0")

    assert (result.status, result.out) == (2, "")
    assert (
        result.err == 'supervisor: cannot use --log-limit "0": it is not a whole number from 1 to 1048576\n'
    )


def test_file_and_automations_exclude_each_other(supervisor: Invoke) -> None:
    result = supervisor("config", "a.yaml", "--automations", "b.yaml")

    assert result.status == 2
    assert "give one of them" in result.err


def test_an_incomplete_launch_says_what_is_missing(supervisor: Invoke) -> None:
    result = supervisor("config", "--control-plane-url", "https://app.example.com")

    assert result.status == 0
    assert result.err == (
        "supervisor: activity is not reported to the management plane: a token and an environment id is missing\n"
    )
