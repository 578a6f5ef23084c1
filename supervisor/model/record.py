"""The state of the world: one frozen record for each service, task, task run, execution and operation.

Records are replaced, never changed; `revision` orders all changes of all records; `born` is the
revision of the first, so it orders records by age. Ids are UUIDs in text form. `operation_record` has the operation.
A run id names a run directory; it is made from its owner's id, so that the core needs no randomness.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from supervisor.lean.frozen import dataclass, field
from supervisor.lean.typing import TYPE_CHECKING
from supervisor.model.exit import Exit
from supervisor.model.ids import (
    EnvironmentId,
    ExecutionId,
    ItemId,
    RunId,
    ServiceId,
    StepId,
    TaskId,
    derived,
)
from supervisor.model.phase import EXECUTION_ENDED, ExecutionPhase, RunPhase, ServicePhase, Want
from supervisor.model.shared_sequence import EMPTY, SharedSequence
from supervisor.model.spec import ServiceItem, TaskItem, TaskSpec, Trigger
from supervisor.model.states import (
    LIVE,
    AtRest,
    Deleted,
    ProbeRun,
    RunEnded,
    Running,
    RunState,
    ServiceSession,
    ServiceState,
    Starting,
    Stopping,
)
from supervisor.model.step_states import NO_STEPS, NOT_BEGUN, NOT_RUN, StepState, StepStates

if TYPE_CHECKING:
    from supervisor.model.operation_record import Operation

_EMPTY: Mapping[str, str] = MappingProxyType({})


def _empty() -> Mapping[str, str]:
    return _EMPTY


class Source(enum.Enum):
    """Whose an item is. An edit of the file removes only what is the file's."""

    FILE = "file"
    API = "api"


@dataclass(frozen=True, slots=True)
class LastProbe:
    """What is known of the last probe of a session. Probes that end as the one before change it seldom."""

    id: RunId
    """Of all probes of the session."""
    exit: Exit
    """How it ended."""
    output: str = ""
    """The end of what it printed; bytes that are not UTF-8 are lone surrogates."""
    ended_s: float = 0.0
    """When it ended, wall clock."""
    took_s: float = 0.0
    failed: int = 0
    """How many probes of the session did not exit 0."""


_NEW = AtRest()


