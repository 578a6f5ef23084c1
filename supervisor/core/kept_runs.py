"""The runs whose logs are kept: what each was for, and how it ended as far as a record says so.

A service names its runs itself. The runs of tasks are those that the steps of executions name; executions that went the
same way share what they passed, so each group is looked at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from supervisor.core.records import Records
from supervisor.lean.frozen import dataclass
from supervisor.model.action import RunKind
from supervisor.model.errors import NotFound
from supervisor.model.exit import Exit
from supervisor.model.ids import ItemId, RunId, service_of_run
from supervisor.model.phase import RunPhase
from supervisor.model.record import Execution, LastProbe, Service, TaskRun, TaskStep
from supervisor.model.states import AtRest, Stopping


@dataclass(frozen=True, slots=True)
class KeptRun:
    """One run."""

    id: RunId
    kind: RunKind
    item_id: ItemId
    """The id of its service or task."""
    reference: str
    lives: bool
    exit: Exit | None = None
    """How it ended, if a record says so; None: it lives, or only its directory says."""
    probed: LastProbe | None = None
    """Of probes: how the last one ended, if a record says so."""


@dataclass(frozen=True, slots=True)
class RunRecords:
    """The records of runs at one moment, for another thread to read."""

    services: tuple[Service, ...]
    executions: tuple[Execution, ...]
    task_runs: Mapping[RunId, TaskRun]

    def runs(self, item_id: str = "") -> Iterator[KeptRun]:
        """The runs of one service or task; empty: of all. In no order."""
        for service in self.services:
            if item_id in ("", service.id):
                yield from _of_service(service)
        for run_id, step in _task_steps(self.executions):
            if item_id in ("", step.task_id):
                yield self._of_task(run_id, step)

    def _of_task(self, run_id: RunId, step: TaskStep) -> KeptRun:
        run = self.task_runs.get(run_id)
        lives = run is not None and run.phase is not RunPhase.ENDED
        end = None if run is None else run.exit
        return KeptRun(run_id, RunKind.TASK, step.task_id, step.reference, lives, end)


def records_of_runs(records: Records, item_id: str = "") -> RunRecords:
    """What the records say now. `item_id`: of the service or task that is asked for. Raises NotFound."""
    if item_id and item_id not in records.services and item_id not in records.tasks:
        raise NotFound(f'cannot find service or task "{item_id}": there is none with this id')
    return RunRecords(
        tuple(records.services.values()), tuple(records.executions.values()), dict(records.runs)
    )


def owner(records: Records, run_id: RunId) -> str:
    """The id of the record whose changes say whether a run lives. Raises NotFound: the run is not kept."""
    service = records.services.get(service_of_run(run_id))
    if service is not None:
        if run_id in service.directories:
            return service.id
    elif records.names_run(run_id):
        return run_id
    raise NotFound(f'cannot find run "{run_id}": there is none with this id, or it is not kept any more')


def lives(records: Records, run_id: RunId) -> bool:
    """Whether a run is not over."""
    service = records.services.get(service_of_run(run_id))
    if service is not None:
        return run_id in service.live_runs
    run = records.runs.get(run_id)
    return run is not None and run.phase is not RunPhase.ENDED


def _of_service(service: Service) -> Iterator[KeptRun]:
    live = service.live_runs
    kinds = {service.last_probe: RunKind.READY, service.last_stop: RunKind.STOP}
    for run_id in service.directories:
        kind = kinds.get(run_id, RunKind.START)
        probed = service.probed if service.probed and service.probed.id == run_id else None
        end = probed.exit if probed else _exit_of(service, run_id)
        yield KeptRun(run_id, kind, service.id, service.item.reference, run_id in live, end, probed)


def _exit_of(service: Service, run_id: RunId) -> Exit | None:
    """How the start command of the last session ended."""
    match service.state:
        case AtRest(exit=end) | Stopping(exit=end) if run_id == service.log_run:
            return end
        case _:
            return None


def _task_steps(executions: Iterable[Execution]) -> Iterator[tuple[RunId, TaskStep]]:
    """Each run of a task's command, once, and a step that it was for."""
    seen: set[RunId] = set()
    for run_id, step in _steps(executions):
        if run_id not in seen:
            seen.add(run_id)
            yield run_id, step


def _steps(executions: Iterable[Execution]) -> Iterator[tuple[RunId, TaskStep]]:
    ways: set[str] = set()
    for execution in executions:
        passed, plan = execution.passed, execution.plan.cut(execution.passed.size)
        while passed.size and passed.id not in ways:
            ways.add(passed.id)
            for step, state in zip(plan.last, passed.last, strict=True):
                if isinstance(step, TaskStep) and state.run_id is not None:
                    yield state.run_id, step
            passed, plan = passed.below, plan.below
        if execution.current:
            for step in execution.plan.cut(execution.group + 1).last:
                state = execution.current[step.id]
                if isinstance(step, TaskStep) and state.run_id is not None:
                    yield state.run_id, step
