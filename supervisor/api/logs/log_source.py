"""What can be read: the log of a service, of a step, of an execution, each as the sections of its stream.

A service's log is that of its newest run. Who comes with a cursor of an older run gets the rest of that one first, if
it is still kept, then a line that says so, then the newest run from its start.

An execution's log is those of its task steps, one after the other in the order of the plan, so that it is the same
whenever it is read; steps that run side by side have their reference before each line. With one task step it is
exactly that step's log. Steps of services have no log of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from supervisor.api.logs.log_stream import Section
from supervisor.core import queries
from supervisor.core.records import Records
from supervisor.model.errors import NotFound
from supervisor.model.phase import EXECUTION_ENDED
from supervisor.model.record import Execution, Service, TaskStep

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Source:
    """Sections in order. `single`: offsets are those of one log's file."""

    sections: tuple[Section, ...]
    single: bool = True


class BadCursor(Exception):
    """A cursor that this log never gave out."""


def service_log(records: Records, service_id: str) -> Source:
    """The log of a service's newest run; of its first, if there was none. Raises NotFound."""
    service = queries.service(records, service_id)
    return Source((_newest(records, service),))


def step_log(records: Records, execution_id: str, step_id: str) -> Source:
    """The log of one step of an execution. Raises NotFound."""
    execution = queries.execution(records, execution_id)
    number, step = queries.step(execution, step_id)
    if isinstance(step, TaskStep):
        return Source((_step(records, execution, step, number),))
    raise NotFound(
        f'cannot read the log of step "{step_id}": it waits for a service, '
        f"whose log is /logs/services/{step.service_id}"
    )


def execution_log(records: Records, execution_id: str) -> Source:
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
    return Source(tuple(sections), len(steps) == 1)


def resumed(records: Records, source: Source, cursor: str) -> tuple[tuple[Section, ...], int]:
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
    service = records.services.get(sections[0].record_id) if sections else None
    if service is None:
        raise BadCursor
    return _from_older_run(service, sections[0], name, offset, at_end)


def end_cursor(sections: tuple[Section, ...]) -> str | None:
    """The cursor after which nothing comes; None while that is not known."""
    if not sections or not all(section.over(section.run()) for section in sections):
        return None
    name = sections[-1].name or sections[-1].run()
    return f"{name}:end" if name else None


def _newest(records: Records, service: Service) -> Section:
    pinned = service.log_run

    def run() -> str | None:
        nonlocal pinned
        if pinned is None and (now := records.services.get(service.id)) is not None:
            pinned = now.log_run
        return pinned

    def over(run_id: str | None) -> bool:
        now = records.services.get(service.id)
        return now is None or (run_id is not None and now.start != run_id)

    return Section(service.id, run, over)


def _step(records: Records, execution: Execution, step: TaskStep, group: int) -> Section:
    known: str | None = None

    def run() -> str | None:
        nonlocal known
        if known is None and (now := records.executions.get(execution.id)) is not None:
            known = queries.shown(records, now).step(group, step.id).run_id
        return known

    def over(_: str | None) -> bool:
        now = records.executions.get(execution.id)
        return now is None or queries.shown(records, now).step(group, step.id).phase in EXECUTION_ENDED

    return Section(execution.id, run, over)


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
    older = Section(service.id, lambda: run_id, lambda _: True, next_name=str(now))
    return (older, newest), offset


def _after(sections: tuple[Section, ...]) -> str:
    return sections[-1].next_name if sections else ""
