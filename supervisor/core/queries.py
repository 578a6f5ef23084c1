"""Every question that is asked of the records, answered in one place. Nothing here changes a record.

A service that is being deleted is there until it has ended, and readers see it. A task that was deleted is not there,
although its executions may still run. What is `present` can be started, changed and depended on.

The indexes that a step needs while it changes records are part of `Records`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from supervisor.core.records import Records
from supervisor.core.state_machines import execution as executions
from supervisor.lean.frozen import dataclass, replace
from supervisor.lean.typing import TYPE_CHECKING, assert_never
from supervisor.model.errors import NotFound
from supervisor.model.exit import shell_status
from supervisor.model.ids import EnvironmentId, ExecutionId, OperationId, ServiceId, StepId, TaskId
from supervisor.model.phase import ExecutionPhase, ServicePhase, Want
from supervisor.model.record import Environment, Execution, PlanStep, Record, Service, Task
from supervisor.model.sysexits import EXIT_FAILED, EXIT_INTERRUPTED

if TYPE_CHECKING:
    from supervisor.model.operation_record import Operation

# One record, by its id -----------------------------------------------------------------------------------------------


def service(records: Records, service_id: ServiceId) -> Service:
    """The service with this id, also one that is being deleted. Raises NotFound."""
    found = records.services.get(service_id)
    if found is None:
        raise _not_found("service", service_id)
    return found


def present_service(records: Records, service_id: ServiceId) -> Service:
    """The service with this id that is not being deleted. Raises NotFound."""
    found = service(records, service_id)
    if found.want is Want.GONE:
        raise _not_found("service", service_id)
    return found


def present_task(records: Records, task_id: TaskId) -> Task:
    """The task with this id. Raises NotFound, also if it was deleted."""
    found = records.tasks.get(task_id)
    if found is None or found.gone:
        raise _not_found("task", task_id)
    return found


def execution(records: Records, execution_id: ExecutionId) -> Execution:
    """The execution with this id, as it is shown. Raises NotFound."""
    found = records.executions.get(execution_id)
    if found is None:
        raise _not_found("task execution", execution_id)
    return shown(records, found)


def environment(records: Records, environment_id: EnvironmentId) -> Environment:
    """The environment, if it has this id. Raises NotFound."""
    found = records.environment
    if found is None or found.id != environment_id:
        ours = "it has not started yet" if found is None else f"this is {found.id}"
        raise NotFound(f'cannot find environment "{environment_id}": {ours}')
    return found


def operation(records: Records, operation_id: OperationId) -> Operation | None:
    """The operation that a client calls so: it runs, or its result is kept. None: neither."""
    run_id = records.operation_runs.get(operation_id)
    return None if run_id is None else records.operations[run_id]


def step(execution: Execution, step_id: StepId) -> tuple[int, PlanStep]:
    """A step of an execution's plan, and the index of its group. Raises NotFound."""
    for number, group in enumerate(execution.plan):
        for found in group:
            if found.id == step_id:
                return number, found
    raise NotFound(f'cannot find step "{step_id}": there is none with this id in the execution')


def _not_found(kind: str, id_: str) -> NotFound:
    return NotFound(f'cannot find {kind} "{id_}": there is none with this id')


# Items ---------------------------------------------------------------------------------------------------------------


def present_services(records: Records) -> list[Service]:
    """The services that are not being deleted."""
    return [service for service in records.services.values() if service.want is not Want.GONE]


def present_tasks(records: Records) -> list[Task]:
    """The tasks that were not deleted."""
    return [task for task in records.tasks.values() if not task.gone]


def items(records: Records) -> dict[str, Service | Task]:
    """`{reference: what it names}`. A reference names one item."""
    found: dict[str, Service | Task] = {one.item.reference: one for one in present_services(records)}
    found.update((one.item.reference, one) for one in present_tasks(records))
    return found


def everything(records: Records) -> Iterator[Record]:
    """All records: the environment, services, tasks, task runs, executions, operations."""
    yield from records.environments.values()
    yield from records.services.values()
    yield from records.tasks.values()
    yield from records.runs.values()
    yield from records.executions.values()
    yield from records.operations.values()


# Executions ----------------------------------------------------------------------------------------------------------


def live_executions(records: Records) -> list[Execution]:
    """The executions that are not over, oldest first, each as its own record has it."""
    return [records.executions[id_] for id_ in records.live]


def live_operations(records: Records) -> list[Operation]:
    """The operations that are not over, oldest first."""
    return [records.operations[run_id] for run_id in records.live_operations]


def last_execution(records: Records, task_id: TaskId) -> Execution | None:
    """The newest execution of a task; None if there is none, or none any more."""
    last = next(reversed(records.history.get(task_id, {})), None)
    return None if last is None else records.executions[last]


def shown(records: Records, execution: Execution) -> Execution:
    """An execution with its steps as they stand. One that follows another has the steps of that one."""
    return next(shown_all(records, [execution]))


