"""What to do next about a run whose process tree has to end, or has lost its main process.

| asked of the run | its main process | then |
|---|---|---|
| anything | has ended, as has the rest | TreeEnded |
| kill | any | KillTree each time, for 5 s; then TreeEnded with the survivors |
| terminate | any | TerminateProcesses, each once; orphans that appear get it once all others have ended |
| nothing | has ended, others live | ReportMainExit, once |
| nothing | lives | AwaitChange |

Plain values: nothing here reads a clock or looks at a process.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from supervisor.host.proc.process import ProcRef
from supervisor.host.runs.run import Asked
from supervisor.model.exit import Exit

KILL_BOUND_S = 5.0
"""How long SIGKILL is repeated before what still lives is given up: it sleeps in the kernel, uninterruptibly."""
KILL_ROUND_S = 0.2
"""How long after a SIGKILL it is repeated."""


@dataclass(frozen=True, slots=True)
class TreeEnded:
    """Nothing of the run lives, but for what SIGKILL does not end."""

    survivors: tuple[ProcRef, ...] = ()


@dataclass(frozen=True, slots=True)
class TerminateProcesses:
    """Send SIGTERM to these processes, then wait."""

    processes: tuple[ProcRef, ...]


@dataclass(frozen=True, slots=True)
class KillTree:
    """Send SIGKILL to the run's control group and these processes, and look again soon."""

    processes: tuple[ProcRef, ...]


@dataclass(frozen=True, slots=True)
class ReportMainExit:
    """Report that the main process has ended while others of its tree live on, then wait."""


@dataclass(frozen=True, slots=True)
class AwaitChange:
    """Wait until all processes have ended or something about the run has changed."""


Step = TreeEnded | TerminateProcesses | KillTree | ReportMainExit | AwaitChange


class TreeEnding:
    """What was done about one run's process tree so far, and what comes next."""

    def __init__(self) -> None:
        """Nothing was done yet."""
        self._terminated: set[ProcRef] = set()
        self._reported = False
        self._give_up_at_s = math.inf

    def next(
        self, members: Sequence[ProcRef], asked: Asked, end: Exit | None, now_s: float, *, all_ended: bool
    ) -> Step:
        """The next step.

        `members`: the live processes; `end`: how the main process ended, if it did; `all_ended`: whether all members of
        the last step have ended since, and nothing was asked meanwhile.
        """
        if not members and end is not None:
            return TreeEnded()
        if asked is Asked.KILL:
            self._give_up_at_s = min(self._give_up_at_s, now_s + KILL_BOUND_S)
            if now_s >= self._give_up_at_s:
                return TreeEnded(tuple(members))
            return KillTree(tuple(members))
        if asked is Asked.TERMINATE:
            # Each is sent SIGTERM once: a second one means "at once" to some. What appears while others still end may
            # be a command of a trap, which has to do its work; what is there after they ended is an orphan.
            if self._terminated and not all_ended:
                return AwaitChange()
            processes = tuple(ref for ref in members if ref not in self._terminated)
            self._terminated.update(members)
            return TerminateProcesses(processes)
        if end is not None and not self._reported:
            self._reported = True
            return ReportMainExit()
        return AwaitChange()
