"""The command line of a supervisor that has left the folder that it was started in."""

from pathlib import Path

import click
import pytest

from supervisor.cli.commands.cmd_run import run
from supervisor.settings.argv import absolute_arguments, absolute_variables, read_arguments
from supervisor.settings.table import BY_NAME


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("status", "status"),
        ("run", "run --workspace {here}"),
        ("run --logs --format json", "run --workspace {here} --logs --format json"),
        ("run a.yaml --listen none", "run --listen none {here}/a.yaml"),
        ("run --logs -- -a.yaml", "run --logs {here}/-a.yaml"),
        ("run --automations=/a.yaml --state-dir s", "run --automations /a.yaml --state-dir {here}/s"),
        ("run --workspace=w --trigger prebuild", "run --workspace {here}/w --trigger prebuild"),
    ],
)
def test_arguments_mean_the_same_in_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute_arguments(arguments.split(), {}) == expected.format(here=tmp_path).split()


def test_variables_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"SUPERVISOR_WORKSPACE": "w", "SUPERVISOR_STATE_DIR": "/s", "SUPERVISOR_AUTOMATIONS": ""}
    assert absolute_arguments(["run"], environ) == ["run"]
    assert absolute_variables(environ) == {
        "SUPERVISOR_WORKSPACE": f"{tmp_path}/w",
        "SUPERVISOR_STATE_DIR": "/s",
    }


def test_every_option_of_run_is_understood() -> None:
    """The parser and what the help shows have the same options."""
    for option in run.params:
        if isinstance(option, click.Option):
            words = [option.opts[0]] if option.is_flag else [option.opts[0], "json"]
            name = option.opts[0].removeprefix("--")
            read = read_arguments(words)
            assert read.flags.keys() == ({name} if name in BY_NAME else set())
            assert read.as_json is (name == "format")
            assert absolute_arguments(["run", "--workspace", "/w", *words], {})[:4][3:] == words[:1]
