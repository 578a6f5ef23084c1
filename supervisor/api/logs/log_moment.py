"""Moments in a log's URL, in milliseconds of wall time.

`since` and `until` are RFC 3339, or a duration back from now: `5m`, `1h30m`, `2.5s`. In a URL a plus sign is a blank,
which is often forgotten in `+02:00`: so a blank stands for a plus sign here.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

_DURATION = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ms|s|m|h|d))+")
_PART = re.compile(r"([0-9.]+)(ms|s|m|h|d)")
_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([-+ ])(\d\d):(\d\d))", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def parse_moment(text: str, now_ms: int) -> int | None:
    """The moment that a text names; None: it names none."""
    if _DURATION.fullmatch(text):
        back_ms = sum(float(number) * _UNITS_MS[unit] for number, unit in _PART.findall(text))
        return max(0, now_ms - int(back_ms))
    found = _RFC3339.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(found[group]) for group in range(1, 7))
    ms = int((found[7] or "0").ljust(3, "0")[:3])
    ahead = timedelta(hours=int(found[9] or 0), minutes=int(found[10] or 0))
    try:
        zone = timezone(-ahead if found[8] == "-" else ahead)
        at = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone)  # 60 is a leap second
    except ValueError:
        return None
    return (at - _EPOCH) // _MS + ms if second <= 60 else None
