"""The logs that can be read: of a service, a step, an execution, a run, each as the sections of its stream.

A service's log is that of its newest run. A cursor of an older run gives the rest of that one first, if it is still
kept, then a line that says so, then the newest run from its start.

An execution's log is those of its task steps, one after the other in the order of the plan, so that it is the same
whenever it is read; steps that run side by side have their reference before each line. With one task step it is
exactly that step's log. Steps of services have no log of their own.

An operation has a log for each of its streams.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from connect_server.connect_errors import quoted
from supervisor.api.logs.log_section import Section
from supervisor.core import kept_runs, queries
from supervisor.core.records import Records
from supervisor.model.errors import NotFound
from supervisor.model.ids import ExecutionId, OperationId, RunId, ServiceId, StepId, service_of_run
from supervisor.model.phase import EXECUTION_ENDED
from supervisor.model.record import Execution, Service, TaskStep
from supervisor.model.step_states import StepState


@dataclass(frozen=True, slots=True)
class LogSource:
    """Sections in order. `single`: offsets are those of one log's file."""

    sections: tuple[Section, ...]
    single: bool = True
    pinned: bool = False
    """Whether it is the log of one run and no other, so that a cursor of an older run is none of this log."""


class BadCursor(Exception):
    """A cursor that this log never gave out."""


def service_log(records: Records, service_id: ServiceId) -> LogSource:
    """The log of a service's newest run; of its first, if there was none. Raises NotFound."""
    service = queries.service(records, service_id)
    return LogSource((_newest(records, service),))


def step_log(records: Records, execution_id: ExecutionId, step_id: StepId) -> LogSource:
    """The log of one step of an execution. Raises NotFound."""
    execution = queries.execution(records, execution_id)
    number, step = queries.step(execution, step_id)
    if isinstance(step, TaskStep):
        return LogSource((_step(records, execution, step, number),))
    raise NotFound(
        f'cannot read the log of step "{step_id}": it waits for a service, '
        f"whose log is /logs/services/{step.service_id}"
    )


def run_log(records: Records, run_id: RunId) -> LogSource:
    """The log of one run that is kept, whatever it is for. Raises NotFound."""
    return LogSource((Section(kept_runs.owner(records, run_id), _KeptRun(records, run_id)),), pinned=True)


def operation_log(records: Records, operation_id: OperationId, stream: str) -> LogSource:
    """The stdout or stderr of an operation. Raises NotFound."""
    operation = queries.operation(records, operation_id)
    if operation is None:
        raise NotFound(f"no operation {quoted(operation_id)} runs, and no result of one is kept")
    run = _OperationStream(records, operation.id, stream)
    return LogSource((Section(operation.id, run),), pinned=True)


def execution_log(records: Records, execution_id: ExecutionId) -> LogSource:
    """The merged log of an execution. Raises NotFound."""
    execution = queries.execution(records, execution_id)
    groups = [[step for step in group if isinstance(step, TaskStep)] for group in execution.plan]
    steps = [(step, number, len(group) > 1) for number, group in enumerate(groups) for step in group]
    sections = []
    for index, (step, number, side_by_side) in enumerate(steps):
        last = index == len(steps) - 1
        section = replace(
            _step(records, execution, step, number),
            name=f"{execution_id}:{index}",
            prefix=f"{step.reference} | ".encode() if side_by_side else b"",
            next_name=f"{execution_id}:{index + 1}" if side_by_side or not last else "",
        )
        sections.append(section)
    return LogSource(tuple(sections), len(steps) == 1)


def resumed(records: Records, source: LogSource, cursor: str) -> tuple[tuple[Section, ...], int]:
    """The sections that follow a cursor, and the offset to begin at in the first. Raises BadCursor."""
    name, _, place = cursor.rpartition(":")
    at_end = place == "end"
    if not (at_end or (place.isascii() and place.isdigit() and len(place) <= 18)):
        raise BadCursor
    offset = 0 if at_end else int(place)
    sections = source.sections
    names = [section.name or section.run() or "" for section in sections]
    if name in names:
        index = names.index(name)
        return ((), 0) if at_end else (sections[index:], offset)
    if name and name == _after(sections):
        return (), 0
    service = records.services.get(ServiceId(sections[0].record_id)) if sections else None
    if service is None or source.pinned:
        raise BadCursor
    return _from_older_run(service, sections[0], name, offset, at_end)


