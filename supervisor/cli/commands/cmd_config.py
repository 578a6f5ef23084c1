"""`supervisor config`: every setting, its value, and the source of the value."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import click

from supervisor.cli.common_options import output_format
from supervisor.cli.remote.options import print_json
from supervisor.cli.setting_flags import RunLike, setting_flags
from supervisor.cli.terminal.tables import table
from supervisor.settings.argv import RunArguments
from supervisor.settings.initial_spec import read_settings
from supervisor.settings.resolved import Resolved, SettingSource
from supervisor.settings.table import AUTOMATIONS, ENVIRONMENT_TOKEN, SETTINGS, STATE_DIR, WORKSPACE, Setting

MASKED = "***"


@click.command("config", cls=RunLike)
@setting_flags
@output_format
def config(arguments: RunArguments) -> None:
    """Print every setting, its value and its source, as "supervisor run" would have them here.

    Takes the flags of "supervisor run". The first of these sources that has a value counts: a flag, a variable
    SUPERVISOR_<NAME>, the runner's initial-spec.json, the default. The token is shown as ***. Exits 2 if a value cannot
    be used.

    \b
      supervisor config
      supervisor config --listen none --format json
    """
    resolved = read_settings(arguments.flags, os.environ)
    for notice in _notices(resolved):
        click.echo(f"supervisor: {notice}", err=True)
    if arguments.as_json:
        print_json(config_json(resolved))
        return
    lines = [[row["name"], _from(row), row["value"] or row["note"]] for row in _rows(resolved)]
    click.echo(table(["SETTING", "FROM", "VALUE"], lines))


def config_json(resolved: Resolved) -> dict[str, Any]:
    """The settings as JSON, and sentences about those that have no effect."""
    return {"settings": _rows(resolved), "notices": list(_notices(resolved))}


def _rows(resolved: Resolved) -> list[dict[str, str]]:
    return [_row(setting, resolved) for setting in SETTINGS if _is_shown(setting, resolved)]


def _is_shown(setting: Setting[Any], resolved: Resolved) -> bool:
    return not setting.hidden or resolved.origin(setting).source is not SettingSource.DEFAULT


def _row(setting: Setting[Any], resolved: Resolved) -> dict[str, str]:
    origin = resolved.origin(setting)
    return {
        "name": setting.name,
        "value": _value(setting, resolved),
        "note": "" if origin.text else setting.unset,
        "source": origin.source.value,
        "from": origin.name,
    }


def _from(row: dict[str, str]) -> str:
    return row["from"] or row["source"]


def _value(setting: Setting[Any], resolved: Resolved) -> str:
    """The text as it was given, or the value that a default has here; empty: the note says what applies."""
    origin = resolved.origin(setting)
    if setting is ENVIRONMENT_TOKEN and resolved[ENVIRONMENT_TOKEN]:
        return MASKED
    return origin.text or _derived(setting, resolved)


def _derived(setting: Setting[Any], resolved: Resolved) -> str:
    from supervisor.boot.run_settings import state_dir_of, workspace_of

    workspace = workspace_of(resolved[AUTOMATIONS], resolved[WORKSPACE])
    if setting is WORKSPACE:
        return str(workspace)
    if setting is STATE_DIR:
        return str(state_dir_of(resolved))
    if setting is AUTOMATIONS:
        from supervisor.config import find_file

        return str(find_file(workspace).path or "")
    return ""


def _notices(resolved: Resolved) -> Iterator[str]:
    from supervisor.boot.run_settings import settings_from

    yield from settings_from(resolved).notices
