"""What records are asked for."""

from supervisor.model.ids import StepId
from supervisor.model.phase import ExecutionPhase
from supervisor.model.record import StepState, changed_steps


def test_changed_steps_are_those_with_another_state() -> None:
    before = {StepId(id_): StepState() for id_ in ("a", "b", "c")}
    running = StepState(phase=ExecutionPhase.RUNNING)

    assert list(changed_steps(before, {**before, StepId("c"): running, StepId("a"): running})) == ["a", "c"]
    assert list(changed_steps(before, dict(before))) == []
    assert list(changed_steps({}, before)) == ["a", "b", "c"]
