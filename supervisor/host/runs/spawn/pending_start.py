"""A command that a shim was asked to start, as a plain value, and what follows from each answer.

| the shim | then |
|---|---|
| says started | Began |
| says failed: the machine is short of processes, memory or descriptors | RetryAt, for 20 s at most; then GaveUp |
| says failed otherwise | GaveUp, with the reason |
| is gone, and the command began nevertheless | Began |
| is gone, and it did not | RetryAt at once, with another shim; GaveUp once three are gone |
| does not answer in time | GaveUp: the shim itself drops a request so old |

Nothing here reads a clock, and nothing is sent.
"""

from __future__ import annotations

import errno
import math

from supervisor.host.runs.spawn import command_line, shim_client
from supervisor.host.runs.spawn.shim_client import ShimStuck
from supervisor.host.runs.spawn.shim_pool import NoShimNow
from supervisor.lean.frozen import dataclass, replace
from supervisor.model.errors import TRANSIENT_ERRNOS, MachineError
from supervisor.shim.protocol import CommandStarted, SpawnFailed, SpawnRequest

_ATTEMPTS = 3
"""How many shims may be lost in the attempt to start one command."""
_PATIENCE_S = 20.0
"""How long a command waits for what the machine lacks."""
_EACH_S = 0.1
"""How long a shim may take for each start that comes first: the kernel may take so long to enter a control group."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""How OSError says that the disk is full."""
NO_SHIM = errno.ESRCH
"""What stands for trouble with the shim: the process that is to start the command cannot be had."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0


@dataclass(frozen=True, slots=True)
class Began:
    """The command was started; it may have ended since."""

    process: CommandStarted | None
    """None: its shim could not say so, and it was found in another way."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """A shim has to be asked again at that moment."""

    at_s: float
    lacking: str
    """What the machine is short of, as a sentence; empty: only the shim was lost."""


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The command was not started, and will not be."""

    why: str
    errno: int = 0
    """What the kernel refused in the working directory or the machine is short of; `NO_SHIM`; 0: something else."""


@dataclass(frozen=True, slots=True)
class PendingStart:
    """One command that is to start. All moments are on the monotonic clock."""

    request: SpawnRequest
    patient_until_s: float
    """Until then it is tried again if the machine is short of something."""
    answer_by_s: float = math.inf
    """When the shim that was asked must have answered; infinite: none has been asked."""
    retry_at_s: float = math.inf
    """When to ask again; infinite: not after a pause."""
    pause_s: float = _FIRST_PAUSE_S
    attempts: int = 0
    """How many shims were asked since the machine was last short of something."""
    lacking: str = ""
    """What the machine was last short of."""

    @property
    def is_asked(self) -> bool:
        """Whether a shim's answer is awaited."""
        return self.answer_by_s < math.inf

    def ask(self, now_s: float, ahead: int = 0) -> PendingStart:
        """The start once a shim has been sent its request. `ahead`: how many starts it has to do before this one."""
        answer_by_s = now_s + shim_client.ANSWER_S + ahead * _EACH_S
        request = replace(self.request, before=answer_by_s - shim_client.LATE_S)
        return replace(
            self,
            request=request,
            answer_by_s=answer_by_s,
            retry_at_s=math.inf,
            attempts=self.attempts + 1,
        )

    def answer(self, event: CommandStarted | SpawnFailed, now_s: float) -> Began | RetryAt | GaveUp:
        """What follows from a shim's answer."""
        if isinstance(event, CommandStarted):
            return Began(event)
        why = command_line.why_failed(event, self.request)
        if event.errno in TRANSIENT_ERRNOS:
            return self._short(why, now_s, event.errno)
        if event.stage == "late":
            return GaveUp(why, NO_SHIM)
        is_told = event.stage == "chdir" or event.errno in NO_ROOM
        return GaveUp(why, event.errno if is_told else 0)

    def refuse(self, error: MachineError, now_s: float) -> RetryAt | GaveUp:
        """What follows if there is no shim to ask."""
        if isinstance(error, NoShimNow):
            return self._short(str(error), now_s, errno.EAGAIN)
        return GaveUp(str(error), NO_SHIM)

    def search(self) -> PendingStart:
        """The start while it is found out whether the lost shim had begun it: no answer can come."""
        return replace(self, answer_by_s=math.inf)

    def lose(self, *, began: bool, now_s: float) -> Began | RetryAt | GaveUp:
        """What follows once the shim that was asked is gone."""
        if began:
            return Began(None)
        if self.attempts < _ATTEMPTS:
            return RetryAt(now_s, "")
        return GaveUp("the process that holds commands has ended", NO_SHIM)

    def overdue(self, now_s: float) -> GaveUp | None:
        """What follows if the shim has not answered by now; None: it still has time."""
        return GaveUp(str(ShimStuck()), NO_SHIM) if self.answer_by_s < now_s else None

    def wait(self, retry: RetryAt) -> PendingStart:
        """The start while it waits for what the machine lacks; the next pause is longer."""
        return replace(
            self,
            answer_by_s=math.inf,
            retry_at_s=retry.at_s,
            pause_s=min(self.pause_s * 2, _LONGEST_PAUSE_S),
            attempts=0,
            lacking=retry.lacking,
        )

    def stop(self) -> GaveUp:
        """What follows if the run is to stop while it waits."""
        return GaveUp(f"{self.lacking}; it was to stop before it could start")

    def _short(self, why: str, now_s: float, number: int) -> RetryAt | GaveUp:
        is_patient = now_s < self.patient_until_s
        return RetryAt(now_s + self.pause_s, why) if is_patient else GaveUp(why, number)


def pending_start(request: SpawnRequest, now_s: float) -> PendingStart:
    """A start that begins now."""
    return PendingStart(request, now_s + _PATIENCE_S)