@dataclass(frozen=True, slots=True)
class Service:
    """A service: what is wanted of it, and where it stands.

    `session` is a wish: it changes when somebody asks for a (re)start, and a session is run at most once.
    """

    id: ServiceId
    item: ServiceItem
    source: Source
    created_s: float
    want: Want = Want.DOWN
    session: str = ""
    state: ServiceState = _NEW
    since_s: float = 0.0
    """When the phase was entered, wall clock."""
    runs: int = 0
    """How many runs it has had; numbers run ids."""
    kept_runs: tuple[RunId, ...] = ()
    """The last runs of its start command, oldest first. Their directories are kept."""
    last_probe: RunId | None = None
    """The run id of the probes of the last session that had any. An earlier version kept a directory of that name."""
    last_stop: RunId | None = None
    """The newest run of its stop command. Its directory is kept until another one begins."""
    probed: LastProbe | None = None
    """How the last of these probes ended; None: none has, or an earlier version ran it."""
    spec_version: int = 1
    born: int = 0
    revision: int = 0

    @property
    def phase(self) -> ServicePhase:
        """Where it stands, as clients see it."""
        return self.state.phase

    @property
    def at_rest(self) -> bool:
        """Whether nothing of it lives and it exists: STOPPED or FAILED."""
        return isinstance(self.state, AtRest)

    @property
    def live_session(self) -> ServiceSession | None:
        """The session of which something lives."""
        return self.state.session if isinstance(self.state, Starting | Running | Stopping) else None

    @property
    def ran_session(self) -> str:
        """The session that runs, or ran last; empty before the first."""
        session = self.state.session
        return session.id if session else ""

    @property
    def log_run(self) -> RunId | None:
        """The run whose log is this service's log: the start command's of the last session."""
        session = self.state.session
        return session.run if session else None

    @property
    def output(self) -> Mapping[str, str]:
        """What the last session wrote to its output file."""
        session = self.state.session
        return session.output if session else _EMPTY

    @property
    def start(self) -> RunId | None:
        """The run of the start command that lives."""
        match self.state:
            case Starting(session) | Running(session) | Stopping(session, start_lives=True):
                return session.run
            case _:
                return None

    @property
    def probe(self) -> RunId | None:
        """The run id of the probes that are not over."""
        match self.state:
            case Starting(probe=ProbeRun(run_id)) | Stopping(probe=run_id):
                return run_id
            case _:
                return None

    @property
    def stop(self) -> RunId | None:
        """The run of the stop command that lives."""
        return self.state.stop if isinstance(self.state, Stopping) else None

    @property
    def directories(self) -> tuple[RunId, ...]:
        """The ids of all runs of it whose directories are kept."""
        last = (run_id for run_id in (self.last_probe, self.last_stop) if run_id is not None)
        return (*self.kept_runs, *last)

    @property
    def live_runs(self) -> tuple[RunId, ...]:
        """The ids of all runs of it that live."""
        return tuple(run_id for run_id in (self.start, self.probe, self.stop) if run_id is not None)

    @property
    def reason(self) -> str:
        """Why it is FAILED, or what it waits for while STARTING."""
        match self.state:
            case AtRest(failure=failure, note=note) | Deleted(AtRest(failure=failure, note=note)):
                return failure or note
            case Starting(report=report):
                return report.reason
            case _:
                return ""

    @property
    def tail(self) -> str:
        """The last lines of output of a session that FAILED, or that ended before it was ready."""
        match self.state:
            case AtRest(tail=tail) | Stopping(tail=tail) | Deleted(AtRest(tail=tail)):
                return tail
            case _:
                return ""


@dataclass(frozen=True, slots=True)
class Task:
    """A task that can be executed. `depends_on` holds ids of tasks and services."""

    id: TaskId
    item: TaskItem
    source: Source
    created_s: float
    depends_on: tuple[ItemId, ...] = ()
    gone: bool = False
    """Deleted: no new execution; forgotten once its executions have ended."""
    spec_version: int = 1
    born: int = 0
    revision: int = 0


@dataclass(frozen=True, slots=True)
class TaskRun:
    """One run of a task's command. Executions of the same trigger firing share it. Its id is its run id."""

    id: RunId
    task_id: TaskId
    reference: str
    firing: str
    spec: TaskSpec
    state: RunState = LIVE
    output: Mapping[str, str] = field(default_factory=_empty)
    born: int = 0
    revision: int = 0

    @property
    def phase(self) -> RunPhase:
        """Where it stands."""
        return self.state.phase

    @property
    def exit(self) -> Exit | None:
        """How it ended; None: it has not."""
        return self.state.exit if isinstance(self.state, RunEnded) else None


@dataclass(frozen=True, slots=True)
class TaskStep:
    """A step that runs a task's command, frozen when the plan was made."""

    id: StepId
    reference: str
    depends_on: tuple[StepId, ...]
    """Ids of the steps of this plan that end before this one starts."""
    task_id: TaskId
    spec: TaskSpec


@dataclass(frozen=True, slots=True)
class ServiceStep:
    """A step that ends when a service is RUNNING."""

    id: StepId
    reference: str
    depends_on: tuple[StepId, ...]
    service_id: ServiceId


PlanStep = TaskStep | ServiceStep
Group = tuple[PlanStep, ...]
Plan = SharedSequence[Group]
"""Groups run one after the other, the steps of a group side by side. Plans of one firing share what they can."""


