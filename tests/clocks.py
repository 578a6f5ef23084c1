"""A clock that stands where a test has put it."""

from __future__ import annotations

from supervisor.model.moment import Now


class HandClock:
    """`mono_s` and `wall_s` are set by hand."""

    def __init__(self, mono_s: float = 0.0, wall_s: float = 0.0) -> None:
        self.mono_s = mono_s
        self.wall_s = wall_s

    def now(self) -> Now:
        return Now(self.mono_s, self.wall_s)
