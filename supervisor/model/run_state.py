"""Where the run of a task's command stands: one value for each state, with the fields that it needs and no others."""

from __future__ import annotations

from supervisor.lean.frozen import dataclass
from supervisor.model.exit import Exit
from supervisor.model.phase import RunPhase


@dataclass(frozen=True, slots=True)
class RunLive:
    """The command is to run, or runs, and an execution needs it."""

    phase = RunPhase.LIVE


@dataclass(frozen=True, slots=True)
class RunStopping:
    """SIGTERM was sent: no execution needs it any more."""

    kill_at: float | None
    """On the monotonic clock; None once SIGKILL was sent."""
    phase = RunPhase.STOPPING


@dataclass(frozen=True, slots=True)
class RunEnded:
    """It is over."""

    exit: Exit
    tail: str = ""
    stopped: bool = False
    """Whether it was told to stop: its result is then no use to an execution that comes later."""
    killed: bool = False
    """Whether it had to be killed: it did not end within its grace period."""
    phase = RunPhase.ENDED


RunState = RunLive | RunStopping | RunEnded
LIVE = RunLive()
