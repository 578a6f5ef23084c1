"""The transition tables are what the machines do: every cell is written, true, and reached.

Random histories, some with crashes and restarts of the machine, are run with a recorder in front of each table. What
they do must stand in the table, and every phase that a cell names must be reached by one of them.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

from supervisor.core.state_machines import execution as executions
from supervisor.core.state_machines import operation as operations
from supervisor.core.state_machines import service as services
from supervisor.core.state_machines import task_run
from supervisor.core.state_machines.step_outcome import View
from supervisor.core.state_machines.transitions import IGNORED, NEVER
from supervisor.model.exit import ExitCode
from supervisor.model.ids import ExecutionId, OperationId, RunId, ServiceId, TaskId
from supervisor.model.moment import Now
from supervisor.model.operation_record import Operation
from supervisor.model.phase import ExecutionPhase, RunPhase, ServicePhase
from supervisor.model.record import Execution, Service, Source, TaskRun
from supervisor.model.shared_sequence import EMPTY
from supervisor.model.spec import TaskSpec
from supervisor.model.states import AtRest, Deleted, RunEnded, Starting
from tests.core import playbook
from tests.core.test_histories import ToyMachine
from tests.core.test_recovery import CrashingMachine

HISTORIES = 300
TURNS = 90


class Machine(NamedTuple):
    """One of the state machines."""

    module: Any
    events: type
    key: Callable[[Any], Any]
    """The row of a record."""

    @property
    def table(self) -> Mapping[Any, Mapping[str, Any]]:
        table: Mapping[Any, Mapping[str, Any]] = self.module.TABLE
        return table


MACHINES = {
    "service": Machine(services, services.ServiceEvent, lambda record: type(record.state)),
    "task run": Machine(task_run, task_run.TaskRunEvent, lambda record: type(record.state)),
    "operation": Machine(operations, operations.OperationEvent, lambda record: type(record.state)),
    "execution": Machine(executions, executions.ExecutionEvent, lambda record: record.phase),
}
Transition = tuple[Any, str, Any]
"""Row, event, and the phase that followed."""

NOT_BY_HISTORIES = {
    # It is forgotten in the step that deletes it.
    (Deleted, services.ServiceEvent.WANTED_GONE),
    # It is admitted in the step that makes it.
    (ExecutionPhase.PENDING, executions.ExecutionEvent.GIVEN_UP),
}
"""Cells that a test below tries one by one."""


BEGINS: dict[str, set[enum.Enum]] = {"operation": {RunPhase.LIVE}, "execution": {ExecutionPhase.PENDING}}
"""The phases that records only have from their making on."""


def events(machine: Machine) -> dict[str, str]:
    return {name: text for name, text in vars(machine.events).items() if not name.startswith("_")}


def recorded(name: str, into: set[Transition], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what one of the machines does noted."""
    machine = MACHINES[name]
    take = machine.module.take

    def record(before: Any, event: str, given: Any, now: Now) -> Any:
        decision = take(before, event, given, now)
        into.add((machine.key(before), event, decision[0].phase))
        return decision

    monkeypatch.setattr(machine.module, "take", record)


@pytest.fixture(scope="module")
def seen() -> dict[str, set[Transition]]:
    """`{machine: transitions}` of many histories."""
    found: dict[str, set[Transition]] = {name: set() for name in MACHINES}
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, into in found.items():
            recorded(name, into, monkeypatch)
        for seed in range(HISTORIES):
            machine = (ToyMachine, CrashingMachine)[seed % 2](random.Random(seed))
            machine.begin()
            for _ in range(TURNS):
                machine.turn()
            if isinstance(machine, CrashingMachine):
                machine.may_crash = False
            machine.drain()
    return found


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_every_cell_is_written(machine: Machine) -> None:
    names = list(events(machine).values())
    assert len(set(names)) == len(names)
    for row in machine.table.values():
        assert list(row) == names


@pytest.mark.parametrize(
    ("name", "phases"),
    [
        ("service", ServicePhase),
        ("task run", RunPhase),
        ("operation", RunPhase),
        ("execution", ExecutionPhase),
    ],
)
def test_every_phase_has_a_row_and_is_led_to(name: str, phases: type[enum.Enum]) -> None:
    cells = [cell for row in MACHINES[name].table.values() for cell in row.values()]
    led_to = {phase for cell in cells if not isinstance(cell, str) for phase in cell[1]}
    assert led_to == set(phases) - BEGINS.get(name, set())


@pytest.mark.parametrize("name", MACHINES)
def test_what_histories_do_stands_in_the_table(name: str, seen: dict[str, set[Transition]]) -> None:
    table = MACHINES[name].table
    for row, event, phase in seen[name]:
        cell = table[row][event]
        assert cell != NEVER, (row, event)
        if cell != IGNORED:
            assert phase in cell[1], (row, event)


@pytest.mark.parametrize("name", MACHINES)
def test_every_cell_is_reached_with_every_phase_that_it_names(
    name: str, seen: dict[str, set[Transition]]
) -> None:
    reached = {(row, event) for row, event, _ in seen[name]}
    for row, cells in MACHINES[name].table.items():
        for event, cell in cells.items():
            if cell == NEVER or (row, event) in NOT_BY_HISTORIES:
                assert (row, event) not in reached
            elif cell == IGNORED:
                assert (row, event) in reached, (row, event)
            else:
                assert {phase for r, e, phase in seen[name] if (r, e) == (row, event)} == set(cell[1]), (
                    row,
                    event,
                )


# Cells that no history reaches


def test_deleted_service_stays_deleted() -> None:
    service = Service(ServiceId("s"), playbook.service("web"), Source.FILE, 0.0, state=Deleted(AtRest()))
    assert services.take(service, services.ServiceEvent.WANTED_GONE, None, Now(0.0, 0.0)) == (service, ())


@pytest.mark.parametrize(("reason", "phase"), [("", ExecutionPhase.STOPPED), ("x", ExecutionPhase.FAILED)])
def test_execution_that_is_given_up_before_it_is_admitted_starts_nothing(
    reason: str, phase: ExecutionPhase
) -> None:
    ids = ExecutionId("x"), TaskId("t")
    pending = Execution(*ids, "build", "manual", "f", EMPTY, 0.0, stop_wanted=True, reason=reason)
    view = View({}, {})
    decided, requests = executions.decide(pending, view, Now(0.0, 5.0))
    assert (decided.phase, decided.started_s, requests) == (phase, None, ())


@pytest.mark.parametrize(
    ("take", "record", "event"),
    [
        (
            services.take,
            Service(
                ServiceId("s"), playbook.service("web"), Source.FILE, 0.0, state=Starting(playbook.SESSION)
            ),
            services.ServiceEvent.KILL_DUE,
        ),
        (
            task_run.take,
            TaskRun(RunId("r"), TaskId("t"), "build", "f", TaskSpec("make"), RunEnded(ExitCode(0))),
            task_run.TaskRunEvent.KILL_DUE,
        ),
        (
            operations.take,
            Operation(RunId("r"), OperationId("o"), "true", "", "", 0.0, 0.0),
            operations.OperationEvent.KILL_DUE,
        ),
    ],
)
def test_event_that_cannot_come_is_a_bug(take: Callable[..., Any], record: object, event: str) -> None:
    with pytest.raises(AssertionError, match=event):
        take(record, event, None, Now(0.0, 0.0))
