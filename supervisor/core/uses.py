"""Which executions use which run or service, so that a change of one is looked at where it counts.

`Uses` holds the steps of the group that an execution runs, or ran last. `PassedRuns` counts the groups that executions
have passed: the directory of a run is kept as long as one of them shows it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from supervisor.model.ids import ExecutionId, RunId, ServiceId, StepId
from supervisor.model.record import Passed, PlanStep

UsedId = RunId | ServiceId


class Uses:
    """The steps that use a run or wait for a service, by what they use and by their execution."""

    def __init__(self) -> None:
        """Nothing uses anything."""
        self._users: dict[UsedId, dict[ExecutionId, PlanStep]] = {}
        """{run or service id: {execution id: the step of its current group that uses it}}"""
        self._used: dict[ExecutionId, dict[StepId, UsedId]] = {}
        """{execution id: {step id: the run or service that it uses}}, the same the other way"""

    def __contains__(self, id_: UsedId) -> bool:
        return id_ in self._users

    def ids(self) -> Iterable[UsedId]:
        """All runs and services that a step uses."""
        return self._users

    def users(self, id_: UsedId) -> Iterable[ExecutionId]:
        """The executions with a step that uses a run or service, oldest first."""
        return self._users.get(id_, ())

    def step(self, id_: UsedId, execution_id: ExecutionId) -> PlanStep:
        """The step by which an execution uses a run or service."""
        return self._users[id_][execution_id]

    def add(self, execution_id: ExecutionId, step: PlanStep, id_: UsedId) -> None:
        """A step uses a run or service from now on."""
        self._users.setdefault(id_, {})[execution_id] = step
        self._used.setdefault(execution_id, {})[step.id] = id_

    def forget(self, execution_id: ExecutionId, kind: type[PlanStep] | None = None) -> list[UsedId]:
        """An execution's steps of a kind, or all, use nothing any more. Returns what they used."""
        used = self._used.get(execution_id, {})
        steps = [
            step_id
            for step_id, id_ in used.items()
            if kind is None or isinstance(self._users[id_][execution_id], kind)
        ]
        return [self._drop(execution_id, step_id) for step_id in steps]

    def forget_all_but(self, execution_id: ExecutionId, step_ids: Container[StepId]) -> None:
        """Of an execution's steps only these still use something."""
        used = self._used.get(execution_id, {})
        for step_id in [step_id for step_id in used if step_id not in step_ids]:
            self._drop(execution_id, step_id)

    def _drop(self, execution_id: ExecutionId, step_id: StepId) -> UsedId:
        """Returns what the step used."""
        used = self._used[execution_id]
        id_ = used.pop(step_id)
        if not used:
            del self._used[execution_id]
        users = self._users[id_]
        del users[execution_id]
        if not users:
            del self._users[id_]
        return id_


class PassedRuns:
    """Counts the references to runs in groups that were passed. Executions share groups, so each is counted once."""

    def __init__(self) -> None:
        """Nothing refers to anything."""
        self._ways: dict[str, int] = {}
        """{id of the groups passed: how many executions and longer sequences of groups end in them}"""
        self._runs: dict[RunId, int] = {}
        """{run id: in how many groups it is}"""

    def ids(self) -> Iterable[RunId]:
        """All runs that are referred to."""
        return self._runs

    def __contains__(self, run_id: UsedId) -> bool:
        return run_id in self._runs

    def __len__(self) -> int:
        return len(self._ways) + len(self._runs)

    def take(self, passed: Passed) -> None:
        """An execution has passed these groups."""
        for way in passed.down_to(0):
            known = self._ways.get(way.id, 0)
            self._ways[way.id] = known + 1
            if known:
                return
            for state in way.last:
                if state.run_id is not None:
                    self._runs[state.run_id] = self._runs.get(state.run_id, 0) + 1

    def drop(self, passed: Passed) -> list[RunId]:
        """An execution is forgotten or has come further. Returns the runs that no group refers to any more."""
        freed: list[RunId] = []
        for way in passed.down_to(0):
            self._ways[way.id] -= 1
            if self._ways[way.id]:
                break
            del self._ways[way.id]
            freed += [state.run_id for state in way.last if state.run_id and self._is_last(state.run_id)]
        return freed

    def _is_last(self, run_id: RunId) -> bool:
        self._runs[run_id] -= 1
        if self._runs[run_id]:
            return False
        del self._runs[run_id]
        return True
