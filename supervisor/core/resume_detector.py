"""Whether the machine was suspended: what two looks at its clocks say.

CLOCK_MONOTONIC stands still while a machine is suspended, and CLOCK_BOOTTIME does not; so how far the second is ahead
of the first grows by the length of each suspend, and by nothing else: nobody can set either clock. All deadlines are on
the first, so none comes due in a burst when the machine is back.

The runner may also tell of a resume, because a VM that is paused from outside sees none of its clocks run ahead. Of one
resume it and the clocks may both tell; who comes second within a minute tells nothing new.

| looked at the clocks | then |
|---|---|
| ahead by 30 s more than at the last look, or less | not suspended, or too short to count |
| ahead by more than that | resumed, unless it was told of within the last minute |

| told | then |
|---|---|
| within a minute of the last resume | nothing |
| else | resumed |
"""

from __future__ import annotations

from supervisor.lean.frozen import dataclass, replace

COUNTS_S = 30.0
"""A suspend counts if it was longer. Source: contract/automations-file.md, "When triggers fire"."""
SAME_S = 60.0
"""Two reports of a resume within this time are reports of one."""


@dataclass(frozen=True, slots=True)
class Suspends:
    """What is known of the machine's suspends."""

    ahead_s: float
    """How far CLOCK_BOOTTIME was ahead of CLOCK_MONOTONIC at the last look."""
    resumed_at: float | None = None
    """When the machine resumed last, on the monotonic clock; None: never since we look."""


def looked(before: Suspends, ahead_s: float, mono_s: float) -> tuple[Suspends, float]:
    """After a look at the clocks. Returns the seconds that a new suspend lasted; 0: there was none that counts."""
    slept_s = ahead_s - before.ahead_s
    after = replace(before, ahead_s=ahead_s)
    if slept_s <= COUNTS_S or _is_known(before, mono_s):
        return after, 0.0
    return replace(after, resumed_at=mono_s), slept_s


def told(before: Suspends, ahead_s: float, mono_s: float) -> tuple[Suspends, bool]:
    """After somebody told of a resume. Returns whether that is news."""
    after = replace(before, ahead_s=ahead_s)
    if _is_known(before, mono_s):
        return after, False
    return replace(after, resumed_at=mono_s), True


def _is_known(before: Suspends, mono_s: float) -> bool:
    return before.resumed_at is not None and mono_s - before.resumed_at < SAME_S
