"""When the end of a command is reported: once its last words are in the log.

| when the main process has ended | its end is reported |
|---|---|
| everything in the FIFO is moved, and no process has it open | at once |
| something is in the FIFO, and no process has it open | when that is moved |
| another process has the FIFO open (a filter, a daemon) | when nothing came for QUIET_S |
| any of these | LATEST_S after the end at the latest |

A shell with `exec > >(filter)` ends before its filter has written all. A daemon may keep the FIFO open for ever: what
it prints later is still pumped.
"""

from __future__ import annotations

from supervisor.lean.frozen import dataclass, replace
from supervisor.shim.protocol import ExitStatus

QUIET_S = 0.2
LATEST_S = 2.0


@dataclass(frozen=True, slots=True)
class LastWords:
    """A command that has ended, whose end is not reported yet."""

    status: ExitStatus
    latest_at: float
    """On the monotonic clock, as all moments here."""
    quiet_at: float
    """When the end is reported if nothing comes until then."""
    position: int
    """Of the pump, when it was last looked at."""
    is_drained: bool = False
    """Whether all that was in the FIFO at the end was moved."""


def begun(status: ExitStatus, now: float, position: int) -> LastWords:
    """The state when the main process has just ended."""
    return LastWords(status, now + LATEST_S, now + QUIET_S, position)


def looked_at(words: LastWords, now: float, position: int) -> LastWords:
    """The state after a look at the pump."""
    if position == words.position:
        return words
    return replace(words, position=position, quiet_at=now + QUIET_S)


def are_over(words: LastWords, now: float, has_writer: bool) -> bool:
    """Whether the end can be reported."""
    if now >= words.latest_at:
        return True
    return words.is_drained and (not has_writer or now >= words.quiet_at)
