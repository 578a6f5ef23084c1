"""What an answer of the management plane means."""

from __future__ import annotations

import pytest

from supervisor.activity.plane import (
    Declined,
    Delivered,
    TokenRefused,
    Undelivered,
    result_of,
    retry_after,
)

NOON_S = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110's examples
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, TokenRefused),
        *[(status, Declined) for status in (302, 400, 403, 404, 405, 409, 415, 499)],
        *[(status, Undelivered) for status in (408, 425, 429, 500, 502, 503, 504, 599, 100, 204)],
    ],
)
def test_status_decides(status: int, kind: type) -> None:
    result = result_of(status, "says why")
    assert isinstance(result, kind)
    assert not isinstance(result, Delivered)
    assert result.why == f"HTTP status {status}: says why"


def test_patience_is_kept_for_what_may_pass() -> None:
    assert result_of(429, "", 30.0) == Undelivered("HTTP status 429", 30.0)


@pytest.mark.parametrize(
    ("value", "date", "wait_s"),
    [
        ("120", None, 120.0),
        (" 0 ", None, 0.0),
        ("Sun, 06 Nov 1994 08:51:37 GMT", None, 120.0),
        ("Sun, 06 Nov 1994 08:49:07 GMT", None, 0.0),
        ("Sunday, 06-Nov-94 08:51:37 GMT", None, 120.0),
        # The plane's clock and ours differ by an hour: its own Date tells what it means.
        ("Sun, 06 Nov 1994 09:51:37 GMT", "Sun, 06 Nov 1994 09:49:37 GMT", 120.0),
        ("Sun, 06 Nov 1994 08:51:37 GMT", "no date", 120.0),
        ("-5", None, None),
        ("soon", None, None),
        ("", None, None),
        ("1e3", None, None),
        ("9" * 40, None, None),
        ("Mon, 99 Foo 1994 08:51:37 GMT", None, None),
        (None, DATE, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_nothing_else(
    value: str | None, date: str | None, wait_s: float | None
) -> None:
    assert retry_after(value, date, NOON_S) == wait_s
