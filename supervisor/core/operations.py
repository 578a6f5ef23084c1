"""What is asked of operations, how long their results are kept, and the indexes of both.

A client names an operation; its record has the id of its run, because what a client says may be any text. An id is used
once. The result of an operation is kept until there are too many, or they are too large or too old
(`ForgetOperations`), and goes with its record: the store then keeps the id for longer, so that the command is not run
again. An operation that could not be started uses up nothing: its record says why, in a last change, and is removed in
the same step.

A new environment has none, and does not wait for this module.
"""

from __future__ import annotations

from supervisor.core.state_machines import operation as machine
from supervisor.lean.frozen import replace
from supervisor.lean.typing import TYPE_CHECKING, assert_never
from supervisor.model.action import Discard, Inherited, Kill, Terminate
from supervisor.model.errors import AlreadyExists, Draining, Exhausted
from supervisor.model.fact import RunFact
from supervisor.model.ids import RunId
from supervisor.model.moment import Now
from supervisor.model.operation_record import (
    KEPT_STREAM_BYTES,
    CancelOperation,
    ForgetOperations,
    Operation,
    OperationCommand,
    OperationEnded,
    OperationEnding,
    OperationLive,
    RunOperation,
    digest_of,
)

if TYPE_CHECKING:
    from supervisor.core.records import Records

MOST_RUNNING = 256
KEPT_RESULTS = 1000
KEPT_BYTES = 1 << 30
"""What the kept output of all results may take; the oldest go first."""
KEPT_S = 7 * 24 * 3600.0
"""How long a result is kept. Who submits `ForgetOperations` knows the time."""


# Commands -------------------------------------------------------------------------------------------------------------


def obey(records: Records, command: OperationCommand, now: Now) -> None:
    """Apply a command to the records. Raises AlreadyExists, Draining or Exhausted for one that runs a command."""
    match command:
        case RunOperation():
            _run(records, command, now)
        case CancelOperation(operation_id):
            if (run_id := records.operation_runs.get(operation_id)) is not None:
                operation = records.operations[run_id]
                records.apply(operation, *machine.cancel(operation, now))
        case ForgetOperations(before_s):
            for run_id in list(records.results):
                state = records.operations[run_id].state
                if isinstance(state, OperationEnded) and state.ended_s < before_s:
                    records.remove(records.operations[run_id])
        case _:
            assert_never(command)


def drain(records: Records, kill_by: float, now: Now) -> None:
    """End all that run; kill what still lives at `kill_by`."""
    for run_id in list(records.live_operations):
        operation = records.operations[run_id]
        records.apply(operation, *machine.drain(operation, kill_by, now))


def _run(records: Records, command: RunOperation, now: Now) -> None:
    if command.operation_id in records.operation_runs:
        raise AlreadyExists("cannot run the command: its operation id is used")
    if records.draining:
        raise Draining("cannot run the command: the supervisor is shutting down")
    if len(records.live_operations) >= MOST_RUNNING:
        raise Exhausted(
            f"cannot run the command: {MOST_RUNNING} others run, and more are not started; wait for one of them"
        )
    limit_at = now.mono_s + command.limit_s if command.limit_s else None
    operation = Operation(
        RunId(command.stamp),
        command.operation_id,
        command.command,
        digest_of(command.command, command.working_directory),
        command.working_directory,
        command.limit_s,
        now.wall_s,
        OperationLive(limit_at),
    )
    records.put(operation)
    records.act(machine.spawn_of(operation))


# Within a step --------------------------------------------------------------------------------------------------------


def observe(records: Records, operation: Operation, fact: RunFact, now: Now) -> None:
    """Fold a fact of its run."""
    records.apply(operation, *machine.observe(operation, fact, now))


def settle(records: Records, operation: Operation, now: Now) -> None:
    """It was touched: it may be due, or over."""
    decided, actions = machine.decide(operation, now)
    records.apply(operation, decided, actions)
    if not isinstance(decided.state, OperationEnded):
        return
    if not decided.uses_up_id:
        records.remove(decided)
    while len(records.results) > KEPT_RESULTS or records.results_bytes > KEPT_BYTES:
        records.remove(records.operations[next(iter(records.results))])
    if records.draining and records.is_idle:
        records.touch(records.services)


# Indexes --------------------------------------------------------------------------------------------------------------


def index(records: Records, operation: Operation) -> None:
    """A record was added or replaced."""
    records.operation_runs[operation.operation_id] = operation.id
    records.deadlines.set(operation.id, machine.deadline(operation))
    if not isinstance(operation.state, OperationEnded):
        records.live_operations[operation.id] = None
        return
    records.live_operations.pop(operation.id, None)
    if operation.id not in records.results:
        records.results[operation.id] = size_bytes = _size_bytes(operation.state)
        records.results_bytes += size_bytes


def sort(records: Records) -> None:
    """Have the results in the order of their ends: the last change of each was its end."""
    order = sorted(records.results.items(), key=lambda item: records.operations[item[0]].revision)
    records.results.clear()
    records.results.update(order)


def forget(records: Records, operation: Operation) -> None:
    """A record was removed."""
    records.operation_runs.pop(operation.operation_id, None)
    records.live_operations.pop(operation.id, None)
    records.results_bytes -= records.results.pop(operation.id, 0)
    records.act(Discard((operation.id,)))


def _size_bytes(state: OperationEnded) -> int:
    return sum(min(size_bytes, KEPT_STREAM_BYTES) for size_bytes in state.written)


# After a supervisor ended ---------------------------------------------------------------------------------------------


def inherited(records: Records) -> list[Inherited]:
    """Their runs that live according to the records, oldest first."""
    return [_inherited(records.operations[run_id]) for run_id in records.live_operations]


def _inherited(operation: Operation) -> Inherited:
    spawn = machine.spawn_of(operation)
    if not isinstance(operation.state, OperationEnding):
        return Inherited(spawn, wanted=True)
    killed = operation.state.kill_at is None
    return Inherited(spawn, wanted=False, ending=Kill(operation.id) if killed else Terminate(operation.id))


def lose_all(records: Records) -> None:
    """The machine was restarted: facts of their own end them. A limit of the boot before means nothing."""
    for run_id in records.live_operations:
        operation = records.operations[run_id]
        if isinstance(operation.state, OperationLive) and operation.state.limit_at is not None:
            records.put(replace(operation, state=OperationLive()))
