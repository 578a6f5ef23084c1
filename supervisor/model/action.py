"""What the core wants done on the machine. The engine performs actions in order, after their records are stored."""

from __future__ import annotations

import enum

from supervisor.lean.frozen import dataclass
from supervisor.model.spec import EnvVar, RunsOn


class RunKind(enum.Enum):
    """What a run is for."""

    START = "start"
    READY = "ready"
    STOP = "stop"
    TASK = "task"


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start `script` as run `run_id`; answered by `Started` or by `Exited` with `NotStarted`."""

    run_id: str
    kind: RunKind
    owner_id: str
    """The id of the service or the task."""
    reference: str
    script: str
    runs_on: RunsOn | None
    env: tuple[EnvVar, ...]


@dataclass(frozen=True, slots=True)
class Terminate:
    """Ask a run's whole process tree to end: SIGTERM. Answered by `Exited` once all of it has ended."""

    run_id: str


@dataclass(frozen=True, slots=True)
class Kill:
    """End a run's whole process tree: SIGKILL until none is left."""

    run_id: str


@dataclass(frozen=True, slots=True)
class Discard:
    """Remove the run directories of runs that no record names any more."""

    run_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """Add lines of the supervisor's own to a run's log."""

    run_id: str
    text: str


Action = Spawn | Terminate | Kill | Discard | Note


@dataclass(frozen=True, slots=True)
class Inherited:
    """A run that the records say lives, and what the supervisor before may have died before it could do."""

    spawn: Spawn
    """How it was to be started."""
    wanted: bool
    """Whether it is to be started if it never was."""
    told: Terminate | Kill | None = None
    """What its processes are to be told, again if they were told before."""
