"""What became of the runs and services that the live steps of an execution wait for.

| the step waits for | which | then it is |
|---|---|---|
| a run | had to be killed | FAILED |
| | ended, and the execution gives up | STOPPED |
| | exited 0 | SUCCEEDED |
| | ended otherwise | FAILED |
| a service | is not wanted UP, or gone | FAILED |
| | is RUNNING in the session that is wanted | SUCCEEDED |
| | is STOPPED or FAILED after that session | FAILED |
"""

from __future__ import annotations

from collections.abc import Mapping

from supervisor.core.state_machines.task_run import STOP_GRACE_S
from supervisor.lean.frozen import dataclass, replace
from supervisor.model.exit import SUCCESS, exit_text
from supervisor.model.ids import RunId, ServiceId, StepId
from supervisor.model.phase import ExecutionPhase, Want
from supervisor.model.record import (
    PlanStep,
    Service,
    ServiceStep,
    TaskRun,
    TaskStep,
)
from supervisor.model.states import AtRest, RunEnded, Running
from supervisor.model.step_states import NOT_BEGUN, StepState

SUCCEEDED, FAILED, STOPPED = ExecutionPhase.SUCCEEDED, ExecutionPhase.FAILED, ExecutionPhase.STOPPED


@dataclass(frozen=True, slots=True)
class View:
    """What an execution may look at."""

    services: Mapping[ServiceId, Service]
    """All, by id."""
    runs: Mapping[RunId, TaskRun]
    """All, by id."""
    shared: frozenset[RunId] = frozenset()
    """Runs that other executions need, too. Only of one that gives up its live steps now."""
    given_up: bool = False
    """Whether it has given them up before: the runs of those that are left were told to stop."""
    unobserved: tuple[PlanStep, ...] = ()
    """The live steps whose run or service may have changed since `decide` looked at it: of 500 steps, usually one."""

    def run_of(self, state: StepState) -> TaskRun | None:
        """The run of a step, while it is a record."""
        return None if state.run_id is None else self.runs.get(state.run_id)


def changed_steps(current: Mapping[StepId, StepState], given_up: bool, view: View) -> dict[StepId, StepState]:
    """`{step id: state}` of the live steps whose run or service says something new.

    `current` are the steps of the group that runs; `given_up`: whether the execution gives them up.
    """
    changed: dict[StepId, StepState] = {}
    for step in view.unobserved:
        state = current.get(step.id, NOT_BEGUN)
        if state.phase is not ExecutionPhase.RUNNING:
            continue
        if isinstance(step, TaskStep):
            seen = _task_step(state, given_up, view)
        else:
            seen = _service_step(step, state, view)
        if seen is not state:
            changed[step.id] = seen
    return changed


def _task_step(state: StepState, given_up: bool, view: View) -> StepState:
    run = view.run_of(state)
    if run is None or not isinstance(run.state, RunEnded):
        return state
    end = run.state
    if end.killed:
        reason = f"did not end within {STOP_GRACE_S:g} s of SIGTERM and was killed"
        return replace(state, phase=FAILED, reason=reason, output=run.output)
    if given_up:
        return replace(state, phase=STOPPED, reason=exit_text(end.exit), output=run.output)
    if end.exit == SUCCESS:
        return replace(state, phase=SUCCEEDED, output=run.output)
    return replace(state, phase=FAILED, reason=exit_text(end.exit), output=run.output)


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
