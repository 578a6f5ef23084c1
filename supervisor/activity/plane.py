"""The management plane: where it is, and what its answer to a signal means.

| answer                                       | result                                                            |
|----------------------------------------------|-------------------------------------------------------------------|
| 200 and a message                            | Delivered                                                         |
| 401                                          | TokenRefused: no further signal until there is another token      |
| 403, 404, other 3xx and 4xx                  | Declined: it understood, and soon again would be no different     |
| 408, 425, 429, 5xx                           | Undelivered: may get through soon                                 |
| 200 and something else                       | Undelivered: a proxy's page, most likely                          |
| none, or none in time                        | Undelivered                                                       |

`Retry-After` counts for an undelivered signal, up to one interval: an environment in use must not be stopped because a
plane in trouble asked for an hour.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

INTERVAL_S = 300.0
"""Between two signals. Source: contract/api.md, Heartbeats."""
_PASSING = frozenset({408, 425, 429})


class TokenSource(Protocol):
    """Where the token is; it may change while the supervisor runs."""

    def read(self) -> str:
        """The token as it is now. Raises SupervisorError with a sentence while there is none."""


@dataclass(frozen=True, slots=True)
class Plane:
    """A management plane, and who we are there."""

    url: str
    """The base of its API; may end in `/api`."""
    environment_id: str
    token: TokenSource
    interval_s: float = INTERVAL_S


@dataclass(frozen=True, slots=True)
class Delivered:
    """The plane has the signal."""


@dataclass(frozen=True, slots=True)
class Undelivered:
    """The signal did not get through; the next one may."""

    why: str
    retry_after_s: float | None = None
    """What the plane asks for."""


@dataclass(frozen=True, slots=True)
class Declined:
    """The plane does not want the signal."""

    why: str


@dataclass(frozen=True, slots=True)
class TokenRefused:
    """The plane does not accept the token, or not any more."""

    why: str


SignalResult = Delivered | Undelivered | Declined | TokenRefused
"""What became of a signal."""


def result_of(status: int, message: str, retry_after_s: float | None = None) -> SignalResult:
    """The result for an HTTP status other than 200. `message`: what the plane says about it."""
    said = f"HTTP status {status}" + (f": {message}" if message else "")
    if status == 401:
        return TokenRefused(said)
    if status >= 500 or status in _PASSING:
        return Undelivered(said, retry_after_s)
    if 300 <= status < 500:
        return Declined(said)
    return Undelivered(said)


def retry_after(value: str | None, date: str | None, wall_s: float) -> float | None:
    """The seconds that a header Retry-After asks to wait; None if it is absent or makes no sense.

    Args:
        value: of Retry-After: seconds, or an HTTP date. Source: RFC 9110, section 10.2.3.
        date: of Date, the plane's own clock, which a date is compared with, so that ours may be wrong.
        wall_s: our clock, for an answer without a Date.
    """
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", value := value.strip()):
        return float(value)
    until_s = _http_date(value)
    if until_s is None:
        return None
    now_s = _http_date(date or "")
    return max(0.0, until_s - (wall_s if now_s is None else now_s))


def _http_date(text: str) -> float | None:
    # Not at the top: hardly any answer has one, and the first command would wait for this import.
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # Without a zone it is UTC all the same: an HTTP date has no other.
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
