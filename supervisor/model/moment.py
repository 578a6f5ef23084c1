"""Moments, on the clocks that decisions need, and the protocol of the clock."""

from __future__ import annotations

from supervisor.lean.frozen import dataclass
from supervisor.lean.typing import Protocol


@dataclass(frozen=True, slots=True)
class Now:
    """When an input is handled. Durations and deadlines use `mono_s`; people are shown `wall_s`."""

    mono_s: float
    """Seconds on CLOCK_MONOTONIC; comparable within one boot."""
    wall_s: float
    """Seconds since the epoch, UTC."""


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment for timers that go on while the machine is suspended."""

    boot_s: float
    """Seconds on CLOCK_BOOTTIME: like CLOCK_MONOTONIC, with the time of suspends in it."""
    wall_s: float
    """Seconds since the epoch, UTC: for people and for the wire."""


class Clock(Protocol):
    """Reads the present moment. `host.proc.clock` is one, the engine another."""

    def now(self) -> Now:
        """The present moment."""


class InstantClock(Protocol):
    """Reads the present moment on the clock that suspends do not stop. `host.proc.clock` is one."""

    def instant(self) -> Instant:
        """The present moment."""
