"""The table of settings, and that everything that should follow from it does."""

import re

import click
import pytest

from supervisor.boot.run_settings import ApiSettings, Settings, settings_from
from supervisor.cli.commands.cmd_config import config
from supervisor.cli.commands.cmd_run import run
from supervisor.cli.remote import discovery
from supervisor.settings import table
from supervisor.settings.resolved import resolve
from supervisor.settings.table import SETTINGS, Setting


def test_names_are_flags_and_unique() -> None:
    names = [setting.name for setting in SETTINGS]

    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in names)


def test_every_setting_of_the_module_is_in_the_table() -> None:
    assert {value.name for value in vars(table).values() if isinstance(value, Setting)} == {
        setting.name for setting in SETTINGS
    }


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_a_setting_has_a_default_that_can_be_parsed_and_says_what_holds_without(setting: Setting) -> None:  # type: ignore[type-arg]
    setting.parse(setting.default)
    assert setting.default or setting.unset
    assert setting.help.endswith(".")


def test_names_of_flag_and_variable_follow() -> None:
    assert table.LOG_LIMIT.flag == "--log-limit"
    assert table.LOG_LIMIT.variable == "SUPERVISOR_LOG_LIMIT"


@pytest.mark.parametrize("command", [run, config], ids=["run", "config"])
def test_the_options_of_a_command_are_those_of_the_table(command: click.Command) -> None:
    options = {option for parameter in command.params for option in parameter.opts}

    expected = {setting.flag for setting in SETTINGS if not setting.only_in_spec}
    assert options == expected | {"file", "--format"}


def test_who_looks_for_a_supervisor_knows_the_variables() -> None:
    assert table.STATE_DIR.variable == discovery.STATE_DIR
    assert table.WORKSPACE.variable == discovery.WORKSPACE


def test_a_secret_has_neither_flag_nor_variable() -> None:
    assert [setting.name for setting in SETTINGS if setting.only_in_spec] == ["environment-token"]


def test_what_a_supervisor_is_told_without_any_setting_is_the_default(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    settings = settings_from(resolve({}, {}))

    assert settings == Settings(workspace=settings.workspace, api=ApiSettings())
    assert str(settings.workspace) == str(tmp_path)
