"""Commands: what a user, a client or the file asks the engine to do.

A command that may create something carries a `stamp`, a fresh UUID made at the edge. The core derives ids from it.
"""

from __future__ import annotations

from supervisor.lean.frozen import dataclass
from supervisor.lean.typing import TYPE_CHECKING
from supervisor.model.ids import ExecutionId, ItemId, ServiceId, TaskId
from supervisor.model.spec import AutomationsFile, ServiceItem, TaskItem, Trigger


@dataclass(frozen=True, slots=True)
class ApplyFile:
    """Apply a version of the automations file: what it changes, and the removal of what only the last version had."""

    file: AutomationsFile
    stamp: str


@dataclass(frozen=True, slots=True)
class UpsertFile:
    """Add and change the items of `file` for the API. `replace` removes the other items of the API."""

    file: AutomationsFile
    stamp: str
    replace: bool = False


@dataclass(frozen=True, slots=True)
class FireTrigger:
    """Start every item that `trigger` starts."""

    trigger: Trigger
    stamp: str


@dataclass(frozen=True, slots=True)
class CreateService:
    """Create a service that belongs to the API. The stamp becomes its id. A `session` starts it."""

    item: ServiceItem
    stamp: str
    session: str = ""


@dataclass(frozen=True, slots=True)
class UpdateService:
    """Change a service to `item`; its spec can only change while the service is at rest."""

    service_id: ServiceId
    item: ServiceItem


@dataclass(frozen=True, slots=True)
class CreateTask:
    """Create a task that belongs to the API. `depends_on` holds ids. The stamp becomes its id."""

    item: TaskItem
    depends_on: tuple[ItemId, ...]
    stamp: str


@dataclass(frozen=True, slots=True)
class UpdateTask:
    """Change a task to `item` and `depends_on` (ids); executions that run keep their plans."""

    task_id: TaskId
    item: TaskItem
    depends_on: tuple[ItemId, ...]


@dataclass(frozen=True, slots=True)
class StartService:
    """Start a service; no effect on one that runs or starts."""

    service_id: ServiceId
    stamp: str


@dataclass(frozen=True, slots=True)
class RestartService:
    """Stop a service if it runs, then start it."""

    service_id: ServiceId
    stamp: str


@dataclass(frozen=True, slots=True)
class StopService:
    """Stop a service; no effect on one that is stopped."""

    service_id: ServiceId


@dataclass(frozen=True, slots=True)
class DeleteService:
    """Stop a service and forget it. `force` kills it at once."""

    service_id: ServiceId
    force: bool = False


@dataclass(frozen=True, slots=True)
class StartTask:
    """Create an execution of a task. The stamp becomes its id."""

    task_id: TaskId
    stamp: str
    started_by: str = Trigger.MANUAL.value


@dataclass(frozen=True, slots=True)
class StopExecution:
    """Stop an execution; no effect on one that has ended."""

    execution_id: ExecutionId


@dataclass(frozen=True, slots=True)
class DeleteTask:
    """Stop a task's executions and forget it."""

    task_id: TaskId


@dataclass(frozen=True, slots=True)
class UpdateEnvironment:
    """Set the environment's name and the rest that clients may set."""

    name: str
    spec: str


@dataclass(frozen=True, slots=True)
class Drain:
    """Stop everything, executions first, and start nothing more. Kill what still lives after `grace_s` seconds."""

    grace_s: float


_WithoutOperations = (
    ApplyFile
    | UpsertFile
    | FireTrigger
    | CreateService
    | UpdateService
    | CreateTask
    | UpdateTask
    | StartService
    | RestartService
    | StopService
    | DeleteService
    | StartTask
    | StopExecution
    | DeleteTask
    | UpdateEnvironment
    | Drain
)
if TYPE_CHECKING:
    from supervisor.model.operation_record import OperationCommand

    Command = _WithoutOperations | OperationCommand
else:  # nothing is asked of operations before the first command of an environment
    Command = _WithoutOperations
