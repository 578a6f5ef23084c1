"""Wishes: what a user, a client or the file asks the engine to do.

Wherever something new may come into being, the command carries a `stamp`, a fresh UUID made at the edge, from which
the core derives ids.
"""

from __future__ import annotations

from supervisor.lean.frozen import dataclass
from supervisor.model.spec import AutomationsFile, ServiceItem, TaskItem, Trigger


@dataclass(frozen=True, slots=True)
class ApplyFile:
    """The automations file says this now: have what is new in it, and nothing that only the version before had."""

    file: AutomationsFile
    stamp: str


@dataclass(frozen=True, slots=True)
class UpsertFile:
    """Add and change the items that `file` has, for the API; `replace`: and remove the API's others."""

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
    """Make a service that the file does not have. The stamp becomes its id. `session`: of its start, if any."""

    item: ServiceItem
    stamp: str
    session: str = ""


@dataclass(frozen=True, slots=True)
class UpdateService:
    """Make a service what `item` says; its spec can only change while it is at rest."""

    service_id: str
    item: ServiceItem


@dataclass(frozen=True, slots=True)
class CreateTask:
    """Make a task that the file does not have. `depends_on` holds ids. The stamp becomes its id."""

    item: TaskItem
    depends_on: tuple[str, ...]
    stamp: str


@dataclass(frozen=True, slots=True)
class UpdateTask:
    """Make a task what `item` and `depends_on` (ids) say; executions that run keep their plans."""

    task_id: str
    item: TaskItem
    depends_on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StartService:
    """Start a service; no effect on one that runs or starts."""

    service_id: str
    stamp: str


@dataclass(frozen=True, slots=True)
class RestartService:
    """Stop a service if it runs, then start it."""

    service_id: str
    stamp: str


@dataclass(frozen=True, slots=True)
class StopService:
    """Stop a service; no effect on one that is stopped."""

    service_id: str


@dataclass(frozen=True, slots=True)
class DeleteService:
    """Stop a service and forget it. `force` kills it at once."""

    service_id: str
    force: bool = False


@dataclass(frozen=True, slots=True)
class StartTask:
    """Make an execution of a task. The stamp becomes the execution's id."""

    task_id: str
    stamp: str
    started_by: str = Trigger.MANUAL.value


@dataclass(frozen=True, slots=True)
class StopExecution:
    """Stop an execution; no effect on one that has ended."""

    execution_id: str


@dataclass(frozen=True, slots=True)
class DeleteTask:
    """Stop a task's executions and forget it."""

    task_id: str


@dataclass(frozen=True, slots=True)
class UpdateEnvironment:
    """Set the environment's name and what else clients may set of it."""

    name: str
    spec: str


@dataclass(frozen=True, slots=True)
class Drain:
    """Stop everything, executions first, and start nothing more. What lives after `grace_s` seconds is killed."""

    grace_s: float


Command = (
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
