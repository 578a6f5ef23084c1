"""The rows of the table: what each number is, and what this supervisor's is to be at most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """So much, or so many times what another contestant has."""

    factor: float
    of: str = ""

    def value(self, medians: Mapping[str, float]) -> float | None:
        """None: that contestant has no number."""
        if not self.of:
            return self.factor
        return self.factor * medians[self.of] if self.of in medians else None

    def text(self, unit: str) -> str:
        """In words."""
        if not self.of:
            return f"{self.factor:g} {unit}".rstrip()
        return self.of if self.factor == 1 else f"{self.factor:g} times {self.of}"


@dataclass(frozen=True, slots=True)
class Row:
    """One number that works give."""

    key: str
    work: str
    title: str
    unit: str
    limit: Limit | None = None
    time: bool = True
    """Whether it is a time, in which interpreted peers are to be behind; else an amount."""


ROWS = (
    Row(
        "probe_us", "probes", "a probe each second for 100 services: processor time a probe", "µs", Limit(900)
    ),
    Row(
        "pss_mb",
        "hundred",
        "100 idle services: memory (PSS) beside them, API included",
        "MB",
        Limit(45),
        False,
    ),
    Row("processes", "hundred", "100 idle services: processes beside them", "", Limit(3), False),
    Row("hop_ms", "chain", "chain of 200 tasks, a hop", "ms", Limit(1, "just")),
    Row("hop_cpu_ms", "chain", "chain of 200 tasks: processor time a hop, start included", "ms"),
    Row("tasks_ms", "tasks", "500 tasks", "ms", Limit(1.3, "just")),
    Row("tasks_cpu_ms", "tasks", "500 tasks: processor time, start included", "ms"),
    Row("stop_ms", "hundred", "stop 100 services: until the last has ended", "ms", Limit(1, "circus")),
    Row("stop_ended_ms", "hundred", "stop 100 services: until the program has ended, too", "ms"),
    Row("start_ms", "hundred", "start 100 services, from nothing", "ms", Limit(1, "mprocs")),
    Row("log_ms", "log", "268 MB of log in 64 KiB writes", "ms", Limit(1.1, "cat")),
    Row("first_ms", "first", "cold start to the first instruction of one service", "ms", Limit(1, "honcho")),
    Row("answer_ms", "kill", "kill -9 to the first whole answer of the API, 100 services", "ms", Limit(200)),
    Row(
        "one_pss_mb", "one", "one idle service: memory (PSS) beside it, API included", "MB", Limit(40), False
    ),
    Row("one_processes", "one", "one idle service: processes beside it", "", Limit(3), False),
)


def shown(value: float) -> str:
    """Three digits, and no fewer before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
