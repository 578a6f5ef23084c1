"""What is true of the records between two steps, whatever happened before. Tests check it after every step."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import pairwise

from supervisor.core import queries
from supervisor.core.operations import KEPT_BYTES, KEPT_RESULTS, MOST_RUNNING
from supervisor.core.records import Records
from supervisor.core.state_machines.execution import gives_up, is_over, live_steps
from supervisor.model.operation_record import SHOWN_COMMAND_CHARACTERS, Operation, OperationEnded
from supervisor.model.phase import (
    EXECUTION_ENDED,
    ExecutionPhase,
    RunPhase,
    ServicePhase,
    Want,
)
from supervisor.model.record import Execution, Service, ServiceStep, Source, TaskRun, TaskStep
from supervisor.model.states import AtRest, Deleted, Running, Starting, Stopping


def violations(records: Records, checked: Collection[Execution] = ()) -> Iterator[str]:
    """Sentences about every record that breaks a rule; nothing if all is well.

    `checked`: executions of which is known that they break none. Those that are over are not looked at again.
    """
    known = {id(execution) for execution in checked if is_over(execution)}
    for service in records.services.values():
        yield from (f"service {service.item.reference}: {text}" for text in _service(service))
    for run in records.runs.values():
        yield from (f"run {run.reference}: {text}" for text in _run(run, records))
    for execution in records.executions.values():
        if id(execution) in known and execution.id not in records.live:
            continue
        yield from (f"execution {execution.reference}: {text}" for text in _execution(execution, records))
    for operation in records.operations.values():
        yield from (f"operation {operation.id}: {text}" for text in _operation(operation, records))
    yield from _operations(records)
    yield from _records(records)


def _service(service: Service) -> Iterator[str]:
    wanted = service.want is Want.UP and service.session == service.ran_session
    match service.state:
        case AtRest() if service.want is Want.GONE:
            yield "should be deleted"
        case AtRest() if service.want is Want.UP and not wanted:
            yield "a new session is wanted and nothing starts it"
        case Starting() | Running() if not wanted:
            yield f"{service.phase.value} although that session is not wanted"
        case Stopping() if not service.live_runs:
            yield "STOPPING but nothing lives"
        case Deleted():
            yield "DELETED but kept"
        case _:
            pass
    if not set(service.live_runs) <= set(service.directories):
        yield "a run lives whose directory is not kept"


def _run(run: TaskRun, records: Records) -> Iterator[str]:
    users = [records.executions[id_] for id_ in records.users(run.id)]
    waiting = [user for user in users if any(state.run_id == run.id for _, state in live_steps(user))]
    waiting += [records.executions[heir] for user in waiting for heir in records.leaders.heirs(user.id)]
    if run.phase is RunPhase.LIVE and not any(not gives_up(user) for user in waiting):
        yield "LIVE but no execution needs it"
    if run.phase is RunPhase.ENDED and waiting:
        yield "ENDED but an execution still waits for it"


def _operation(operation: Operation, records: Records) -> Iterator[str]:
    if records.operation_runs.get(operation.operation_id) != operation.id:
        yield "its client would not find it"
    match operation.state:
        case OperationEnded():
            if not operation.uses_up_id:
                yield "kept although it never began"
            if len(operation.command) > SHOWN_COMMAND_CHARACTERS:
                yield "over, and its whole command is kept"
        case live if operation.phase is RunPhase.LIVE and records.draining:
            yield f"{live.phase.value} although everything is to stop"
        case _:
            pass


def _operations(records: Records) -> Iterator[str]:
    over = [one for one in records.operations.values() if isinstance(one.state, OperationEnded)]
    live = [one.id for one in records.operations.values() if not isinstance(one.state, OperationEnded)]
    if list(records.live_operations) != live:
        yield "the phases of operations and the index of those that are not over differ"
    if list(records.results) != [one.id for one in sorted(over, key=lambda one: one.revision)]:
        yield "results do not stand in the order in which operations ended"
    if len(records.operation_runs) != len(records.operations):
        yield "an operation that is gone can be found"
    if len(live) > MOST_RUNNING or len(over) > KEPT_RESULTS:
        yield f"{len(live)} operations run, {len(over)} are kept"
    if records.results_bytes != sum(records.results.values()) or records.results_bytes > KEPT_BYTES:
        yield f"the results count as {records.results_bytes} bytes"


def _execution(execution: Execution, records: Records) -> Iterator[str]:
    shown = queries.shown(records, execution)
    steps = shown.steps
    states = [[steps[step.id] for step in group] for group in execution.plan]
    if shown.passed.size != shown.group:
        yield f"{shown.passed.size} groups were passed but group {shown.group} runs"
    if is_over(execution) and shown is not execution:
        yield "over but it follows another"
    if is_over(execution) is (execution.id in records.live):
        yield "its phase and the index of live executions differ"
    for below, above in pairwise(states):
        started = any(
            state.phase is not ExecutionPhase.PENDING and state.reason != "not run" for state in above
        )
        if started and not all(state.phase is ExecutionPhase.SUCCEEDED for state in below):
            yield "a group was started before the one below it had succeeded"
    phases = {state.phase for group in states for state in group}
    if is_over(execution) and not phases <= EXECUTION_ENDED:
        yield f"over with steps that are not: {phases}"
    if execution.phase is ExecutionPhase.SUCCEEDED and phases != {ExecutionPhase.SUCCEEDED}:
        yield f"SUCCEEDED with steps that did not: {phases}"
    if execution.phase is ExecutionPhase.FAILED and not execution.reason:
        yield "FAILED without a reason"
    if not is_over(execution) and not live_steps(shown):
        yield f"{execution.phase.value} but nothing runs"
    for step, state in live_steps(execution):
        if isinstance(step, TaskStep) and state.run_id not in records.runs:
            yield f"step {step.reference} waits for a run that is not there"
        if isinstance(step, ServiceStep) and _has_come_up(records.services.get(step.service_id)):
            yield f"step {step.reference} waits for a service that is RUNNING"


def _has_come_up(service: Service | None) -> bool:
    return (
        service is not None
        and service.phase is ServicePhase.RUNNING
        and service.want is Want.UP
        and service.session == service.ran_session
    )


def _records(records: Records) -> Iterator[str]:
    tables = (
        records.services.values(),
        records.tasks.values(),
        records.executions.values(),
        records.operations.values(),
    )
    if any(older > newer for table in tables for older, newer in pairwise(record.born for record in table)):
        yield "records do not stand in the order of their making"
    if records.touched:
        yield f"not settled: {list(records.touched)}"
    firings = {records.executions[id_].firing for id_ in records.live}
    for run in records.runs.values():
        if run.firing not in firings:
            yield f"run {run.reference} is kept although its firing is over"
    active = [(run.firing, run.task_id) for run in records.runs.values() if run.phase is RunPhase.LIVE]
    if len(active) != len(set(active)):
        yield "a task runs twice in one firing"
    references = [
        service.item.reference for service in records.services.values() if service.want is not Want.GONE
    ]
    references += [task.item.reference for task in records.tasks.values() if not task.gone]
    if len(references) != len(set(references)):
        yield "a reference names two items"
    environment = records.environment
    if environment is not None and environment.file_items:  # records of an older version have none
        services = [
            s for s in records.services.values() if s.want is not Want.GONE and s.source is Source.FILE
        ]
        names = {service.item.reference for service in services}
        names |= {t.item.reference for t in records.tasks.values() if not t.gone and t.source is Source.FILE}
        if strangers := names - environment.file_items.keys():
            yield f"of the file, which does not have them: {sorted(strangers)}"
