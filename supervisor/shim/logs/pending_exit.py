"""When the end of a command is reported: once its last words are in the log.

| when the main process has ended | its end is reported |
|---|---|
| everything in its FIFOs is moved, and no process has one open | at once |
| something is in a FIFO, and no process has one open | when that is moved |
| another process has a FIFO open (a filter, a daemon) | when nothing came for `quiet_s` |
| any of these | `drain_s` after the end at the latest; of a result not before the second one is true, for 10 s more |

A shell with `exec > >(filter)` ends before its filter has written all. A daemon may keep the FIFO open for ever: what
it prints later is still pumped. The output of an operation is a result: what its command has printed is not left out
because the disk is slow.
"""

from __future__ import annotations

from supervisor.lean.frozen import dataclass, replace
from supervisor.shim.protocol import ExitStatus, Pumping

FLUSH_S = 10.0
"""How long the end of a command with a result waits in addition for what its FIFOs held."""


@dataclass(frozen=True, slots=True)
class PendingExit:
    """A command that has ended, whose end is not reported yet."""

    pid: int
    """Of its main process."""
    status: ExitStatus
    pumping: Pumping
    latest_at: float
    """On the monotonic clock, as all moments here."""
    quiet_at: float
    """When the end is reported if nothing comes until then."""
    position: int
    """Of the pump, when it was last looked at: the bytes moved out of all the run's FIFOs."""
    unflushed: frozenset[str] = frozenset()
    """The streams of which not all that was in the FIFO at the end was moved."""


def after_exit(pid: int, status: ExitStatus, pumping: Pumping, now: float, position: int) -> PendingExit:
    """The state when the main process has just ended."""
    return PendingExit(pid, status, pumping, now + pumping.drain_s, now + pumping.quiet_s, position)


def after_look(pending: PendingExit, now: float, position: int) -> PendingExit:
    """The state after a look at the pump."""
    if position == pending.position:
        return pending
    return replace(pending, position=position, quiet_at=now + pending.pumping.quiet_s)


def is_due(pending: PendingExit, now: float, has_writer: bool) -> bool:
    """Whether the end can be reported."""
    is_result = pending.pumping.head_bytes > 0
    if now >= pending.latest_at + (FLUSH_S if is_result and pending.unflushed else 0.0):
        return True
    return not pending.unflushed and (not has_writer or now >= pending.quiet_at)
