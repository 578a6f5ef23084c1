"""All records, with indexes, so that the cost of a step grows with what it changes and not with what exists.

Within a step the records collect changes and actions; `world` returns both at its end. Nothing outside `core` changes
records, and `queries` has the questions about them. Indexes forget what has ended (`tests/core/test_records.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from itertools import chain

from supervisor.core.deadlines import Deadlines
from supervisor.core.plans.leaders import Leaders
from supervisor.core.state_machines import execution as executions
from supervisor.core.state_machines import service as services
from supervisor.core.state_machines import task_run
from supervisor.core.uses import PassedRuns, UsedId, Uses
from supervisor.lean.frozen import replace
from supervisor.lean.late import late
from supervisor.lean.typing import TYPE_CHECKING, Any
from supervisor.model.action import Action, Discard
from supervisor.model.ids import EnvironmentId, ExecutionId, OperationId, RunId, ServiceId, StepId, TaskId
from supervisor.model.phase import ExecutionPhase
from supervisor.model.record import (
    Environment,
    Execution,
    PlanStep,
    Record,
    Service,
    ServiceStep,
    Task,
    TaskRun,
    TaskStep,
)
from supervisor.model.states import RunEnded, RunStopping

if TYPE_CHECKING:
    from supervisor.core import operations
    from supervisor.model import operation_record
else:  # a new environment has none
    operations = late("supervisor.core.operations")
    operation_record = late("supervisor.model.operation_record")


class Records:
    """Records by id. Read the mappings freely."""

    def __init__(self, records: Iterable[Record] = (), revision: int = 0) -> None:
        """Begin with `records` from the store; the next change gets `revision + 1`."""
        self.services: dict[ServiceId, Service] = {}
        self.tasks: dict[TaskId, Task] = {}
        self.runs: dict[RunId, TaskRun] = {}
        self.executions: dict[ExecutionId, Execution] = {}
        self.environments: dict[EnvironmentId, Environment] = {}
        """One, once it has started."""
        self.operations: dict[RunId, operation_record.Operation] = {}
        self.revision = revision
        self.drain_by: float | None = None
        """When a drain sends SIGKILL, on the monotonic clock; None: not draining."""
        self.live: dict[ExecutionId, None] = {}
        """The executions that are not over, oldest first."""
        self.live_operations: dict[RunId, None] = {}
        """The operations that are not over, oldest first."""
        self.operation_runs: dict[OperationId, RunId] = {}
        """{what a client calls an operation: the id of its record}"""
        self.results: dict[RunId, int] = {}
        """{operation that is over: bytes of its output that may be kept}, the first to end first"""
        self.results_bytes = 0
        """The sum of these."""
        self.history: dict[TaskId, dict[ExecutionId, None]] = {}
        """{task id: its executions, oldest first}"""
        self.touched: dict[str, None] = {}
        """The records that must decide before the step ends."""
        self.unobserved: dict[ExecutionId, dict[StepId, PlanStep]] = {}
        """{execution id: {step id: a live step whose run or service may have changed since the step observed it}}"""
        self.given_up: set[ExecutionId] = set()
        """The live executions that have told the runs of their live steps to stop."""
        self.deadlines = Deadlines()
        self._changed: dict[str, Record] = {}
        self._removed: dict[str, Record] = {}
        self._actions: list[Action] = []
        self.leaders = Leaders()
        self.ran: dict[TaskId, tuple[ExecutionId, StepId]] = {}
        """{task id: the execution and the step of it that began the task's last run}. It may be forgotten by now."""
        self._uses = Uses()
        self._passed = PassedRuns()
        self._firings: dict[str, dict[ExecutionId, None]] = {}
        for record in sorted(records, key=lambda record: record.born):
            self._table(record)[record.id] = record
            self._index(record, None)
        if self.results:
            operations.sort(self)
        self.touched.clear()
        ways: set[str] = set()
        for execution in self.executions.values():
            self._find_uses(execution)
            self._find_runs(execution, ways)

    # Changing, within a step

    def put(self, record: Record) -> None:
        """Add or replace a record, and touch it."""
        self.revision += 1
        record = replace(record, born=record.born or self.revision, revision=self.revision)
        table = self._table(record)
        before = table.get(record.id)
        table[record.id] = record
        self._index(record, before)
        self._removed.pop(record.id, None)  # it was made again
        self._changed.pop(record.id, None)
        self._changed[record.id] = record

    def apply(self, before: Record, after: Record, actions: Iterable[Action] = ()) -> None:
        """Do what a machine decided: `put` the record, if it is another one, and ask for the actions."""
        self._actions.extend(actions)
        if after is not before:
            self.put(after)

    def act(self, *actions: Action) -> None:
        """Ask for actions, after those that were asked for before."""
        self._actions.extend(actions)

    def touch(self, ids: Iterable[str]) -> None:
        """Have records decide although they did not change themselves."""
        self.touched.update(dict.fromkeys(ids))

    def use(self, execution_id: ExecutionId, step: PlanStep, id_: UsedId) -> None:
        """A step of a live execution uses a run or waits for a service from now on, and must observe it."""
        self._uses.add(execution_id, step, id_)
        self.unobserved.setdefault(execution_id, {})[step.id] = step

    def note_run(self, execution_id: ExecutionId, step: PlanStep) -> None:
        """A step began its task's last run. A task that was deleted meanwhile has left its steps in plans."""
        if isinstance(step, TaskStep) and step.task_id in self.tasks:
            self.ran[step.task_id] = execution_id, step.id

    def touch_users(self, id_: UsedId) -> None:
        """A run or service may have changed: the steps that use it must observe it, and their executions decide."""
        for user in self.users(id_):
            self.touched[user] = None
            step = self._uses.step(id_, user)
            self.unobserved.setdefault(user, {})[step.id] = step

    def remove(self, record: Record) -> None:
        """Forget a record and what only it kept."""
        self._removed[record.id] = self._table(record).pop(record.id)
        self.deadlines.drop(record.id)
        match record:
            case Execution():
                self.history[record.task_id].pop(record.id, None)
                self.unobserved.pop(record.id, None)
                self.given_up.discard(record.id)
                if record.task_id in self.ran and self.ran[record.task_id][0] == record.id:
                    del self.ran[record.task_id]
                # Steps that waited for services used them only while the execution was live: these are runs.
                used = map(RunId, self._uses.forget(record.id))
                self._discard([*used, *self._passed.drop(record.passed)])
            case Task():
                self.history.pop(record.id, None)
                self.ran.pop(record.id, None)
            case Service():
                self.act(Discard(record.directories))
            case TaskRun():
                self._discard([record.id])
            case Environment():
                pass
            case operation_record.Operation():
                operations.forget(self, record)

    def take(self) -> tuple[tuple[Record, ...], tuple[Record, ...], tuple[Action, ...]]:
        """Changed records, removed records and actions since the last call."""
        taken = tuple(self._changed.values()), tuple(self._removed.values()), tuple(self._actions)
        self._changed, self._removed, self._actions = {}, {}, []
        return taken

    # Reading

    @property
    def environment(self) -> Environment | None:
        """The environment's own record, once it started."""
        return next(iter(self.environments.values()), None)

    @property
    def draining(self) -> bool:
        """Whether everything is being stopped for good."""
        return self.drain_by is not None

    @property
    def is_idle(self) -> bool:
        """Whether no execution and no operation is under way."""
        return not self.live and not self.live_operations

    def users(self, id_: UsedId) -> list[ExecutionId]:
        """The live executions with a live step that uses a run or waits for a service, oldest first."""
        return [user for user in self._uses.users(id_) if user in self.live]

    def needed(self, run_id: RunId, besides: ExecutionId) -> bool:
        """Whether another execution than `besides` still needs a run."""
        if self.draining:
            return False  # all of them are to stop
        users = self.users(run_id)
        others = (user for user in users if user != besides)
        heirs = (heir for user in users for heir in self.leaders.heirs(user) if heir != besides)
        return any(not executions.gives_up(self.executions[id_]) for id_ in chain(others, heirs))

    def is_spent(self, run_id: RunId) -> bool:
        """Whether a run cannot be shared: it is stopped, or only executions that are over refer to it."""
        run = self.runs.get(run_id)
        return _is_stopped(run) if run is not None else run_id in self._uses or run_id in self._passed

    def names_run(self, run_id: RunId) -> bool:
        """Whether any record refers to a run of a task."""
        return any(run_id in named for named in (self.runs, self._uses, self._passed))

    def run_ids(self) -> set[RunId]:
        """All runs of tasks that any record refers to."""
        used = [RunId(id_) for id_ in self._uses.ids() if id_ not in self.services]
        return {*self.runs, *used, *self._passed.ids()}

    def firing(self, execution: Execution) -> list[ExecutionId]:
        """The live executions of the same firing."""
        return list(self._firings.get(execution.firing, ()))

    # Indexes

    def _table(self, record: Record) -> MutableMapping[Any, Any]:
        match record:
            case Service():
                return self.services
            case Task():
                return self.tasks
            case TaskRun():
                return self.runs
            case Execution():
                return self.executions
            case Environment():
                return self.environments
            case operation_record.Operation():
                return self.operations

    def _index(self, record: Record, before: Record | None) -> None:
        self.touched[record.id] = None
        match record:
            case Service():
                self.deadlines.set(record.id, services.deadline(record))
            case TaskRun():
                self.deadlines.set(record.id, task_run.deadline(record))
            case Execution():
                self._index_execution(record, before if isinstance(before, Execution) else None)
            case Task():
                self.history.setdefault(record.id, {})
            case Environment():
                pass
            case operation_record.Operation():
                operations.index(self, record)

    def _index_execution(self, execution: Execution, before: Execution | None) -> None:
        self.history.setdefault(execution.task_id, {})[execution.id] = None
        if before is None or before.passed is not execution.passed:
            self._index_passed(execution, before)
        firing = self._firings.setdefault(execution.firing, {})
        if executions.is_over(execution):
            self.live.pop(execution.id, None)
            firing.pop(execution.id, None)
            if not firing:
                del self._firings[execution.firing]
            self.unobserved.pop(execution.id, None)
            self.given_up.discard(execution.id)
            self._uses.forget(execution.id, ServiceStep)
            self.touch(self.leaders.ended(execution))
        else:
            self.live[execution.id] = None
            firing[execution.id] = None

    def _index_passed(self, execution: Execution, before: Execution | None) -> None:
        self._passed.take(execution.passed)
        if before is None:
            return
        self._passed.drop(before.passed)
        self._uses.forget_all_but(execution.id, execution.current)
        self.touch(self.leaders.passed(execution, before.group))

    def _find_uses(self, execution: Execution) -> None:
        """Index what the steps of an execution of an earlier supervisor use, and have them observed."""
        live = not executions.is_over(execution)
        for step in execution.plan[execution.group] if execution.current else ():
            state = execution.current[step.id]
            waits = live and state.phase is ExecutionPhase.RUNNING
            used = step.service_id if isinstance(step, ServiceStep) and waits else state.run_id
            if used is not None:
                self._uses.add(execution.id, step, used)
                if waits:
                    self.unobserved.setdefault(execution.id, {})[step.id] = step
        if live and not execution.current:
            self.touched[execution.id] = None

    def _find_runs(self, execution: Execution, ways: set[str]) -> None:
        """Note which tasks it ran, except in the sequences of groups `ways`, which are noted already."""
        known = execution.group
        for way in execution.passed.down_to(0):
            known = way.size
            if way.id in ways:
                break  # and so are those below it
            ways.add(way.id)
            known -= 1
        begun = execution.plan.cut(execution.group + bool(execution.current))
        for part in reversed(list(begun.down_to(known))):
            for step in part.last:
                self.note_run(execution.id, step)

    def _discard(self, run_ids: Iterable[RunId]) -> None:
        """Discard those of these runs that no record names any more.

        A run that has its own record may live: an execution that follows another has yet to take it over.
        """
        alone = tuple(run_id for run_id in run_ids if not self.names_run(run_id))
        if alone:
            self.act(Discard(alone))


def _is_stopped(run: TaskRun) -> bool:
    """Whether it was told to stop."""
    return isinstance(run.state, RunStopping) or (isinstance(run.state, RunEnded) and run.state.stopped)
