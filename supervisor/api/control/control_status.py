"""The JSON that the control routes answer: the supervisor at a glance, the end of an execution, steps."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, assert_never

from supervisor import __version__
from supervisor.api.supervisor_handle import Endpoints
from supervisor.config.lookup import Presence
from supervisor.core import queries
from supervisor.core.records import Records
from supervisor.engine import Engine
from supervisor.host.proc.loop_lag import EventLoopLag
from supervisor.model.ids import StepId, fresh
from supervisor.model.phase import ExecutionPhase, ServicePhase
from supervisor.model.record import Environment, Execution, PlanStep, Service, ServiceStep
from supervisor.terminals.holder_client import ListedTerminal
from supervisor.workspace import names

_INSTANCE = fresh()
"""Of this program in this process; another one after an upgrade, whose pid is the same."""


def status_json(
    engine: Engine, endpoints: Endpoints, conditions: Sequence[Mapping[str, object]] = ()
) -> dict[str, Any]:
    """The supervisor at a glance. `conditions`: what the machine refuses now, `{"what", "why", "seconds"}`."""
    records, now = engine.world.records, engine.now()
    return {
        "version": __version__,
        "pid": os.getpid(),
        "instance": _INSTANCE,
        "uptimeSeconds": round(now.mono_s - endpoints.started_mono_s, 3),
        "environmentId": endpoints.environment_id,
        "workspace": endpoints.workspace,
        "socket": endpoints.socket,
        "url": endpoints.url,
        "draining": records.draining,
        "storeError": engine.store_error,
        "troubles": list(conditions),
        "file": _file(records.environment),
        "services": _by_name(queries.services_by_phase(records)),
        "tasks": len(queries.present_tasks(records)),
        "executions": _by_name(queries.executions_by_phase(records)),
        "operations": list(_operations(records, now.wall_s)),
        "waitingFor": list(_waiting_for(records, now.wall_s)),
        "failed": list(_failed(records)),
    }


def health_json(lag: EventLoopLag, crashes: Sequence[Path]) -> dict[str, Any]:
    """How the supervisor itself is: how late its event loop comes, and the crash files of its bugs."""
    return {
        "loop": {
            "lastLagSeconds": round(lag.last_s, 4),
            "worstLagSeconds": round(lag.worst_s, 4),
            "stalls": lag.stalls,
        },
        "crashes": [str(path) for path in crashes],
    }


def terminals_json(terminals: Iterable[ListedTerminal]) -> list[dict[str, Any]]:
    """The open terminals, the eldest first."""
    return [
        {
            "id": one.id,
            "pid": one.pid,
            "shell": names.shown(os.fsencode(one.shell)),
            "workingDirectory": names.shown(os.fsencode(one.folder)),
            "createdAt": datetime.fromtimestamp(one.created_s, UTC).isoformat(),
            "annotations": one.annotations,
        }
        for one in terminals
    ]


def execution_json(execution: Execution) -> dict[str, Any]:
    """How far an execution is, and the exit status of a command that stands for it; null: not over."""
    return {
        "id": execution.id,
        "reference": execution.reference,
        "phase": execution.phase.value,
        "reason": execution.reason,
        "exitStatus": queries.exit_status(execution),
    }


def steps_json(records: Records) -> dict[str, Any]:
    """The tasks that ran last as a step of another task's execution: `{task id: {"executionId", "stepId", ...}}`.

    `reference`: of the task whose execution it was; `at`: when that ended or, while it runs, began. The platform's API
    lists executions, each of a task of its own; a task that only ever ran as a dependency has none.
    """
    return {
        task_id: _step(execution, step_id)
        for task_id, execution, step_id in queries.steps_run_for_others(records)
    }


def _by_name(phases: Mapping[ServicePhase, int] | Mapping[ExecutionPhase, int]) -> dict[str, int]:
    return {phase.value: number for phase, number in phases.items()}


def _file(environment: Environment | None) -> dict[str, str | bool]:
    if environment is None:
        return {"presence": Presence.ABSENT.value, "path": "", "failure": "", "warning": "", "awaited": True}
    return {
        "presence": environment.file_presence,
        "path": environment.file_path,
        "failure": environment.file_failure,
        "warning": environment.file_warning,
        "awaited": environment.file_awaited,
    }


def _waiting_for(records: Records, now_s: float) -> Iterator[dict[str, Any]]:
    for wait in queries.waits(records):
        match wait:
            case queries.ServiceWait(service):
                yield _waiting("service", service.item.reference, wait.why, now_s, service.since_s)
            case queries.ExecutionWait(execution, steps):
                for step in steps:
                    why = _step_wait(step, alone=len(execution.plan) == 1)
                    yield _waiting("task", execution.reference, why, now_s, execution.started_s)
            case queries.OperationWait(operation):
                yield _waiting("operation", operation.name, "to end", now_s, operation.created_s)
            case _:
                assert_never(wait)


def _operations(records: Records, now_s: float) -> Iterator[dict[str, Any]]:
    """The operations that run, oldest first. What they execute is not said here: support bundles have the status."""
    for operation in queries.live_operations(records):
        seconds = round(max(0.0, now_s - operation.created_s), 3)
        yield {"id": operation.operation_id, "phase": operation.phase.value, "seconds": seconds}


def _step_wait(step: PlanStep, alone: bool) -> str:
    """`alone`: it is the only group of its plan, and needs no name."""
    if isinstance(step, ServiceStep):
        return f"service {step.reference} to be ready"
    return "to end" if alone else f"step {step.reference} to end"


def _waiting(kind: str, reference: str, why: str, now_s: float, since_s: float | None) -> dict[str, Any]:
    waited_s = 0.0 if since_s is None else round(max(0.0, now_s - since_s), 3)
    return {"kind": kind, "reference": reference, "why": why, "seconds": waited_s}


def _failed(records: Records) -> Iterator[dict[str, str]]:
    """Services that have failed, and tasks whose last execution has."""
    for service in queries.failed_services(records):
        yield _failure("service", service.item.reference, service)
    for task, execution in queries.failed_tasks(records):
        yield _failure("task", task.item.reference, execution)


def _failure(kind: str, reference: str, record: Service | Execution) -> dict[str, str]:
    return {"kind": kind, "reference": reference, "why": record.reason}


def _step(execution: Execution, step_id: StepId) -> dict[str, Any]:
    group, _ = queries.step(execution, step_id)
    state = execution.step(group, step_id)
    at_s = execution.ended_s or execution.started_s or execution.created_s
    return {
        "executionId": execution.id,
        "stepId": step_id,
        "reference": execution.reference,
        "startedBy": execution.started_by,
        "phase": state.phase.value,
        "reason": state.reason,
        "at": datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds"),
    }
