"""The state of the world: one frozen record for each service, task, task run and execution.

Records are replaced, never changed; `revision` orders all changes of all records; `born` is the
revision of the first, so it orders records by age. Ids are UUIDs in text form.
A run id names a run directory; it is made from its owner's id, so that the core needs no randomness.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from supervisor.lean.frozen import dataclass, field
from supervisor.model.exit import Exit
from supervisor.model.ids import derived
from supervisor.model.phase import EXECUTION_ENDED, ExecutionPhase, RunPhase, ServicePhase, Want
from supervisor.model.shared_sequence import EMPTY, SharedSequence
from supervisor.model.spec import ServiceItem, ServiceSpec, TaskItem, TaskSpec, Trigger

_EMPTY: Mapping[str, str] = MappingProxyType({})


def _empty() -> Mapping[str, str]:
    return _EMPTY


class Source(enum.Enum):
    """Whose an item is. An edit of the file removes only what is the file's."""

    FILE = "file"
    API = "api"


class StopStage(enum.Enum):
    """How far the stopping of a service has gone."""

    NONE = "none"
    COMMAND = "command"
    """The stop command was started."""
    TERMINATED = "terminated"
    """SIGTERM was sent."""
    KILLED = "killed"
    """SIGKILL was sent."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service: what is wanted of it, and what is observed.

    `session` is a wish: it changes when somebody asks for a (re)start, and a session is run at most once.
    `start`, `probe` and `stop` hold the id of the live run in that slot, or None when nothing lives there.
    Deadlines are on the monotonic clock; None: not running.
    """

    id: str
    item: ServiceItem
    source: Source
    created_s: float
    want: Want = Want.DOWN
    session: str = ""
    phase: ServicePhase = ServicePhase.STOPPED
    ran_session: str = ""
    """The session that runs, or ran last; empty before the first."""
    ran_spec: ServiceSpec | None = None
    """The spec that runs, or ran last."""
    start: str | None = None
    probe: str | None = None
    stop: str | None = None
    started: bool = False
    """Whether the process of the `start` slot is known to run."""
    main_exit: Exit | None = None
    """How the start command ended, once it did; others of its processes may still live."""
    ready: bool = False
    """Whether a probe of this session has exited 0."""
    stop_stage: StopStage = StopStage.NONE
    probe_at: float | None = None
    probe_kill_at: float | None = None
    ready_by: float | None = None
    kill_at: float | None = None
    blame: str = ""
    """Why this session will end FAILED although it is being stopped; empty: it will end STOPPED."""
    reason: str = ""
    """Why it is FAILED, or what it waits for while STARTING."""
    tail: str = ""
    """The last lines of output of a session that FAILED, or that ended before it was ready."""
    probe_tail: str = ""
    """The last lines of output of the last probe, if it did not exit 0."""
    noted: str = ""
    """How the last probe ended that the log told of, or that had said nothing."""
    noted_at: float | None = None
    output: Mapping[str, str] = field(default_factory=_empty)
    runs: int = 0
    """How many runs it has had; numbers run ids."""
    log_run: str | None = None
    """The run whose log is this service's log: the `start` run of the last session."""
    kept_runs: tuple[str, ...] = ()
    """Runs whose directories are kept, oldest first."""
    since_s: float = 0.0
    """When the phase was entered, wall clock."""
    spec_version: int = 1
    born: int = 0
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """A task that can be executed. `depends_on` holds ids of tasks and services."""

    id: str
    item: TaskItem
    source: Source
    created_s: float
    depends_on: tuple[str, ...] = ()
    gone: bool = False
    """Deleted: no new execution; forgotten once its executions have ended."""
    spec_version: int = 1
    born: int = 0
    revision: int = 0


@dataclass(frozen=True, slots=True)
class TaskRun:
    """One run of a task's command. Executions of the same trigger firing share it. Its id is its run id."""

    id: str
    task_id: str
    reference: str
    firing: str
    spec: TaskSpec
    phase: RunPhase = RunPhase.LIVE
    kill_at: float | None = None
    stopped: bool = False
    """Whether it was told to stop: its result is then no use to an execution that comes later."""
    killed: bool = False
    """Whether it had to be killed: it did not end within its grace period."""
    exit: Exit | None = None
    tail: str = ""
    output: Mapping[str, str] = field(default_factory=_empty)
    born: int = 0
    revision: int = 0


@dataclass(frozen=True, slots=True)
class TaskStep:
    """A step that runs a task's command, frozen when the plan was made."""

    id: str
    reference: str
    depends_on: tuple[str, ...]
    """Ids of the steps of this plan that end before this one starts."""
    task_id: str
    spec: TaskSpec


@dataclass(frozen=True, slots=True)
class ServiceStep:
    """A step that ends when a service is RUNNING."""

    id: str
    reference: str
    depends_on: tuple[str, ...]
    service_id: str


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


@dataclass(frozen=True, slots=True)
class StepState:
    """Where a step stands. `run_id` is the task run that a task step uses."""

    phase: ExecutionPhase = ExecutionPhase.PENDING
    run_id: str | None = None
    reason: str = ""
    output: Mapping[str, str] = field(default_factory=_empty)


NOT_BEGUN = StepState()
NOT_RUN = StepState(ExecutionPhase.STOPPED, reason="not run")
Passed = SharedSequence[tuple[StepState, ...]]
"""The states of groups whose steps have all succeeded. Executions that went the same way share them."""


@dataclass(frozen=True, slots=True)
class Execution:
    """A task execution: a frozen plan and how far it has come.

    Of the steps' states only those are kept that say something: `steps` has them all.
    """

    id: str
    task_id: str
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
    current: Mapping[str, StepState] = field(default_factory=dict)
    """{step id: state} of the group that runs, or ran last; empty: it has not begun."""
    reason: str = ""
    tail: str = ""
    """The last lines of output of the step that failed."""
    exit: Exit | None = None
    """How the step that failed ended."""
    started_s: float | None = None
    ended_s: float | None = None
    born: int = 0
    revision: int = 0

    def step(self, group: int, step_id: str) -> StepState:
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
    def steps(self) -> dict[str, StepState]:
        """{step id: state} of every step, in the order of the plan. Made anew each time."""
        rest = self._rest
        states = {step.id: rest for group in self.plan for step in group}
        for group, passed in zip(self.plan, self.passed, strict=False):
            states.update(zip((step.id for step in group), passed, strict=True))
        states.update(self.current)
        return states


def changed_steps(before: Mapping[str, StepState], after: Mapping[str, StepState]) -> Iterator[str]:
    """The ids of the steps of one group whose state is another object than before."""
    return (id_ for id_, state in after.items() if before.get(id_) is not state)


@dataclass(frozen=True, slots=True)
class Environment:
    """The environment itself, of which there is one: what clients may set, and what is known of it."""

    id: str
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


Record = Service | Task | TaskRun | Execution | Environment
