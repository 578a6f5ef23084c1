"""The arguments of `supervisor run` mean what click would have read, and are refused in its words."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import click
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from supervisor.cli.commands.cmd_run import run
from supervisor.settings.argv import BadArguments, RunArguments, UnknownFlag, read_arguments
from supervisor.settings.table import AUTOMATIONS, SETTINGS

NAMES = [setting.flag for setting in SETTINGS]
WORDS = [
    "a",
    "b.yaml",
    "prebuild",
    "a,b",
    "/",
    "/etc/passwd",
    "5m",
    "",
    "-",
    "--",
    "-h",
    "-hx",
    "--help",
    "-x",
    "é",
]
ARGUMENTS = st.lists(
    st.one_of(
        st.sampled_from(NAMES),
        st.sampled_from(WORDS),
        st.builds("{}={}".format, st.sampled_from(NAMES), st.sampled_from(WORDS)),
        st.sampled_from(["--format", "--format=json", "--format=yaml", "--unknown", "--log", "--logs=yes"]),
    ),
    max_size=6,
)
PLAIN = click.Command("run", params=run.params, context_settings={"help_option_names": ["-h", "--help"]})
"""The same options as click itself reads them."""


def by_click(arguments: list[str]) -> RunArguments | str:
    """What click reads, or its error."""
    try:
        with PLAIN.make_context("run", list(arguments)) as context:
            values = context.params
    except click.exceptions.Exit:
        return RunArguments({}, help=True)
    except click.ClickException as error:
        return error.format_message()
    flags = {
        setting.name: text(value)
        for setting in SETTINGS
        if (value := values.get(setting.name.replace("-", "_"))) not in (None, (), False)
    }
    return with_file(flags, values)


def with_file(flags: dict[str, str], values: Mapping[str, Any]) -> RunArguments | str:
    if (file := values["file"]) is not None:
        if AUTOMATIONS.name in flags:
            return "FILE and --automations say the same: give one of them"
        flags[AUTOMATIONS.name] = file
    return RunArguments(flags, as_json=values["format_"] == "json")


def text(value: Any) -> str:
    match value:
        case True:
            return "true"
        case tuple():
            return ",".join(value)
        case _:
            return str(value)


def by_us(arguments: list[str]) -> RunArguments | str:
    """The same of our own parser."""
    try:
        return read_arguments(arguments)
    except UnknownFlag as error:
        return click.NoSuchOption(str(error), possibilities=error.near).format_message()
    except BadArguments as error:
        return str(error)


@given(ARGUMENTS)
@example(["--listen"])
@example(["--listen", "--logs"])
@example(["--workspace", "/etc/passwd"])
@example(["a.yaml", "b.yaml", "c"])
@example(["a.yaml", "--automations", "b.yaml"])
@example(["--environment-token", "secret"])
@example(["--format", "jsn"])
@example(["--listen", "a", "--listen", "b", "--trigger", "x", "--trigger", "y", "--", "--logs"])
def test_arguments_are_read_and_refused_as_click_does(arguments: list[str]) -> None:
    assert by_us(arguments) == by_click(arguments)


def test_a_folder_that_cannot_be_read_is_refused_as_click_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may read everything
    for arguments in (["/etc/passwd"], ["--workspace", "/"], ["--automations", "/etc/passwd"], ["nowhere"]):
        assert by_us(arguments) == by_click(arguments)
        assert isinstance(by_us(arguments), str) is (arguments != ["nowhere"])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], {}),
        (["fixtures/a.yaml"], {"automations": "fixtures/a.yaml"}),
        (
            ["--no-api", "--state-dir", "new", "a.yaml", "--logs"],
            {"no-api": "true", "state-dir": "new", "automations": "a.yaml", "logs": "true"},
        ),
        (["--trigger=manual", "--trigger", "prebuild"], {"trigger": "manual,prebuild"}),
        (["--listen=127.0.0.1:0", "--workspace", os.sep], {"listen": "127.0.0.1:0", "workspace": os.sep}),
        (["--", "-a.yaml"], {"automations": "-a.yaml"}),
    ],
)
def test_flags_and_file_are_read(arguments: list[str], expected: dict[str, str]) -> None:
    assert read_arguments(arguments) == RunArguments(expected)


def test_format_and_help_are_read() -> None:
    assert read_arguments(["--format", "json"]) == RunArguments({}, as_json=True)
    assert read_arguments(["x", "y", "--workspace=/etc/passwd", "--help"]) == RunArguments({}, help=True)
