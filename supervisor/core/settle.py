"""Settling: every touched record decides, until nothing changes.

The machines of `service`, `task_run` and `execution` see only their own record and what they are shown. What one means
for another is written here: an execution gets runs and services, a run that no execution needs is stopped, old
executions and deleted tasks are forgotten, and a drain stops executions and operations first, services after them.
"""

from __future__ import annotations

from supervisor.core import queries
from supervisor.core.records import Records
from supervisor.core.state_machines import execution as executions
from supervisor.core.state_machines import service as services
from supervisor.core.state_machines import task_run
from supervisor.core.state_machines.step_outcome import View
from supervisor.lean.frozen import replace
from supervisor.lean.late import late
from supervisor.lean.typing import TYPE_CHECKING, assert_never
from supervisor.model.ids import ExecutionId, RunId, ServiceId, StepId, TaskId, derived
from supervisor.model.moment import Now
from supervisor.model.phase import ServicePhase, Want
from supervisor.model.record import Execution, Service, ServiceStep, Task, TaskRun, TaskStep
from supervisor.model.step_states import StepState

if TYPE_CHECKING:
    from supervisor.core import operations
else:
    operations = late("supervisor.core.operations")

KEPT_EXECUTIONS = 1000
"""Executions of one task that are kept; the oldest ended ones go first."""


def settle(records: Records, now: Now) -> None:
    """Let every touched record decide until none is touched."""
    while records.touched:
        id_ = next(iter(records.touched))
        del records.touched[id_]
        if (service := records.services.get(ServiceId(id_))) is not None:
            _settle_service(records, service, now)
        elif (run := records.runs.get(RunId(id_))) is not None:
            _settle_run(records, run, now)
        elif (execution := records.executions.get(ExecutionId(id_))) is not None:
            _settle_execution(records, execution, now)
        elif (task := records.tasks.get(TaskId(id_))) is not None:
            _settle_task(records, task)
        elif (operation := records.operations.get(RunId(id_))) is not None:
            operations.settle(records, operation, now)


def want_up(records: Records, service_id: ServiceId, session: str) -> None:
    """Have a service run, in a new session unless it runs or starts already."""
    service = records.services.get(service_id)
    if service is None or service.want is Want.GONE or records.draining:
        return
    if service.want is Want.DOWN or (service.at_rest and service.session == service.ran_session):
        records.put(replace(service, want=Want.UP, session=session))


# Services -------------------------------------------------------------------------------------------------------------


def _settle_service(records: Records, service: Service, now: Now) -> None:
    if records.drain_by is not None and records.is_idle and service.want is Want.UP:
        records.apply(service, *services.end_by(service, Want.DOWN, records.drain_by, now))
        return
    decided, actions = services.decide(service, now)
    records.apply(service, decided, actions)
    records.touch_users(service.id)
    if decided.phase is ServicePhase.DELETED:
        records.remove(decided)


# Task runs ------------------------------------------------------------------------------------------------------------


def _settle_run(records: Records, run: TaskRun, now: Now) -> None:
    decided, actions = task_run.decide(run, now)
    records.apply(run, decided, actions)
    records.touch_users(run.id)


def _run_for(records: Records, execution: Execution, step: TaskStep) -> RunId:
    """The run of a step: the one that its firing shares, or a new one if that cannot be shared."""
    run_id = RunId(derived(execution.firing, step.task_id))
    while records.is_spent(run_id):
        run_id = RunId(derived(run_id, "again"))
    if run_id not in records.runs:
        run = TaskRun(run_id, step.task_id, step.reference, execution.firing, step.spec)
        records.put(run)
        records.act(task_run.spawn_of(run))
    return run_id


def _release(records: Records, run_id: RunId, now: Now) -> None:
    run = records.runs[run_id]
    records.apply(run, *task_run.stop(run, now, records.drain_by))


# Executions -----------------------------------------------------------------------------------------------------------


