"""What a supervisor takes over from the one before it."""

from __future__ import annotations

from supervisor.lean.frozen import dataclass
from supervisor.model.action import Kill, Spawn, Terminate


@dataclass(frozen=True, slots=True)
class Inherited:
    """A run that the records say lives, and what the supervisor before may have died before it could do."""

    spawn: Spawn
    """How it was to be started."""
    wanted: bool
    """Whether it is to be started if it never was."""
    told: Terminate | Kill | None = None
    """What its processes are to be told, again if they were told before."""
