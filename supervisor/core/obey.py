"""Commands: what each changes in the records. A refusal is raised before anything is changed."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from supervisor.core.diff import compare
from supervisor.core.plan import make_plan
from supervisor.core.records import Records
from supervisor.core.settle import want_up
from supervisor.core.triggers import started_by
from supervisor.model.command import (
    ApplyFile,
    Command,
    DeleteService,
    DeleteTask,
    Drain,
    FireTrigger,
    RestartService,
    StartService,
    StartTask,
    StopExecution,
    StopService,
)
from supervisor.model.errors import NotFound, Precondition
from supervisor.model.ids import derived
from supervisor.model.moment import Now
from supervisor.model.phase import Want
from supervisor.model.record import Execution, Service, Source, StepState, Task
from supervisor.model.spec import AutomationsFile


def obey(records: Records, command: Command, now: Now) -> None:
    """Change the records as `command` says. Raises NotFound or Precondition."""
    match command:
        case ApplyFile(file, stamp):
            _apply(records, file, stamp, now)
        case FireTrigger():
            _fire(records, command, now)
        case StartService(service_id, stamp):
            _refuse_drain(records, _service(records, service_id).item.reference)
            want_up(records, service_id, stamp)
        case RestartService(service_id, stamp):
            service = _service(records, service_id)
            _refuse_drain(records, service.item.reference)
            records.put(replace(service, want=Want.UP, session=stamp))
        case StopService(service_id):
            service = _service(records, service_id)
            if service.want is Want.UP:
                records.put(replace(service, want=Want.DOWN))
        case DeleteService(service_id, force):
            _delete_service(records, _service(records, service_id), force, now)
        case StartTask(task_id, stamp, started_by_name):
            task = _task(records, task_id)
            _refuse_drain(records, task.item.reference)
            _execute(records, task, stamp, started_by_name, stamp, now)
        case StopExecution(execution_id):
            _stop_execution(records, execution_id)
        case DeleteTask(task_id):
            _delete_task(records, _task(records, task_id))
        case Drain(grace_s):
            _drain(records, grace_s, now)
        case _:
            assert_never(command)


def _service(records: Records, service_id: str) -> Service:
    service = records.services.get(service_id)
    if service is None or service.want is Want.GONE:
        raise NotFound(f'cannot find service "{service_id}": there is none with this id')
    return service


def _task(records: Records, task_id: str) -> Task:
    task = records.tasks.get(task_id)
    if task is None or task.gone:
        raise NotFound(f'cannot find task "{task_id}": there is none with this id')
    return task


def _refuse_drain(records: Records, reference: str) -> None:
    if records.draining:
        raise Precondition(f'cannot start "{reference}": the supervisor is shutting down')


def _fire(records: Records, command: FireTrigger, now: Now) -> None:
    service_ids, task_ids = started_by(command.trigger, records.services.values(), records.tasks.values())
    for service_id in service_ids:
        want_up(records, service_id, derived(command.stamp, service_id))
    for task_id in task_ids:
        execution_id = derived(command.stamp, "execution", task_id)
        _execute(records, records.tasks[task_id], execution_id, command.trigger.value, command.stamp, now)


def _execute(records: Records, task: Task, id_: str, started_by_name: str, firing: str, now: Now) -> None:
    if records.draining:
        return
    plan = make_plan(task.id, id_, records.tasks, records.services)
    steps = {step.id: StepState() for group in plan for step in group}
    records.put(
        Execution(id_, task.id, task.item.reference, started_by_name, firing, plan, now.wall_s, steps=steps)
    )


def _stop_execution(records: Records, execution_id: str) -> None:
    execution = records.executions.get(execution_id)
    if execution is None:
        raise NotFound(f'cannot find task execution "{execution_id}": there is none with this id')
    if execution_id in records.live and not execution.stop_wanted:
        records.put(replace(execution, stop_wanted=True))


def _delete_service(records: Records, service: Service, force: bool, now: Now) -> None:
    dependents = _dependents(records, service.id)
    if dependents:
        raise Precondition(f'cannot delete service "{service.item.reference}": {dependents} depends on it')
    kill_at = now.mono_s if force else service.kill_at
    records.put(replace(service, want=Want.GONE, kill_at=kill_at))


def _delete_task(records: Records, task: Task) -> None:
    dependents = _dependents(records, task.id)
    if dependents:
        raise Precondition(f'cannot delete task "{task.item.reference}": {dependents} depends on it')
    _discard_task(records, task)


def _discard_task(records: Records, task: Task) -> None:
    records.put(replace(task, gone=True))
    for id_ in records.history.get(task.id, ()):
        if id_ in records.live and not records.executions[id_].stop_wanted:
            records.put(replace(records.executions[id_], stop_wanted=True))


def _dependents(records: Records, id_: str) -> str:
    """The first task that depends on `id_`, as the words of a sentence; empty if there is none."""
    names = (
        task.item.reference for task in records.tasks.values() if id_ in task.depends_on and not task.gone
    )
    return next((f'task "{name}"' for name in names), "")


def _drain(records: Records, grace_s: float, now: Now) -> None:
    kill_at = now.mono_s + grace_s
    records.drain_by = kill_at if records.drain_by is None else min(kill_at, records.drain_by)
    for service in records.services.values():
        if service.kill_at is not None:
            records.put(replace(service, kill_at=min(service.kill_at, records.drain_by)))
    for run in records.runs.values():
        if run.kill_at is not None:
            records.put(replace(run, kill_at=min(run.kill_at, records.drain_by)))
    records.touch([*records.live, *records.services])


# The file -------------------------------------------------------------------------------------------------------------


def _apply(records: Records, file: AutomationsFile, stamp: str, now: Now) -> None:
    changes = compare(file, records.services.values(), records.tasks.values())
    ids = _ids(records)
    for reference in changes.removed:
        _remove(records, ids.pop(reference))
    for reference in (*file.services, *file.tasks):
        ids.setdefault(reference, derived(stamp, reference))
    for reference in file.services:
        _apply_service(records, file, reference, ids[reference], stamp, now, reference in changes.restarted)
    for reference in file.tasks:
        _apply_task(records, file, reference, ids, now)


def _ids(records: Records) -> dict[str, str]:
    services = {s.item.reference: s.id for s in records.services.values() if s.want is not Want.GONE}
    return services | {task.item.reference: task.id for task in records.tasks.values() if not task.gone}


def _remove(records: Records, id_: str) -> None:
    if (service := records.services.get(id_)) is not None:
        records.put(replace(service, want=Want.GONE))
    else:
        _discard_task(records, records.tasks[id_])


def _apply_service(
    records: Records, file: AutomationsFile, reference: str, id_: str, stamp: str, now: Now, restart: bool
) -> None:
    item = file.services[reference]
    service = records.services.get(id_)
    if service is None:
        records.put(Service(id_, item, Source.FILE, now.wall_s, since_s=now.wall_s))
    elif service.item != item or restart or service.source is not Source.FILE:
        session = derived(stamp, "session", reference) if restart else service.session
        version = service.spec_version + (service.item != item)
        records.put(replace(service, item=item, source=Source.FILE, session=session, spec_version=version))


def _apply_task(
    records: Records, file: AutomationsFile, reference: str, ids: dict[str, str], now: Now
) -> None:
    item = file.tasks[reference]
    depends_on = tuple(ids[name] for name in item.depends_on)
    task = records.tasks.get(ids[reference])
    if task is None:
        records.put(Task(ids[reference], item, Source.FILE, now.wall_s, depends_on))
    elif (task.item, task.depends_on, task.source) != (item, depends_on, Source.FILE):
        version = task.spec_version + 1
        records.put(replace(task, item=item, depends_on=depends_on, source=Source.FILE, spec_version=version))
