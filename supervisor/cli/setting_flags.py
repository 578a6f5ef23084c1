"""The flags of `supervisor run`, made from the table of settings, so that the two cannot differ."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from supervisor.settings.initial_spec import read_settings
from supervisor.settings.resolved import Resolved
from supervisor.settings.setting import Setting
from supervisor.settings.table import AUTOMATIONS, SETTINGS

F = TypeVar("F", bound=Callable[..., Any])


def setting_flags(function: F) -> F:
    """FILE, and a flag for each setting; `given` reads them back."""
    for setting in reversed(SETTINGS):
        if not setting.only_in_spec:
            function = _option(setting)(function)
    # Not looked at by click: every source is parsed in one place, and by one rule.
    return click.argument("file", required=False, type=click.Path())(function)


def given(values: Mapping[str, Any]) -> Resolved:
    """The settings, from what click parsed, the variables and the runner's spec.

    Raises BadSettings; UsageError if FILE and --automations are both given.
    """
    return read_settings(flags_of(values), os.environ)


def flags_of(values: Mapping[str, Any]) -> dict[str, str]:
    """`{setting: text}` of what click parsed. Raises UsageError if FILE and --automations are both given."""
    flags = {
        setting.name: _text(value)
        for setting in SETTINGS
        if (value := values.get(setting.name.replace("-", "_"))) not in (None, (), False)
    }
    if (file := values["file"]) is not None:
        if AUTOMATIONS.name in flags:
            raise click.UsageError(f"FILE and {AUTOMATIONS.flag} say the same: give one of them")
        flags[AUTOMATIONS.name] = file
    return flags


def _option(setting: Setting[Any]) -> Callable[[F], F]:
    default = f"  [default: {setting.default}]" if setting.default and not setting.switch else ""
    settings: dict[str, Any] = {"help": f"{setting.help}{default}", "hidden": setting.hidden}
    if setting.switch:
        return click.option(setting.flag, is_flag=True, **settings)
    if setting.choices:
        settings["shell_complete"] = partial(_complete, setting.choices)
    elif setting.metavar in ("FILE", "FOLDER"):
        settings["type"] = click.Path(file_okay=setting.metavar == "FILE")
    return click.option(setting.flag, metavar=setting.metavar, multiple=setting.many, **settings)


def _complete(
    choices: tuple[str, ...], ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    return [CompletionItem(choice) for choice in choices if choice.startswith(incomplete)]


def _text(value: Any) -> str:
    match value:
        case True:
            return "true"
        case tuple():
            return ",".join(value)
        case _:
            return str(value)
