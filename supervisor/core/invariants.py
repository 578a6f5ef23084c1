"""What is true of the records between two steps, whatever happened before. Tests check it after every step."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from supervisor.core import queries
from supervisor.core import service as services
from supervisor.core.execution import gives_up, is_over, live_steps
from supervisor.core.records import Records
from supervisor.model.phase import (
    EXECUTION_ENDED,
    SERVICE_AT_REST,
    ExecutionPhase,
    RunPhase,
    ServicePhase,
    Want,
)
from supervisor.model.record import Execution, Service, ServiceStep, Source, StopStage, TaskRun, TaskStep


def violations(records: Records) -> Iterator[str]:
    """Sentences about every record that breaks a rule; nothing if all is well."""
    for service in records.services.values():
        yield from (f"service {service.item.reference}: {text}" for text in _service(service, records))
    for run in records.runs.values():
        yield from (f"run {run.reference}: {text}" for text in _run(run, records))
    for execution in records.executions.values():
        yield from (f"execution {execution.reference}: {text}" for text in _execution(execution, records))
    yield from _records(records)


def _service(service: Service, records: Records) -> Iterator[str]:
    phase = service.phase
    if phase in SERVICE_AT_REST and services.live_runs(service):
        yield f"{phase.value} but {services.live_runs(service)} live"
    if phase in SERVICE_AT_REST and service.want is Want.UP and service.session != service.ran_session:
        yield "a new session is wanted and nothing starts it"
    if phase in SERVICE_AT_REST and service.want is Want.GONE:
        yield "should be deleted"
    if phase in SERVICE_AT_REST and services.deadline(service) is not None:
        yield "at rest with a deadline"
    if phase is ServicePhase.FAILED and not service.reason:
        yield "FAILED without a reason"
    if phase is ServicePhase.STOPPED and service.blame:
        yield f"STOPPED although {service.blame}"
    if phase is ServicePhase.DELETED:
        yield "DELETED but kept"
    if phase in (ServicePhase.STARTING, ServicePhase.RUNNING):
        yield from _up(service)
    if phase is ServicePhase.STOPPING:
        yield from _stopping(service)
    if service.ready_by is not None and phase is not ServicePhase.STARTING:
        yield f"{phase.value} with a readiness deadline"
    if (service.probe is not None or service.probe_at is not None) and phase is ServicePhase.RUNNING:
        yield "RUNNING but still probed"
    if service.stop is not None and phase is not ServicePhase.STOPPING:
        yield f"{phase.value} with a stop command"


def _up(service: Service) -> Iterator[str]:
    if service.start is None or service.main_exit is not None:
        yield f"{service.phase.value} but its start command has ended"
    if service.want is not Want.UP or service.session != service.ran_session:
        yield f"{service.phase.value} although that session is not wanted"
    ready = service.ran_spec is not None and service.ran_spec.ready
    if service.phase is ServicePhase.RUNNING and ready and not service.ready:
        yield "RUNNING before a probe exited 0"
    probed = service.probe is not None or service.probe_at is not None
    if service.phase is ServicePhase.STARTING and service.started and ready and not probed:
        yield "STARTING with a ready command but nothing will probe it"


def _stopping(service: Service) -> Iterator[str]:
    if not services.live_runs(service):
        yield "STOPPING but nothing lives"
    if service.stop_stage is StopStage.NONE:
        yield "STOPPING but nothing was told to stop"
    if service.kill_at is None and service.stop_stage is not StopStage.KILLED:
        yield "STOPPING without a kill deadline"


def _run(run: TaskRun, records: Records) -> Iterator[str]:
    if run.phase is RunPhase.ENDED and run.exit is None:
        yield "ENDED without an exit"
    if run.phase is RunPhase.STOPPING and run.kill_at is None and not run.killed:
        yield "STOPPING without a kill deadline"
    users = [records.executions[id_] for id_ in records.users(run.id)]
    waiting = [user for user in users if any(state.run_id == run.id for _, state in live_steps(user))]
    waiting += [records.executions[heir] for user in waiting for heir in records.leaders.heirs(user.id)]
    if run.phase is RunPhase.LIVE and not any(not gives_up(user) for user in waiting):
        yield "LIVE but no execution needs it"
    if run.phase is RunPhase.ENDED and waiting:
        yield "ENDED but an execution still waits for it"


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
