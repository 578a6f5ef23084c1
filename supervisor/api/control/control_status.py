"""What the control routes tell: the supervisor at a glance, and the end of an execution."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from supervisor import __version__
from supervisor.core.execution import live_steps
from supervisor.core.exit_status import exit_status
from supervisor.core.records import Records
from supervisor.engine import Engine
from supervisor.host.proc.loop_lag import Lag
from supervisor.lean.frozen import dataclass
from supervisor.model.ids import fresh
from supervisor.model.phase import ExecutionPhase, ServicePhase
from supervisor.model.record import Environment, Execution, Service, ServiceStep

_INSTANCE = fresh()
"""Of this program in this process; another one after an upgrade, whose pid is the same."""
_WAITS = {ServicePhase.STARTING: "to be ready", ServicePhase.STOPPING: "to end"}


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
    services = Counter(service.phase.value for service in records.services.values())
    executions = Counter(records.executions[id_].phase.value for id_ in records.live)
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
        "services": dict(services),
        "tasks": sum(not task.gone for task in records.tasks.values()),
        "executions": dict(executions),
        "waitingFor": list(_waiting_for(records, now.wall_s)),
        "failed": list(_failed(records)),
    }


def health_json(lag: Lag, crashes: Sequence[Path]) -> dict[str, Any]:
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
        "exitStatus": exit_status(execution),
    }


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
    for service in records.services.values():
        if service.phase in _WAITS:
            yield _waiting(
                "service",
                service.item.reference,
                service.reason or _WAITS[service.phase],
                now_s,
                service.since_s,
            )
    for execution in records.shown_all(records.executions[id_] for id_ in records.live):
        for step, _ in live_steps(execution):
            what = f"service {step.reference} to be ready" if isinstance(step, ServiceStep) else "to end"
            name = (
                "" if isinstance(step, ServiceStep) or len(execution.plan) == 1 else f"step {step.reference} "
            )
            yield _waiting("task", execution.reference, name + what, now_s, execution.started_s)


def _waiting(kind: str, reference: str, why: str, now_s: float, since_s: float | None) -> dict[str, Any]:
    waited_s = 0.0 if since_s is None else round(max(0.0, now_s - since_s), 3)
    return {"kind": kind, "reference": reference, "why": why, "seconds": waited_s}


def _failed(records: Records) -> Iterator[dict[str, str]]:
    """Services that have failed, and tasks whose last execution has."""
    for service in records.services.values():
        if service.phase is ServicePhase.FAILED:
            yield _failure("service", service.item.reference, service)
    for task in records.tasks.values():
        last = next(reversed(records.history.get(task.id, {})), None)
        if last is not None and (execution := records.executions[last]).phase is ExecutionPhase.FAILED:
            yield _failure("task", task.item.reference, execution)


def _failure(kind: str, reference: str, record: Service | Execution) -> dict[str, str]:
    return {"kind": kind, "reference": reference, "why": record.reason}
