"""Actions: what the core wants done on the machine. The engine performs them in order, after it has stored the records.

A supervisor that takes over from another one gets the actions of that one's live runs again, as `Inherited`.
"""

from __future__ import annotations

import enum

from supervisor.lean.frozen import dataclass
from supervisor.model.ids import ItemId, OperationId, RunId
from supervisor.model.spec import EnvVar, RunsOn

PROBE_INTERVAL_S = 1.0
"""From the end of one probe to the beginning of the next."""
PROBE_TIMEOUT_S = 10.0
"""After so long a probe is killed."""


class RunKind(enum.Enum):
    """What a run is for."""

    START = "start"
    READY = "ready"
    """All probes of a session: the command runs again and again until it exits 0."""
    STOP = "stop"
    TASK = "task"
    OPERATION = "operation"
    """A command of a client; its two streams are kept apart."""


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start `script` as run `run_id`; answered by `Started` or by `Exited` with `NotStarted`."""

    run_id: RunId
    kind: RunKind
    owner_id: ItemId | OperationId
    """The id of the service, the task or the operation."""
    reference: str
    script: str
    runs_on: RunsOn | None
    env: tuple[EnvVar, ...]
    working_directory: str = ""
    """Absolute, or below the workspace; empty: the workspace. Only an operation has one."""


@dataclass(frozen=True, slots=True)
class Terminate:
    """Ask a run's whole process tree to end, by SIGTERM. Answered by `Exited` once all of it has ended."""

    run_id: RunId


@dataclass(frozen=True, slots=True)
class Kill:
    """End a run's whole process tree, by SIGKILL until none of its processes is left."""

    run_id: RunId


@dataclass(frozen=True, slots=True)
class Discard:
    """Remove the directories of runs that no record names any more."""

    run_ids: tuple[RunId, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """Add lines of the supervisor to a run's log."""

    run_id: RunId
    text: str


Action = Spawn | Terminate | Kill | Discard | Note


@dataclass(frozen=True, slots=True)
class Inherited:
    """A run that lives according to the records, with the actions that may not have been performed."""

    spawn: Spawn
    """How the run is started."""
    wanted: bool
    """Whether the run must be started if it never was."""
    ending: Terminate | Kill | None = None
    """The action that ends its processes, if they must end. It is performed again if it was performed before."""
