"""The task execution state machine.

An execution runs a frozen plan: groups one after the other, the steps of a group side by side. A step is a task's
command, run by a task run that executions of the same trigger firing share, or "service X is RUNNING". The execution
never touches runs or services itself: `decide` returns requests, which the world carries out.

| phase | on | then |
|---|---|---|
| PENDING | admitted | RUNNING, start group 0 |
| PENDING | stop wanted | STOPPED |
| RUNNING | group k all SUCCEEDED | group k+1, or SUCCEEDED |
| RUNNING, following | the leader has passed the groups in common, or is over | take over its groups, go on |
| RUNNING | a step FAILED | give up the group's live steps, start nothing; nothing lives: FAILED |
| RUNNING | stop wanted | give up the live steps; nothing lives: STOPPED, or FAILED if one had to be killed |
| RUNNING, task step | its run ended: exit 0 / other | step SUCCEEDED / FAILED |
| RUNNING, service step | service RUNNING / STOPPED, FAILED, not wanted UP, gone | step SUCCEEDED / FAILED |
| SUCCEEDED, FAILED, STOPPED | anything | ignored |

Where the plans of one firing begin alike, one execution leads: it runs those groups, and those that follow it are not
looked at until it has passed them; `core.records` knows who follows whom. They then take over how that went. They do so
earlier, and go on by themselves, when the leader is over.

Inputs are folded one at a time, so a stop that comes before the last step's success stops the execution, and one that
comes after it finds the execution SUCCEEDED. A run that others still need is not stopped when this execution gives
it up: the step is STOPPED at once and the run goes on.
"""

from __future__ import annotations

from collections.abc import Mapping

from supervisor.core.task_run import STOP_GRACE_S
from supervisor.lean.frozen import dataclass, replace
from supervisor.lean.typing import assert_never
from supervisor.model.exit import SUCCESS, exit_text
from supervisor.model.ids import derived
from supervisor.model.moment import Now
from supervisor.model.phase import (
    EXECUTION_ENDED,
    ExecutionPhase,
    RunPhase,
    Want,
)
from supervisor.model.record import (
    NOT_BEGUN,
    Execution,
    Group,
    PlanStep,
    Service,
    ServiceStep,
    StepState,
    TaskRun,
    TaskStep,
)
from supervisor.model.service_state import AtRest, Running

PENDING, RUNNING = ExecutionPhase.PENDING, ExecutionPhase.RUNNING
SUCCEEDED, FAILED, STOPPED = ExecutionPhase.SUCCEEDED, ExecutionPhase.FAILED, ExecutionPhase.STOPPED
_BEGUN = StepState(RUNNING)


@dataclass(frozen=True, slots=True)
class StartRun:
    """Give a task step its run: the one that its firing shares, or a new one. The world notes it in the step."""

    step: TaskStep


@dataclass(frozen=True, slots=True)
class ReleaseRun:
    """The execution no longer needs a run: stop it unless another execution does."""

    run_id: str


@dataclass(frozen=True, slots=True)
class WantService:
    """A service must be up; one that already is stays as it is."""

    step: ServiceStep


Request = StartRun | ReleaseRun | WantService


@dataclass(frozen=True, slots=True)
class View:
    """What an execution may look at."""

    services: Mapping[str, Service]
    """All, by id."""
    runs: Mapping[str, TaskRun]
    """All, by id."""
    shared: frozenset[str] = frozenset()
    """Runs that other executions need, too."""
    news: tuple[PlanStep, ...] = ()
    """The live steps whose run or service may have changed since `decide` looked at it: of 500 steps, usually one."""


def decide(execution: Execution, view: View, now: Now) -> tuple[Execution, tuple[Request, ...]]:
    """One step of the execution, and what it needs for it; the same object and nothing if there is none to take."""
    match execution.phase:
        case ExecutionPhase.PENDING:
            if execution.stop_wanted:
                return _finish(execution, STOPPED, now), ()
            return replace(execution, phase=RUNNING, started_s=now.wall_s), ()
        case ExecutionPhase.RUNNING:
            return _running(execution, view, now)
        case ExecutionPhase.SUCCEEDED | ExecutionPhase.FAILED | ExecutionPhase.STOPPED:
            return execution, ()
        case _:
            assert_never(execution.phase)


def gives_up(execution: Execution) -> bool:
    """Whether it starts nothing more and its live steps are to stop."""
    return execution.stop_wanted or bool(execution.reason)


def is_over(execution: Execution) -> bool:
    """Whether its phase is final."""
    return execution.phase in EXECUTION_ENDED


def live_steps(execution: Execution) -> list[tuple[PlanStep, StepState]]:
    """The steps of the group that runs, as far as they run."""
    if is_over(execution) or execution.group >= len(execution.plan):
        return []
    if not execution.current:
        return []
    group, states = execution.plan[execution.group], execution.current
    return [(step, state) for step in group if (state := states[step.id]).phase is RUNNING]


def begins_group(execution: Execution) -> bool:
    """Whether what it does next is to start a group."""
    if execution.phase is not RUNNING or execution.current or gives_up(execution):
        return False
    return execution.group < len(execution.plan)


def taken_over(execution: Execution, leader: Execution, groups: int) -> Execution:
    """What an execution has done once it no longer follows `leader` for its first `groups` groups.

    If it gives up, it has the group that runs, too: its steps are to be stopped.
    """
    passed = leader.passed.cut(groups)
    current = leader.current if gives_up(execution) and leader.group < groups else {}
    return replace(execution, group=passed.size, passed=passed, current=current)