def plan_of(groups: Iterable[Group]) -> Plan:
    """A plan of `groups`."""
    plan: Plan = EMPTY
    for group in groups:
        plan = with_group(plan, group)
    return plan


def with_group(plan: Plan, group: Group) -> Plan:
    """`plan` with one group more. Its id says all that is in it."""
    return plan.grown(group, derived(plan.id or _NIL, *map(repr, group)))


_NIL = "00000000-0000-0000-0000-000000000000"


Passed = SharedSequence[tuple[StepState, ...]]
"""The states of groups whose steps have all succeeded. Executions that went the same way share them."""


@dataclass(frozen=True, slots=True)
class Execution:
    """A task execution: a frozen plan and how far it has come.

    Of the steps' states only those are kept that say something: `steps` has them all.
    """

    id: ExecutionId
    task_id: TaskId
    reference: str
    started_by: str
    """`manual` or the trigger's name."""
    firing: str
    """Executions with the same firing share the runs of the tasks they have in common."""
    plan: Plan
    created_s: float
    stop_wanted: bool = False
    phase: ExecutionPhase = ExecutionPhase.PENDING
    group: int = 0
    """Index of the group that runs."""
    passed: Passed = EMPTY
    """The states of the groups before that one."""
    current: StepStates = NO_STEPS
    """Of the group that runs, or ran last; empty: it has not begun."""
    reason: str = ""
    tail: str = ""
    """The last lines of output of the step that failed."""
    exit: Exit | None = None
    """How the step that failed ended."""
    started_s: float | None = None
    ended_s: float | None = None
    born: int = 0
    revision: int = 0

    def step(self, group: int, step_id: StepId) -> StepState:
        """The state of a step of the group with this index."""
        if group < self.group:
            at = [step.id for step in self.plan[group]].index(step_id)
            return self.passed[group][at]
        return self.current.get(step_id, self._rest) if group == self.group else self._rest

    @property
    def _rest(self) -> StepState:
        """The state of a step whose group did not begin."""
        return NOT_RUN if self.phase in EXECUTION_ENDED else NOT_BEGUN

    @property
    def steps(self) -> dict[StepId, StepState]:
        """{step id: state} of every step, in the order of the plan. Made anew each time."""
        rest = self._rest
        states = {step.id: rest for group in self.plan for step in group}
        for group, passed in zip(self.plan, self.passed, strict=False):
            states.update(zip((step.id for step in group), passed, strict=True))
        states.update(self.current)
        return states


@dataclass(frozen=True, slots=True)
class Environment:
    """The environment itself, of which there is one: what clients may set, and what is known of it."""

    id: EnvironmentId
    created_s: float
    name: str = ""
    spec: str = "{}"
    """What clients set beside the name, as the protobuf JSON of gitpod.v1.EnvironmentSpec; kept, not acted upon."""
    file_presence: str = "ABSENT"
    """ABSENT, DISCOVERED or SPECIFIED."""
    file_path: str = ""
    """Of the automations file, from the workspace."""
    file_session: str = ""
    """Changes whenever the file was read anew."""
    file_failure: str = ""
    """What is wrong with the file; empty: it is valid."""
    file_warning: str = ""
    file_awaited: bool = False
    """Whether the environment began and has seen no good version of the file since: what the records have of the file
    is of an earlier life, and no trigger starts it."""
    file_items: Mapping[str, str] = field(default_factory=_empty)
    """{reference: digest} of what the last accepted version of the file said of each of its items."""
    active_source: str = ""
    """Who was active last."""
    active_s: float | None = None
    """When that was, wall clock."""
    trigger_filter: tuple[Trigger, ...] = ()
    """The triggers that may fire; empty: all."""
    spec_version: int = 1
    born: int = 0
    revision: int = 0


if TYPE_CHECKING:
    Record = Service | Task | TaskRun | Execution | Environment | Operation
else:  # nobody looks for an operation before there is one
    Record = Service | Task | TaskRun | Execution | Environment
