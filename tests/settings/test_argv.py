"""The command line of a supervisor that has left the folder that it was started in."""

from pathlib import Path

import click
import pytest

from supervisor.cli.commands.cmd_run import run
from supervisor.cli.setting_flags import flags_of
from supervisor.settings.argv import absolute_arguments, absolute_variables
from supervisor.settings.table import BY_NAME


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("status", "status"),
        ("run", "run --workspace {here}"),
        ("run --logs --format json", "run --workspace {here} --logs --format json"),
        ("run a.yaml --listen none", "run {here}/a.yaml --listen none"),
        ("run --logs -- -a.yaml", "run --logs -- {here}/-a.yaml"),
        ("run --automations=/a.yaml --state-dir s", "run --automations=/a.yaml --state-dir {here}/s"),
        ("run --workspace=w --trigger prebuild", "run --workspace={here}/w --trigger prebuild"),
        ("run --initial-spec", "run --workspace {here} --initial-spec"),
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


def test_every_option_of_run_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new option that takes a value must not have it taken for FILE."""
    monkeypatch.chdir(tmp_path)
    for option in run.params:
        if isinstance(option, click.Option) and not option.is_flag:
            name = option.opts[0].removeprefix("--")
            setting = BY_NAME.get(name)
            choices = option.type.choices if isinstance(option.type, click.Choice) else ["value"]
            words = absolute_arguments(["run", "--workspace", "/w", option.opts[0], str(choices[0])], {})
            given = flags_of(run.make_context("run", words[1:]).params)
            assert "automations" not in given or name == "automations", name
            assert setting is None or name in given
