"""A moment, on the two clocks that decisions need."""

from __future__ import annotations

from typing import NamedTuple


class Now(NamedTuple):
    """When an input is handled. Durations and deadlines use `mono_s`; `wall_s` is only shown to people."""

    mono_s: float
    """Seconds on CLOCK_MONOTONIC; comparable within one boot."""
    wall_s: float
    """Seconds since the epoch, UTC."""
