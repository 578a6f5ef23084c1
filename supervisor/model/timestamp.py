"""How a moment is written for others: RFC 3339, in UTC, to the millisecond, always of the same length.

The length is the same, so texts are in the order of the moments.
"""

from __future__ import annotations

import time
from functools import lru_cache


def rfc3339(at_s: float) -> str:
    """A moment in seconds since the epoch, as `2026-11-30T22:27:03.123Z`."""
    return rfc3339_ms(round(at_s * 1000))


def rfc3339_ms(at_ms: int) -> str:
    """A moment in milliseconds since the epoch, as `2026-11-30T22:27:03.123Z`."""
    second, ms = divmod(at_ms, 1000)
    return f"{_second(second)}.{ms:03}Z"


@lru_cache(maxsize=4096)
def _second(second: int) -> str:
    # strftime pads no year before 1000.
    year, *rest = time.gmtime(second)[:6]
    return "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}".format(year, *rest)
