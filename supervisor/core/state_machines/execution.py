"""The task execution state machine.

An execution runs a frozen plan: groups one after the other, the steps of a group side by side. A step is a task's
command, run by a task run that executions of the same trigger firing share, or "service X is RUNNING". The execution
never touches runs or services itself: `decide` returns requests, which the world carries out.

Where the plans of one firing begin alike, one execution leads: it runs those groups, and those that follow it are not
looked at until it has passed them; `core.records` knows who follows whom. They then take over how that went. They do so
earlier, and go on by themselves, when the leader is over.

Inputs are folded one at a time, so a stop that comes before the last step's success stops the execution, and one that
comes after it finds the execution SUCCEEDED. A run that others still need is not stopped when this execution gives
it up: the step is STOPPED at once and the run goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from supervisor.core.state_machines.step_outcome import View, changed_steps
from supervisor.core.state_machines.transitions import IGNORED, NEVER, step_of
from supervisor.lean.frozen import dataclass, replace
from supervisor.lean.typing import Any
from supervisor.model.ids import RunId, StepId, derived
from supervisor.model.moment import Now
from supervisor.model.phase import (
    EXECUTION_ENDED,
    ExecutionPhase,
    RunPhase,
)
from supervisor.model.record import (
    Execution,
    PlanStep,
    ServiceStep,
    TaskStep,
)
from supervisor.model.states import AtRest, RunEnded
from supervisor.model.step_states import NO_STEPS, StepState, StepStates

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

    run_id: RunId


@dataclass(frozen=True, slots=True)
class WantService:
    """A service must be up; one that already is stays as it is."""

    step: ServiceStep


Request = StartRun | ReleaseRun | WantService
Decision = tuple[Execution, tuple[Request, ...]]


# Steps of the table ---------------------------------------------------------------------------------------------------


def _admit(execution: Execution, _view: View, now: Now) -> Decision:
    """Begin."""
    return replace(execution, phase=RUNNING, started_s=now.wall_s), ()


def _drop(execution: Execution, _view: View, now: Now) -> Decision:
    """Start nothing; it failed if the machine was restarted."""
    return _finish(execution, FAILED if execution.reason else STOPPED, now), ()


def _fold(execution: Execution, given: tuple[View, Mapping[StepId, StepState]], _now: Now) -> Decision:
    """Note how the step ended; the first step that fails is why the execution will."""
    view, changed = given
    failed = next(
        (step for step in view.unobserved if step.id in changed and changed[step.id].phase is FAILED), None
    )
    if failed is not None and not gives_up(execution):
        execution = _blame(execution, failed, changed[failed.id], view)
    return replace(execution, current=execution.current.changed(changed)), ()


def _give_up(execution: Execution, view: View, now: Now) -> Decision:
    """Release what the live steps use; once none lives, FAILED if a step failed or was killed, else STOPPED.

    A step whose run nobody else needs lives until that run has ended.
    """
    stopped: dict[StepId, StepState] = {}
    requests: list[Request] = []
    for step, state in () if view.given_up else live_steps(execution):
        run = view.run_of(state)
        if run is None or run.id in view.shared:
            stopped[step.id] = replace(state, phase=STOPPED)
        elif run.phase is RunPhase.LIVE:
            requests.append(ReleaseRun(run.id))
    if stopped:
        execution = replace(execution, current=execution.current.changed(stopped))
    if stopped or requests or execution.current.live:
        return execution, tuple(requests)
    return _finish(execution, FAILED if execution.reason else STOPPED, now), ()


def _start_group(execution: Execution, _view: View, _now: Now) -> Decision:
    """Start the next group: ask for the runs and services of its steps."""
    group = execution.plan[execution.group]
    requests: list[Request] = [
        StartRun(step) if isinstance(step, TaskStep) else WantService(step) for step in group
    ]
    return replace(execution, current=StepStates((step.id, _BEGUN) for step in group)), tuple(requests)


def _pass_group(execution: Execution, _view: View, _now: Now) -> Decision:
    """Go on to the next group."""
    states = tuple(execution.current[step.id] for step in execution.plan[execution.group])
    passed = execution.passed.grown(states, derived(execution.id, "passed", str(execution.group)))
    return replace(execution, group=execution.group + 1, passed=passed, current=NO_STEPS), ()


def _succeed(execution: Execution, _view: View, now: Now) -> Decision:
    """Note when it ended."""
    return _finish(execution, SUCCEEDED, now), ()


def _take_over(execution: Execution, given: tuple[Execution, int], _now: Now) -> Decision:
    """Take over how the groups in common went; if it gives up, also the group that runs, to stop its steps."""
    leader, groups = given
    passed = leader.passed.cut(groups)
    current = leader.current if gives_up(execution) and leader.group < groups else NO_STEPS
    return replace(execution, group=passed.size, passed=passed, current=current), ()


class ExecutionEvent:
    """What may happen to an execution, in the words of `docs/states.md`."""

    ADMITTED = "nothing speaks against it"
    GIVEN_UP = "a stop is wanted, or a step failed"
    STEPS_CHANGED = "a run ended, or a service came up or ended, that a live step waits for"
    GROUP_DUE = "no group runs"
    GROUP_DONE = "all steps of the group have succeeded"
    PLAN_DONE = "no group is left"
    LED = "the execution that it follows has passed the groups in common, or is over"


_Step = Callable[[Execution, Any, Now], Decision]
"""Called with what came with the event of the cell."""
Cell = tuple[_Step, tuple[ExecutionPhase, ...]] | str
E = ExecutionEvent

TABLE: Mapping[ExecutionPhase, Mapping[str, Cell]] = {
    PENDING: {
        E.ADMITTED: (_admit, (RUNNING,)),
        E.GIVEN_UP: (_drop, (STOPPED, FAILED)),
        E.STEPS_CHANGED: NEVER,
        E.GROUP_DUE: NEVER,
        E.GROUP_DONE: NEVER,
        E.PLAN_DONE: NEVER,
        E.LED: NEVER,
    },
    RUNNING: {
        E.ADMITTED: NEVER,
        E.GIVEN_UP: (_give_up, (RUNNING, STOPPED, FAILED)),
        E.STEPS_CHANGED: (_fold, (RUNNING,)),
        E.GROUP_DUE: (_start_group, (RUNNING,)),
        E.GROUP_DONE: (_pass_group, (RUNNING,)),
        E.PLAN_DONE: (_succeed, (SUCCEEDED,)),
        E.LED: (_take_over, (RUNNING,)),
    },
    SUCCEEDED: {
        E.ADMITTED: NEVER,
        E.GIVEN_UP: NEVER,
        E.STEPS_CHANGED: NEVER,
        E.GROUP_DUE: NEVER,
        E.GROUP_DONE: NEVER,
        E.PLAN_DONE: IGNORED,
        E.LED: NEVER,
    },
    FAILED: {
        E.ADMITTED: NEVER,
        E.GIVEN_UP: IGNORED,
        E.STEPS_CHANGED: NEVER,
        E.GROUP_DUE: NEVER,
        E.GROUP_DONE: NEVER,
        E.PLAN_DONE: NEVER,
        E.LED: NEVER,
    },
    STOPPED: {
        E.ADMITTED: NEVER,
        E.GIVEN_UP: IGNORED,
        E.STEPS_CHANGED: NEVER,
        E.GROUP_DUE: NEVER,
        E.GROUP_DONE: NEVER,
        E.PLAN_DONE: NEVER,
        E.LED: NEVER,
    },
}


def decide(execution: Execution, view: View, now: Now) -> Decision:
    """One step of the execution, and what it needs for it; the same object and nothing if there is none to take."""
    if changed := changed_steps(execution.current, gives_up(execution), view):
        return take(execution, ExecutionEvent.STEPS_CHANGED, (view, changed), now)
    event = _next(execution)
    return (execution, ()) if event is None else take(execution, event, view, now)


def taken_over(execution: Execution, leader: Execution, groups: int, now: Now) -> Execution:
    """What an execution has done once it no longer follows `leader` for its first `groups` groups."""
    return take(execution, ExecutionEvent.LED, (leader, groups), now)[0]


def take(execution: Execution, event: str, given: object, now: Now) -> Decision:
    """What `TABLE` says of an event. `given` is what came with it."""
    step = step_of(TABLE[execution.phase], event)
    return (execution, ()) if step is None else step(execution, given, now)


def _next(execution: Execution) -> str | None:
    """What follows from the execution alone; None: its live steps are waited for."""
    if gives_up(execution):
        return ExecutionEvent.GIVEN_UP
    if execution.phase is PENDING:
        return ExecutionEvent.ADMITTED
    if execution.group == len(execution.plan):
        return ExecutionEvent.PLAN_DONE
    if not execution.current:
        return ExecutionEvent.GROUP_DUE
    if not execution.current.live and all(state.phase is SUCCEEDED for state in execution.current.values()):
        return ExecutionEvent.GROUP_DONE
    return None


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


def _blame(execution: Execution, step: PlanStep, state: StepState, view: View) -> Execution:
    """Note the first step that failed: why, how, and with what last words."""
    reason = f'step "{step.reference}" {state.reason}'
    if isinstance(step, TaskStep):
        assert state.run_id is not None
        end = view.runs[state.run_id].state
        assert isinstance(end, RunEnded)
        return replace(execution, reason=reason, tail=end.tail, exit=end.exit)
    service = view.services.get(step.service_id)
    if service is None or not isinstance(service.state, AtRest):
        return replace(execution, reason=reason)
    return replace(execution, reason=reason, tail=service.state.tail, exit=service.state.exit)


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
