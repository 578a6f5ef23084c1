"""What texts mean, and what is refused with which words."""

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.settings import values
from supervisor.settings.table import SETTINGS
from supervisor.settings.values import Address

UUID = "07e03a28-65a5-4d98-b532-8ea67b188048"


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (values.listen, "none", None),
        (values.listen, "", Address()),
        (values.listen, "127.0.0.1:80", Address("127.0.0.1", 80, fixed=True)),
        (values.listen, "0.0.0.0:0", Address("0.0.0.0", 0, fixed=True)),
        (values.listen, "[::1]:8080", Address("::1", 8080, fixed=True)),
        (values.listen, "box.example:1", Address("box.example", 1, fixed=True)),
        (values.listen, ":8080", Address("127.0.0.1", 8080, fixed=True)),
        (values.listen, "8080", Address("127.0.0.1", 8080, fixed=True)),
        (values.whole(1, 9), "9", 9),
        (values.seconds(0, 3600), "90", 90.0),
        (values.seconds(0, 3600), "1.5", 1.5),
        (values.seconds(0, 3600), "500ms", 0.5),
        (values.seconds(0, 3600), "30s", 30.0),
        (values.seconds(0, 3600), "5m", 300.0),
        (values.seconds(0, 3600), "1h", 3600.0),
        (values.switch, "Yes", True),
        (values.switch, "0", False),
        (values.path, "a/b", Path("a/b")),
        (values.optional(values.path), "", None),
        (values.uuid, UUID.upper(), UUID),
        (values.url, "http://box.example:8080/", "http://box.example:8080"),
        (values.plane_url, "https://app.example.com/api", "https://app.example.com/api"),
        (values.plane_url, "http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        (values.plane_url, "http://[::1]:8080", "http://[::1]:8080"),
        (values.names, "a.example, b.example,", ("a.example", "b.example")),
        (
            values.origins,
            "https://a.example,http://localhost:3000",
            ("https://a.example", "http://localhost:3000"),
        ),
        (values.triggers, "prebuild", values.triggers("prebuild")),
        (values.patterns, "AWS_*, !AWS_SECRET*,my.var", ("AWS_*", "!AWS_SECRET*", "my.var")),
    ],
)
def test_a_text_means_a_value(parse: Callable[[str], Any], text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text", "why"),
    [
        *((values.listen, text, "write HOST:PORT") for text in (
            "x", "x:", "x:y", "x:-1", "x:65536", "::1:80", "[::1]", "x:\uff18", "[x]:1:", f"x:{'9' * 5000}",
        )),
        *((values.whole(1, 9), text, "not a whole number from 1 to 9") for text in (
            "", "0", "10", "-1", "1.5", "x", " 1", "1_0", "\u0663", "9" * 5000,
        )),
        *((values.seconds(0, 60), text, "not a duration from 0 s to 60 s") for text in (
            "", "s", "-1s", "61", "2m", "1d", "nan", "inf", "1e3", "1..5", "30 s", "\u0663s", "9" * 5000,
        )),
        (values.switch, "maybe", "write true or false"),
        (values.path, "a\0b", "not a path"),
        *((values.uuid, text, "not a UUID") for text in (
            "x", UUID[:-1], UUID + "0", UUID.replace("-", ""), f" {UUID}",
        )),
        *((values.url, text, "not a URL") for text in (
            "x", "box.example", "ftp://box.example", "http://", "http://a b", "http://a:99999", "http://[::1",
            "https://b\u00fccher.example", "http://a\n",
        )),
        *((values.url, text, "no user, password, query or fragment") for text in (
            "http://me:secret@a", "http://a/?token=x", "http://a/#x",
        )),
        (values.plane_url, "http://app.example.com", "write https://"),
        (values.names, "a/b", '"a/b" is not a host name'),
        (values.triggers, "prebuilt", '"prebuilt" is not a trigger; there are post'),
        (values.triggers, "manual", '"manual" is not a trigger'),
        (values.plain, "a\nb", "cannot be printed"),
        *((values.patterns, text, "write NAME, NAME_* or !NAME") for text in ("A=b", "!", "a\nb")),
    ],
)  # fmt: skip
def test_a_text_is_refused(parse: Callable[[str], Any], text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        parse(text)


@given(st.text(max_size=50))
def test_any_text_is_a_value_or_refused(text: str) -> None:
    for setting in SETTINGS:
        with contextlib.suppress(ValueError):
            setting.parse(text)
