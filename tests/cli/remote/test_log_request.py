"""The times that people write."""

from __future__ import annotations

import click
import pytest

from supervisor.cli.remote.log_request import Moment, moment
from supervisor.model.timestamp import rfc3339

NOW_S = 1_796_000_000.25


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90s", NOW_S - 90),
        ("5m", NOW_S - 300),
        ("1h30m", NOW_S - 5400),
        ("2d", NOW_S - 172800),
        ("2026-11-30T22:27:03Z", 1_796_077_623.0),
        ("2026-11-30T22:27:03.5+01:00", 1_796_074_023.5),
        ("2026-11-30 22:27Z", 1_796_077_620.0),
        ("999999999d", 0.0),
        ("0001-01-01T00:00Z", 0.0),
    ],
)
def test_moment(text: str, at: float) -> None:
    assert moment(text, NOW_S) == at


def test_without_an_offset_it_is_local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC-02:00")
    time.tzset()
    try:
        assert moment("2026-11-30T22:27:03", NOW_S) == 1_796_077_623.0 - 7200
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "text", ["", "5", "m", "5 m", "-5m", "yesterday", "2026-11-30", "22:27", "2026-13-30T22:27:03Z"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(click.BadParameter, match=f'"{text}" is not a time: write 90s'):
        Moment().convert(text, None, None)


def test_times_are_sent_to_the_millisecond() -> None:
    assert rfc3339(1_796_077_623.0006) == "2026-11-30T22:27:03.001Z"
    assert rfc3339(moment("2026-11-30T22:27:03.999Z", NOW_S)) == "2026-11-30T22:27:03.999Z"
