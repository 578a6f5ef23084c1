"""Whether the machine was suspended, from two looks at its clocks and from reports of the runner.

CLOCK_MONOTONIC stops while a machine is suspended, and CLOCK_BOOTTIME goes on. So the lead of the second over the first
grows by the length of each suspend and by nothing else: nobody can set either clock. All deadlines are on the first, so
no burst of them comes due when the machine resumes.

The runner may report a resume, too: a VM that is paused from outside sees none of its clocks run ahead. The runner and
the clocks may both report the same resume. A second report within a minute is ignored.

| at a look at the clocks, the lead | then |
|---|---|
| has grown by 30 s or less since the last look | not suspended, or too short to count |
| has grown by more | resumed, unless a resume was reported within the last minute |

| a report of the runner | then |
|---|---|
| within a minute of the last resume | ignored |
| at another time | resumed |
"""

from __future__ import annotations

from dataclasses import dataclass, replace

COUNTS_S = 30.0
"""A suspend counts if it was longer. Source: contract/automations-file.md, "When triggers fire"."""
SAME_S = 60.0
"""Two reports of a resume within this time are reports of one."""


@dataclass(frozen=True, slots=True)
class Suspends:
    """What is known about the machine's suspends."""

    ahead_s: float
    """The lead of CLOCK_BOOTTIME over CLOCK_MONOTONIC at the last look."""
    resumed_at: float | None = None
    """When the machine last resumed, on the monotonic clock; None: not since the first look."""


def after_look(before: Suspends, ahead_s: float, mono_s: float) -> tuple[Suspends, float]:
    """The state after a look at the clocks, and how long a new suspend lasted; 0 if there was none that counts."""
    slept_s = ahead_s - before.ahead_s
    after = replace(before, ahead_s=ahead_s)
    if slept_s <= COUNTS_S or _is_known(before, mono_s):
        return after, 0.0
    return replace(after, resumed_at=mono_s), slept_s


def after_report(before: Suspends, ahead_s: float, mono_s: float) -> tuple[Suspends, bool]:
    """The state after a report of the runner, and whether the machine resumed: False if that was known."""
    after = replace(before, ahead_s=ahead_s)
    if _is_known(before, mono_s):
        return after, False
    return replace(after, resumed_at=mono_s), True


def _is_known(before: Suspends, mono_s: float) -> bool:
    return before.resumed_at is not None and mono_s - before.resumed_at < SAME_S