def _settle_execution(records: Records, execution: Execution, now: Now) -> None:
    if executions.is_over(execution):
        return
    if records.draining and not execution.stop_wanted:
        records.put(replace(execution, stop_wanted=True))
        return
    before: Execution | None = None
    decided = _take_over(records, execution, now)
    requests: tuple[executions.Request, ...] = ()
    while decided is not before and not requests:  # requests are carried out before it decides again
        before = decided
        if executions.begins_group(decided):
            decided = _join(records, decided, now)
            if records.leaders.lead_of(decided.id) is not None:
                break
        decided, requests = executions.decide(decided, _view(records, decided), now)
    if executions.gives_up(decided):
        records.given_up.add(decided.id)
    decided = _carry_out(records, decided, requests, now)
    if decided is not execution:
        records.put(decided)
    if executions.is_over(decided):
        _close(records, decided)


def _join(records: Records, execution: Execution, now: Now) -> Execution:
    """Before it starts a group: it follows the execution that runs that group, or takes over what that has passed."""
    lead = records.leaders.join(execution)
    if lead is None:
        return execution
    leader = records.executions[lead.leader_id]
    if leader.group >= lead.groups:
        return executions.taken_over(execution, leader, lead.groups, now)
    records.leaders.follow(execution.id, lead)
    return execution


def _take_over(records: Records, execution: Execution, now: Now) -> Execution:
    """If it no longer follows, it takes over the leader's steps, and uses those that still run."""
    lead = records.leaders.lead_of(execution.id)
    if lead is not None and executions.gives_up(execution):
        leader = queries.shown(records, records.executions[lead.leader_id])
        records.leaders.leave(execution, leader)
    released = records.leaders.released(execution)
    if released is None:
        return execution
    taken = executions.taken_over(execution, *released, now)
    for step, state in executions.live_steps(taken):
        used = step.service_id if isinstance(step, ServiceStep) else state.run_id
        if used is not None:
            records.use(taken.id, step, used)
    return taken


def _view(records: Records, execution: Execution) -> View:
    shared: set[RunId] = set()
    given_up = execution.id in records.given_up
    if executions.gives_up(execution) and not given_up:
        mine = (state.run_id for _, state in executions.live_steps(execution))
        shared = {run_id for run_id in mine if run_id and records.needed(run_id, besides=execution.id)}
    unobserved = tuple(records.unobserved.pop(execution.id, {}).values())
    return View(records.services, records.runs, frozenset(shared), given_up, unobserved)


def _carry_out(
    records: Records, execution: Execution, requests: tuple[executions.Request, ...], now: Now
) -> Execution:
    started: dict[StepId, StepState] = {}
    for request in requests:
        match request:
            case executions.StartRun(step):
                run_id = _run_for(records, execution, step)
                started[step.id] = replace(execution.current[step.id], run_id=run_id)
                records.use(execution.id, step, run_id)
                records.note_run(execution.id, step)
            case executions.WantService(step):
                records.use(execution.id, step, step.service_id)
                want_up(records, step.service_id, derived(execution.id, step.service_id))
            case executions.ReleaseRun(run_id):
                _release(records, run_id, now)
            case _:
                assert_never(request)
    return replace(execution, current=execution.current.changed(started)) if started else execution


def _close(records: Records, execution: Execution) -> None:
    """An execution is over: forget what only it or its firing kept, and touch what waited for it."""
    if not records.firing(execution):
        for run in [run for run in records.runs.values() if run.firing == execution.firing]:
            records.remove(run)
    mine = records.history[execution.task_id]
    for old in [id_ for id_ in mine if id_ not in records.live][: max(0, len(mine) - KEPT_EXECUTIONS)]:
        records.remove(records.executions[old])
    records.touch([execution.task_id])
    if records.draining and records.is_idle:
        records.touch(records.services)


def _settle_task(records: Records, task: Task) -> None:
    """A deleted task is forgotten, with its history, once none of its executions runs."""
    mine = list(records.history.get(task.id, ()))
    if not task.gone or any(id_ in records.live for id_ in mine):
        return
    for id_ in mine:
        records.remove(records.executions[id_])
    records.remove(task)
