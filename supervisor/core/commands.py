"""Commands: how each changes the records. A command that is refused raises before it changes anything."""

from __future__ import annotations

from supervisor.core import queries
from supervisor.core.environment_record import update
from supervisor.core.items.file_commands import apply_file, upsert_file
from supervisor.core.plans.planner import Planner
from supervisor.core.plans.triggers import may_fire, started_by
from supervisor.core.records import Records
from supervisor.core.settle import want_up
from supervisor.core.state_machines import service as services
from supervisor.core.state_machines import task_run
from supervisor.lean.frozen import replace
from supervisor.lean.late import late
from supervisor.lean.typing import TYPE_CHECKING, assert_never
from supervisor.model.command import (
    ApplyFile,
    Command,
    CreateService,
    CreateTask,
    DeleteService,
    DeleteTask,
    Drain,
    FireTrigger,
    RestartService,
    StartService,
    StartTask,
    StopExecution,
    StopService,
    UpdateEnvironment,
    UpdateService,
    UpdateTask,
    UpsertFile,
)
from supervisor.model.errors import NotFound, Precondition
from supervisor.model.ids import ExecutionId, derived
from supervisor.model.moment import Now
from supervisor.model.phase import ExecutionPhase, ServicePhase, Want
from supervisor.model.record import Execution, Task
from supervisor.model.shared_sequence import EMPTY

if TYPE_CHECKING:
    from supervisor.core import operations
    from supervisor.core.items import item_commands
    from supervisor.model import operation_record
else:
    item_commands = late("supervisor.core.items.item_commands")
    operations = late("supervisor.core.operations")
    operation_record = late("supervisor.model.operation_record")


def apply(records: Records, command: Command, now: Now) -> None:
    """Apply a command to the records. Raises NotFound, AlreadyExists, Precondition or Exhausted."""
    match command:
        case ApplyFile(file, stamp):
            apply_file(records, file, stamp, now)
        case UpsertFile():
            upsert_file(records, command, now)
        case FireTrigger():
            _fire(records, command, now)
        case CreateService():
            if command.session:
                _refuse_drain(records, command.item.reference)
            item_commands.create_service(records, command, now)
        case UpdateService():
            item_commands.update_service(records, command)
        case CreateTask():
            item_commands.create_task(records, command, now)
        case UpdateTask():
            item_commands.update_task(records, command)
        case StartService(service_id, stamp):
            _refuse_drain(records, queries.present_service(records, service_id).item.reference)
            want_up(records, service_id, stamp)
        case RestartService(service_id, stamp):
            service = queries.present_service(records, service_id)
            _refuse_drain(records, service.item.reference)
            records.put(replace(service, want=Want.UP, session=stamp))
        case StopService(service_id):
            service = queries.present_service(records, service_id)
            if service.want is Want.UP:
                records.put(replace(service, want=Want.DOWN))
        case DeleteService(service_id, force):
            item_commands.delete_service(records, queries.present_service(records, service_id), force, now)
        case StartTask(task_id, stamp, started_by_name):
            task = queries.present_task(records, task_id)
            _refuse_drain(records, task.item.reference)
            _execute(records, task, ExecutionId(stamp), started_by_name, stamp, _planner(records, stamp), now)
        case StopExecution(execution_id):
            _stop_execution(records, execution_id)
        case DeleteTask(task_id):
            item_commands.delete_task(records, queries.present_task(records, task_id))
        case UpdateEnvironment(name, spec):
            _update_environment(records, name, spec)
        case Drain(grace_s):
            _drain(records, grace_s, now)
        case operation_record.RunOperation() | operation_record.CancelOperation():
            operations.obey(records, command, now)
        case operation_record.ForgetOperations():
            operations.obey(records, command, now)
        case _:
            assert_never(command)


def _refuse_drain(records: Records, reference: str) -> None:
    if records.draining:
        raise Precondition(f'cannot start "{reference}": the supervisor is shutting down')


def _fire(records: Records, command: FireTrigger, now: Now) -> None:
    if not may_fire(records, command.trigger):
        return
    service_ids, task_ids = started_by(records, command.trigger)
    for service_id in service_ids:
        session = derived(command.stamp, service_id)
        if records.services[service_id].session != session:  # otherwise the same firing again, as below
            want_up(records, service_id, session)
    planner = _planner(records, command.stamp)
    for task_id in task_ids:
        id_, task = ExecutionId(derived(command.stamp, "execution", task_id)), records.tasks[task_id]
        _execute(records, task, id_, command.trigger.value, command.stamp, planner, now)


def _planner(records: Records, firing: str) -> Planner:
    return Planner(firing, records.tasks, records.services)


def _execute(
    records: Records,
    task: Task,
    id_: ExecutionId,
    started_by_name: str,
    firing: str,
    planner: Planner,
    now: Now,
) -> None:
    if records.draining or id_ in records.executions:
        return  # the same firing again, after a crash, or after it waited for the file
    lost = planner.missing(task.id)
    plan = EMPTY if lost else planner.plan(task.id)
    execution = Execution(id_, task.id, task.item.reference, started_by_name, firing, plan, now.wall_s)
    if lost:
        reason = f'depends on "{lost}", which was deleted'
        execution = replace(execution, phase=ExecutionPhase.FAILED, reason=reason, ended_s=now.wall_s)
    records.put(execution)


def _stop_execution(records: Records, execution_id: ExecutionId) -> None:
    queries.execution(records, execution_id)  # raises NotFound
    execution = records.executions[execution_id]
    if execution_id in records.live and not execution.stop_wanted:
        records.put(replace(execution, stop_wanted=True))


def _update_environment(records: Records, name: str, spec: str) -> None:
    environment = records.environment
    if environment is None:
        raise NotFound("cannot update the environment: it has not started yet")
    updated = update(environment, name, spec)
    if updated is not environment:
        records.put(updated)


def _drain(records: Records, grace_s: float, now: Now) -> None:
    kill_at = now.mono_s + grace_s
    records.drain_by = kill_at if records.drain_by is None else min(kill_at, records.drain_by)
    for service in records.services.values():
        if service.phase is ServicePhase.STOPPING:
            records.apply(service, *services.end_by(service, service.want, records.drain_by, now))
    for run in records.runs.values():
        records.apply(run, *task_run.hurry(run, records.drain_by, now))
    if records.live_operations:
        operations.drain(records, records.drain_by, now)
    records.touch([*records.live, *records.services])