def _running(execution: Execution, view: View, now: Now) -> tuple[Execution, tuple[Request, ...]]:
    observed = _observe(execution, view)
    if observed is not execution:
        return observed, ()
    if gives_up(execution):
        return _give_up(execution, view, now)
    if execution.group == len(execution.plan):
        return _finish(execution, SUCCEEDED, now), ()
    group = execution.plan[execution.group]
    if not execution.current:
        return _start_group(execution, group)
    # From the end: steps end about in the order in which they began, so one that has not is found early.
    if all(execution.current[step.id].phase is SUCCEEDED for step in reversed(group)):
        return _pass(execution, group), ()
    return execution, ()


def _start_group(execution: Execution, group: Group) -> tuple[Execution, tuple[Request, ...]]:
    requests: list[Request] = [
        StartRun(step) if isinstance(step, TaskStep) else WantService(step) for step in group
    ]
    return replace(execution, current={step.id: _BEGUN for step in group}), tuple(requests)


def _pass(execution: Execution, group: Group) -> Execution:
    states = tuple(execution.current[step.id] for step in group)
    passed = execution.passed.grown(states, derived(execution.id, "passed", str(execution.group)))
    return replace(execution, group=execution.group + 1, passed=passed, current={})


def _observe(execution: Execution, view: View) -> Execution:
    """Fold what became of the runs and services that the live steps wait for."""
    changed: dict[str, StepState] = {}
    for step in view.news:
        state = execution.current.get(step.id, NOT_BEGUN)
        if state.phase is not RUNNING:
            continue
        if isinstance(step, TaskStep):
            seen = _task_step(execution, state, view)
        else:
            seen = _service_step(step, state, view)
        if seen is not state:
            changed[step.id] = seen
    if not changed:
        return execution
    failed = next(
        (step for step in view.news if step.id in changed and changed[step.id].phase is FAILED), None
    )
    if failed is not None and not gives_up(execution):
        execution = _blame(execution, failed, changed[failed.id], view)
    return replace(execution, current={**execution.current, **changed})


def _blame(execution: Execution, step: PlanStep, state: StepState, view: View) -> Execution:
    """Note the first step that failed: why, how, and with what last words."""
    reason = f'step "{step.reference}" {state.reason}'
    if isinstance(step, TaskStep):
        run = view.runs[state.run_id or ""]
        return replace(execution, reason=reason, tail=run.tail, exit=run.exit)
    service = view.services.get(step.service_id)
    if service is None or not isinstance(service.state, AtRest):
        return replace(execution, reason=reason)
    return replace(execution, reason=reason, tail=service.state.tail, exit=service.state.exit)


def _task_step(execution: Execution, state: StepState, view: View) -> StepState:
    run = view.runs.get(state.run_id or "")
    if run is None or run.phase is not RunPhase.ENDED:
        return state
    assert run.exit is not None
    if run.killed:
        reason = f"did not end within {STOP_GRACE_S:g} s of SIGTERM and was killed"
        return replace(state, phase=FAILED, reason=reason, output=run.output)
    if gives_up(execution):
        return replace(state, phase=STOPPED, reason=exit_text(run.exit), output=run.output)
    if run.exit == SUCCESS:
        return replace(state, phase=SUCCEEDED, output=run.output)
    return replace(state, phase=FAILED, reason=exit_text(run.exit), output=run.output)


def _service_step(step: ServiceStep, state: StepState, view: View) -> StepState:
    service = view.services.get(step.service_id)
    if service is None or service.want is Want.GONE:
        return replace(state, phase=FAILED, reason="was deleted")
    if service.want is Want.DOWN:
        return replace(state, phase=FAILED, reason="was stopped")
    current = service.session == service.ran_session
    match service.state:
        case Running() if current:
            return replace(state, phase=SUCCEEDED, output=service.output)
        case AtRest(exit=end) if current:
            ended = "ended" if end is None else exit_text(end)
            return replace(state, phase=FAILED, reason=service.reason or f"{ended} before it was used")
        case _:
            return state


def _give_up(execution: Execution, view: View, now: Now) -> tuple[Execution, tuple[Request, ...]]:
    """Release what the live steps use; a step whose run nobody else needs lives until that run has ended."""
    steps = dict(execution.current)
    requests: list[Request] = []
    waiting = False
    for step, state in live_steps(execution):
        run = view.runs.get(state.run_id or "")
        if run is None or run.id in view.shared:
            steps[step.id] = replace(state, phase=STOPPED)
            continue
        waiting = True
        if run.phase is RunPhase.LIVE:
            requests.append(ReleaseRun(run.id))
    if steps != execution.current:
        return replace(execution, current=steps), tuple(requests)
    if waiting or requests:
        return execution, tuple(requests)
    return _finish(execution, FAILED if execution.reason else STOPPED, now), ()


def _finish(execution: Execution, phase: ExecutionPhase, now: Now) -> Execution:
    if phase is STOPPED and (killed := _killed(execution)):
        phase, execution = FAILED, replace(execution, reason=killed)
    return replace(execution, phase=phase, ended_s=now.wall_s)


def _killed(execution: Execution) -> str:
    for step in execution.plan[execution.group] if execution.current else ():
        state = execution.current[step.id]
        if state.phase is FAILED:
            return f'step "{step.reference}" {state.reason}'
    return ""
