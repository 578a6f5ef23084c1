"""What the control routes tell: the supervisor at a glance, and the end of an execution."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from supervisor import __version__
from supervisor.core import queries
from supervisor.core.records import Records
from supervisor.engine import Engine
from supervisor.host.proc.loop_lag import EventLoopLag
from supervisor.lean.frozen import dataclass
from supervisor.lean.typing import assert_never
from supervisor.model.ids import fresh
from supervisor.model.phase import ExecutionPhase, ServicePhase
from supervisor.model.record import Environment, Execution, PlanStep, Service, ServiceStep

_INSTANCE = fresh()
"""Of this program in this process; another one after an upgrade, whose pid is the same."""


@dataclass(frozen=True, slots=True)
class Place:
    """What of a supervisor never changes."""

    environment_id: str
    workspace: str
    socket: str
    url: str
    """Of the TCP address; empty if there is none."""
    started_mono_s: float
    """On the monotonic clock: the wall clock may be set while we run."""
    troubles: Callable[[], list[dict[str, object]]] = list
    """What the machine refuses at the moment: `{"what", "why", "seconds"}`."""


def status_json(engine: Engine, place: Place) -> dict[str, Any]:
    """The supervisor at a glance."""
    records, now = engine.world.records, engine.now()
    return {
        "version": __version__,
        "pid": os.getpid(),
        "instance": _INSTANCE,
        "uptimeSeconds": round(now.mono_s - place.started_mono_s, 3),
        "environmentId": place.environment_id,
        "workspace": place.workspace,
        "socket": place.socket,
        "url": place.url,
        "draining": records.draining,
        "storeError": engine.store_error,
        "troubles": place.troubles(),
        "file": _file(records.environment),
        "services": _by_name(queries.services_by_phase(records)),
        "tasks": len(queries.present_tasks(records)),
        "executions": _by_name(queries.executions_by_phase(records)),
        "waitingFor": list(_waiting_for(records, now.wall_s)),
        "failed": list(_failed(records)),
    }


def health_json(lag: EventLoopLag, crashes: Sequence[Path]) -> dict[str, Any]:
    """How the supervisor itself is: how late its event loop comes, and what bugs it has met."""
    return {
        "loop": {
            "lastLagSeconds": round(lag.last_s, 4),
            "worstLagSeconds": round(lag.worst_s, 4),
            "stalls": lag.stalls,
        },
        "crashes": [str(path) for path in crashes],
    }


def execution_json(execution: Execution) -> dict[str, Any]:
    """How far an execution is, and with which status a program that stands for it exits; null: not over."""
    return {
        "id": execution.id,
        "reference": execution.reference,
        "phase": execution.phase.value,
        "reason": execution.reason,
        "exitStatus": queries.exit_status(execution),
    }


def _by_name(phases: Mapping[ServicePhase, int] | Mapping[ExecutionPhase, int]) -> dict[str, int]:
    return {phase.value: number for phase, number in phases.items()}


def _file(environment: Environment | None) -> dict[str, str | bool]:
    if environment is None:
        return {"presence": "ABSENT", "path": "", "failure": "", "warning": "", "awaited": True}
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
            case _:
                assert_never(wait)


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