def end_cursor(sections: tuple[Section, ...]) -> str | None:
    """The cursor after which nothing comes; None while that is not known."""
    if not sections or not all(section.over(section.run()) for section in sections):
        return None
    name = sections[-1].name or sections[-1].run()
    return f"{name}:end" if name else None


class _NewestRun:
    """The run that was a service's newest when it was first looked for."""

    def __init__(self, records: Records, service: Service) -> None:
        self._services = records.services
        self._id = service.id
        self._run_id = service.log_run

    def run_id(self) -> str | None:
        if self._run_id is None and (now := self._services.get(self._id)) is not None:
            self._run_id = now.log_run
        return self._run_id

    def over(self, run_id: str | None) -> bool:
        now = self._services.get(self._id)
        return now is None or (run_id is not None and now.start != run_id)


@dataclass(frozen=True, slots=True)
class _OlderRun:
    """A run that is over."""

    id: str

    def run_id(self) -> str | None:
        return self.id

    def over(self, run_id: str | None) -> bool:
        return True


class _KeptRun:
    """A run, by its id."""

    def __init__(self, records: Records, run_id: RunId) -> None:
        self._records = records
        self._run_id = run_id

    def run_id(self) -> str | None:
        return self._run_id

    def over(self, run_id: str | None) -> bool:
        # Of probes the log is what the last one printed, whether there will be another one or not.
        return not kept_runs.lives(self._records, self._run_id) or self._has_ended_probe()

    def _has_ended_probe(self) -> bool:
        service = self._records.services.get(service_of_run(self._run_id))
        return service is not None and service.probed is not None and service.probed.id == self._run_id


@dataclass(frozen=True, slots=True)
class _OperationStream:
    """A stream of an operation. What its command left behind may go on writing: that is not waited for."""

    records: Records
    id: RunId
    stream: str

    def run_id(self) -> str | None:
        return f"{self.id}/{self.stream}"

    def over(self, run_id: str | None) -> bool:
        now = self.records.operations.get(self.id)
        return now is None or now.exit is not None


class _StepRun:
    """The run of a step."""

    def __init__(self, records: Records, execution_id: ExecutionId, step_id: StepId, group: int) -> None:
        self._records = records
        self._execution_id = execution_id
        self._step_id = step_id
        self._group = group
        self._run_id: str | None = None

    def run_id(self) -> str | None:
        if self._run_id is None and (state := self._state()) is not None:
            self._run_id = state.run_id
        return self._run_id

    def over(self, run_id: str | None) -> bool:
        state = self._state()
        return state is None or state.phase in EXECUTION_ENDED

    def _state(self) -> StepState | None:
        now = self._records.executions.get(self._execution_id)
        return None if now is None else queries.shown(self._records, now).step(self._group, self._step_id)


def _newest(records: Records, service: Service) -> Section:
    return Section(service.id, _NewestRun(records, service))


def _step(records: Records, execution: Execution, step: TaskStep, group: int) -> Section:
    return Section(execution.id, _StepRun(records, execution.id, step.id, group))


def _from_older_run(
    service: Service, newest: Section, run_id: str, offset: int, at_end: bool
) -> tuple[tuple[Section, ...], int]:
    owner, _, number = run_id.rpartition(".")
    if owner != service.id or not (number.isascii() and number.isdigit()):
        raise BadCursor
    now = newest.run()
    if not at_end and run_id not in service.kept_runs:
        return (replace(newest, note=f"the rest of run {run_id} is gone; run {now} follows"),), 0
    newest = replace(newest, note=f"run {run_id} ended; run {now} follows")
    if at_end:
        return (newest,), 0
    older = Section(service.id, _OlderRun(run_id), next_name=str(now))
    return (older, newest), offset


def _after(sections: tuple[Section, ...]) -> str:
    return sections[-1].next_name if sections else ""
