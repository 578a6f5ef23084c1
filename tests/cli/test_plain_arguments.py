"""Arguments that are read without click mean what click would have read."""

from __future__ import annotations

import os

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.cli.commands.cmd_run import run
from supervisor.cli.local.plain_arguments import flags
from supervisor.cli.setting_flags import flags_of
from supervisor.settings.table import SETTINGS

NAMES = [setting.flag for setting in SETTINGS]
WORDS = ["a", "b.yaml", "prebuild", "a,b", "/", "/etc/passwd", "5m", "", "-", "--", "-h", "--help", "-x", "é"]
ARGUMENTS = st.lists(
    st.one_of(
        st.sampled_from(NAMES),
        st.sampled_from(WORDS),
        st.builds("{}={}".format, st.sampled_from(NAMES), st.sampled_from(WORDS)),
        st.sampled_from(["--format", "--format=json", "--unknown", "--log", "--logs=yes"]),
    ),
    max_size=6,
)


def by_click(arguments: list[str]) -> dict[str, str] | None:
    """What click reads; None: it refuses."""
    try:
        with run.make_context("run", list(arguments)) as context:
            return flags_of(context.params)
    except (click.ClickException, click.exceptions.Exit):
        return None


@given(ARGUMENTS)
def test_what_is_read_at_all_is_what_click_reads(arguments: list[str]) -> None:
    read = flags(arguments)
    if read is not None:
        assert read == by_click(arguments)


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
    ],
)
def test_what_is_written_in_full_is_read(arguments: list[str], expected: dict[str, str]) -> None:
    assert flags(arguments) == expected == by_click(arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--listen"],
        ["--listen", "--logs"],
        ["--workspace", "/etc/passwd"],
        ["a.yaml", "b.yaml"],
        ["a.yaml", "--automations", "b.yaml"],
        ["--environment-token", "secret"],
        ["--format", "json"],
        ["--logs=yes"],
        ["--", "a.yaml"],
    ],
)
def test_anything_else_is_left_to_click(arguments: list[str]) -> None:
    assert flags(arguments) is None