def shown_all(records: Records, found: Iterable[Execution]) -> Iterator[Execution]:
    """`shown` of each."""
    known: dict[ExecutionId, ExecutionId] = {}
    for execution in found:
        leader_id = records.leaders.first(execution.id, known)
        yield execution if leader_id == execution.id else _as_led(execution, records.executions[leader_id])


def _as_led(execution: Execution, leader: Execution) -> Execution:
    return replace(
        execution,
        group=leader.group,
        passed=leader.passed,
        current=leader.current,
        revision=max(execution.revision, leader.revision),
    )


def steps_run_for_others(records: Records) -> Iterator[tuple[TaskId, Execution, StepId]]:
    """The tasks whose last run was a step of another task's execution: task id, that execution, step id."""
    for task_id, (execution_id, step_id) in records.ran.items():
        found = records.executions.get(execution_id)
        if found is None or task_id not in records.tasks or found.task_id == task_id:
            continue
        own = last_execution(records, task_id)
        if own is None or own.born < found.born:
            yield task_id, found, step_id


def made_by(records: Records, firings: Collection[str]) -> list[Execution]:
    """The executions that these firings of triggers made."""
    return [execution for execution in records.executions.values() if execution.firing in firings]


def exit_status(execution: Execution) -> int | None:
    """The exit status of a program that stands for an execution; None while that is not over.

    0 if it succeeded, the failed step's exit code if it failed (1 if that has none), 130 if it was stopped.
    """
    match execution.phase:
        case ExecutionPhase.PENDING | ExecutionPhase.RUNNING:
            return None
        case ExecutionPhase.SUCCEEDED:
            return 0
        case ExecutionPhase.STOPPED:
            return EXIT_INTERRUPTED
        case ExecutionPhase.FAILED:
            status = EXIT_FAILED if execution.exit is None else shell_status(execution.exit)
            return status or EXIT_FAILED
        case _:
            assert_never(execution.phase)


# All together --------------------------------------------------------------------------------------------------------


def services_by_phase(records: Records) -> Counter[ServicePhase]:
    """How many services are in each phase."""
    return Counter(service.phase for service in records.services.values())


def executions_by_phase(records: Records) -> Counter[ExecutionPhase]:
    """How many executions that are not over are in each phase."""
    return Counter(execution.phase for execution in live_executions(records))


def failed_services(records: Records) -> list[Service]:
    """The services that have failed."""
    return [service for service in records.services.values() if service.phase is ServicePhase.FAILED]


def failed_tasks(records: Records) -> Iterator[tuple[Task, Execution]]:
    """The tasks whose last execution has failed, each with that."""
    for task in records.tasks.values():
        last = last_execution(records, task.id)
        if last is not None and last.phase is ExecutionPhase.FAILED:
            yield task, last


def file_is_awaited(records: Records) -> bool:
    """Whether the environment has started and has seen no good version of its automations file since."""
    return records.environment is not None and records.environment.file_awaited


def is_at_rest(records: Records) -> bool:
    """Whether nothing lives: no service, and no execution or operation is under way."""
    return records.is_idle and all(service.at_rest for service in records.services.values())


def is_done(records: Records) -> bool:
    """Whether nothing is under way that ends by itself: services that run are left to run.

    Operations are nobody's work but their clients': who waits for the work of the file does not wait for them.
    """
    phases = {service.phase for service in records.services.values()}
    return not records.live and not phases & _UNDER_WAY.keys()


# Waits ---------------------------------------------------------------------------------------------------------------

_UNDER_WAY = {ServicePhase.STARTING: "to be ready", ServicePhase.STOPPING: "to end"}


@dataclass(frozen=True, slots=True)
class ServiceWait:
    """A service that starts or stops is waited for."""

    service: Service
    until: str
    """`to be ready` or `to end`."""

    @property
    def why(self) -> str:
        """Why it takes so long, as far as that is known."""
        return self.service.reason or self.until


@dataclass(frozen=True, slots=True)
class ExecutionWait:
    """The end of an execution is waited for."""

    execution: Execution
    steps: tuple[PlanStep, ...]
    """Its steps that run at the moment."""
    follows: bool
    """Whether another execution of its firing runs them, which has a wait of its own."""


@dataclass(frozen=True, slots=True)
class OperationWait:
    """In a drain the end of an operation is waited for."""

    operation: Operation


Wait = ServiceWait | ExecutionWait | OperationWait


def waits(records: Records) -> Iterator[Wait]:
    """What the supervisor waits for: services first, then executions, then operations, each from the oldest."""
    for found in records.services.values():
        if (until := _UNDER_WAY.get(found.phase)) is not None:
            yield ServiceWait(found, until)
    known: dict[ExecutionId, ExecutionId] = {}
    steps: dict[ExecutionId, tuple[PlanStep, ...]] = {}
    for execution in live_executions(records):
        leader_id = records.leaders.first(execution.id, known)
        if leader_id not in steps:
            steps[leader_id] = tuple(one for one, _ in executions.live_steps(records.executions[leader_id]))
        yield ExecutionWait(execution, steps[leader_id], leader_id != execution.id)
    if records.draining:
        yield from map(OperationWait, live_operations(records))
