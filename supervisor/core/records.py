"""All records, with the indexes that make a step cost what it changes, not what exists.

Within a step the records collect what was changed and what is to be done; `world` hands both out at the end of it.
Nothing outside `core` changes them.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping

from supervisor.core import execution as executions
from supervisor.core import service as services
from supervisor.model.action import Action, Discard
from supervisor.model.frozen import replace
from supervisor.model.hints import Any
from supervisor.model.phase import SERVICE_AT_REST
from supervisor.model.record import (
    Environment,
    Execution,
    PlanStep,
    Record,
    Service,
    ServiceStep,
    Task,
    TaskRun,
)


class Records:
    """Records by id. Read the mappings freely."""

    def __init__(self, records: Iterable[Record] = (), revision: int = 0) -> None:
        """Begin with `records`, as the store kept them; the next change gets `revision + 1`."""
        self.services: dict[str, Service] = {}
        self.tasks: dict[str, Task] = {}
        self.runs: dict[str, TaskRun] = {}
        self.executions: dict[str, Execution] = {}
        self.environments: dict[str, Environment] = {}
        """One, once it started."""
        self.revision = revision
        self.drain_by: float | None = None
        """When draining ends in SIGKILL, on the monotonic clock; None: not draining."""
        self.live: dict[str, None] = {}
        """The executions that are not over, oldest first."""
        self.history: dict[str, dict[str, None]] = {}
        """{task id: its executions, oldest first}"""
        self.touched: dict[str, None] = {}
        """The records to look at before the step ends."""
        self.news: dict[str, dict[str, PlanStep]] = {}
        """{execution id: {step id: a live step whose run or service may have changed since it was looked at}}"""
        self.deadlines: dict[str, float] = {}
        """{record id: when to look at it although nothing happened}"""
        self._changed: dict[str, Record] = {}
        self._removed: list[Record] = []
        self._actions: list[Action] = []
        self._users: dict[str, dict[str, PlanStep]] = {}
        """{run or service id: {execution id: its step that uses it}}"""
        self._firings: dict[str, dict[str, None]] = {}
        for record in sorted(records, key=lambda record: record.born):
            self._table(record)[record.id] = record
            self._index(record)
        for execution in map(self.executions.__getitem__, self.live):
            for step, state in executions.live_steps(execution):
                used = step.service_id if isinstance(step, ServiceStep) else state.run_id
                if used is not None:
                    self.use(execution.id, step, used)
        self.touched.clear()

    # Changing, within a step

    def put(self, record: Record) -> None:
        """Add or replace a record, and have it looked at."""
        self.revision += 1
        record = replace(record, born=record.born or self.revision, revision=self.revision)
        self._table(record)[record.id] = record
        self._index(record)
        self._changed.pop(record.id, None)
        self._changed[record.id] = record

    def act(self, *actions: Action) -> None:
        """Ask for actions, to be performed after all that were asked for before."""
        self._actions.extend(actions)

    def touch(self, ids: Iterable[str]) -> None:
        """Have records looked at although they did not change themselves."""
        self.touched.update(dict.fromkeys(ids))

    def use(self, execution_id: str, step: PlanStep, id_: str) -> None:
        """A step of a live execution uses a run or waits for a service from now on, and is to look at it."""
        self._users.setdefault(id_, {})[execution_id] = step
        self.news.setdefault(execution_id, {})[step.id] = step

    def tell_users(self, id_: str) -> None:
        """A run or service may have changed: have the steps that use it looked at, and their executions."""
        for user in self.users(id_):
            self.touched[user] = None
            step = self._users[id_][user]
            self.news.setdefault(user, {})[step.id] = step

    def remove(self, record: Record) -> None:
        """Forget a record and what only it kept."""
        self._removed.append(self._table(record).pop(record.id))
        self.deadlines.pop(record.id, None)
        match record:
            case Execution():
                self.history[record.task_id].pop(record.id, None)
                self.news.pop(record.id, None)
                self._drop_runs(record)
            case Task():
                self.history.pop(record.id, None)
            case Service():
                self.act(Discard(record.kept_runs))
            case TaskRun() | Environment():
                pass

    def take(self) -> tuple[tuple[Record, ...], tuple[Record, ...], tuple[Action, ...]]:
        """What was changed, removed and asked for since the last call."""
        taken = tuple(self._changed.values()), tuple(self._removed), tuple(self._actions)
        self._changed, self._removed, self._actions = {}, [], []
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

    def settled(self) -> bool:
        """Whether nothing lives and no execution is under way."""
        return not self.live and all(service.phase in SERVICE_AT_REST for service in self.services.values())

    def users(self, id_: str) -> list[str]:
        """The live executions with a live step that uses a run or waits for a service, oldest first."""
        return [user for user in self._users.get(id_, ()) if user in self.live]

    def needed(self, run_id: str, besides: str) -> bool:
        """Whether another execution than `besides` still needs a run."""
        others = (self.executions[user] for user in self.users(run_id) if user != besides)
        return any(not executions.gives_up(other) for other in others)

    def firing(self, execution: Execution) -> list[str]:
        """The live executions of the same firing."""
        return list(self._firings.get(execution.firing, ()))

    # Indexes

    def _table(self, record: Record) -> MutableMapping[str, Any]:
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

    def _index(self, record: Record) -> None:
        self.touched[record.id] = None
        match record:
            case Service():
                self._set_deadline(record.id, services.deadline(record))
            case TaskRun():
                self._set_deadline(record.id, record.kill_at)
            case Execution():
                self._index_execution(record)
            case Task():
                self.history.setdefault(record.id, {})
            case Environment():
                pass

    def _index_execution(self, execution: Execution) -> None:
        self.history.setdefault(execution.task_id, {})[execution.id] = None
        firing = self._firings.setdefault(execution.firing, {})
        if executions.is_over(execution):
            self.live.pop(execution.id, None)
            firing.pop(execution.id, None)
            if not firing:
                del self._firings[execution.firing]
            return
        self.live[execution.id] = None
        firing[execution.id] = None

    def _set_deadline(self, id_: str, at: float | None) -> None:
        if at is None:
            self.deadlines.pop(id_, None)
        else:
            self.deadlines[id_] = at

    def _drop_runs(self, execution: Execution) -> None:
        """Discard the runs that only this execution used."""
        mine = [state.run_id for state in execution.steps.values() if state.run_id is not None]
        for run_id in mine:
            self._users.get(run_id, {}).pop(execution.id, None)
        alone = tuple(run_id for run_id in mine if not self._users.get(run_id))
        for run_id in alone:
            self._users.pop(run_id, None)
        if alone:
            self.act(Discard(alone))
