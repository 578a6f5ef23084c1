"""The run of a task's command, as one or several executions use it.

| phase | on | then |
|---|---|---|
| LIVE | exited | ENDED |
| LIVE | no execution needs it any more | STOPPING: TERM; kill deadline |
| STOPPING | kill deadline | KILL; `killed` |
| STOPPING | exited | ENDED |
| ENDED | anything | ignored |
"""

from __future__ import annotations

from supervisor.lean.frozen import replace
from supervisor.lean.typing import assert_never
from supervisor.model.action import Action, Kill, RunKind, Spawn, Terminate
from supervisor.model.fact import Exited, MainExited, OutputRead, RunFact, Started
from supervisor.model.moment import Now
from supervisor.model.phase import RunPhase
from supervisor.model.record import TaskRun

STOP_GRACE_S = 10.0


def spawn_of(run: TaskRun) -> Spawn:
    """How it is started."""
    spec = run.spec
    return Spawn(run.id, RunKind.TASK, run.task_id, run.reference, spec.command, spec.runs_on, spec.env)


def observe(run: TaskRun, fact: RunFact) -> TaskRun:
    """The record with a fact of this run folded in."""
    if run.phase is RunPhase.ENDED:
        return run
    match fact:
        case Started() | MainExited():
            return run
        case OutputRead(output=output):
            return replace(run, output=output)
        case Exited():
            output = run.output if fact.output is None else fact.output
            return replace(
                run, phase=RunPhase.ENDED, kill_at=None, exit=fact.exit, tail=fact.tail, output=output
            )
        case _:
            assert_never(fact)


def stop(run: TaskRun, now: Now, kill_by: float | None = None) -> tuple[TaskRun, tuple[Action, ...]]:
    """No execution needs it any more. It gets its grace period, but none beyond `kill_by`."""
    if run.phase is not RunPhase.LIVE:
        return run, ()
    kill_at = now.mono_s + STOP_GRACE_S
    kill_at = kill_at if kill_by is None else min(kill_at, kill_by)
    return replace(run, phase=RunPhase.STOPPING, stopped=True, kill_at=kill_at), (Terminate(run.id),)


def decide(run: TaskRun, now: Now) -> tuple[TaskRun, tuple[Action, ...]]:
    """Kill it when its deadline has come."""
    if run.phase is RunPhase.STOPPING and run.kill_at is not None and run.kill_at <= now.mono_s:
        return replace(run, kill_at=None, killed=True), (Kill(run.id),)
    return run, ()
