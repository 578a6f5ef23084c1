"""The states of a group's steps, held to a plain dict."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from supervisor.model.ids import StepId
from supervisor.model.phase import ExecutionPhase
from supervisor.model.step_states import NO_STEPS, StepState, StepStates

IDS = [StepId(f"step-{number}") for number in range(200)]
PHASES = st.sampled_from(ExecutionPhase)
BEGUN = StepState(ExecutionPhase.RUNNING)
CHANGES = st.lists(st.dictionaries(st.sampled_from(IDS), PHASES.map(StepState), max_size=5), max_size=10)


@given(CHANGES)
def test_changed_copies_are_what_a_dict_would_be(changes: list[dict[StepId, StepState]]) -> None:
    states, plain = StepStates((id_, BEGUN) for id_ in IDS), dict.fromkeys(IDS, BEGUN)
    for change in changes:
        before, was = states, dict(plain)
        states = states.changed(change)
        plain.update(change)
        assert list(states.items()) == list(plain.items())
        assert list(before.items()) == list(was.items()), "the original stays as it was"
        assert states == StepStates(plain.items())
        assert states.live == sum(state.phase is ExecutionPhase.RUNNING for state in plain.values())
        differing = [(place, id_, plain[id_]) for place, id_ in enumerate(IDS) if plain[id_] is not was[id_]]
        assert states.changed_since(before) == differing


def test_all_steps_have_changed_since_another_group() -> None:
    ids = IDS[:3]
    states = StepStates((id_, BEGUN) for id_ in ids)
    assert [id_ for _, id_, _ in states.changed_since(NO_STEPS)] == ids
    assert states.changed_since(StepStates((id_, BEGUN) for id_ in ids)) == [], "the same steps, made anew"
    assert not NO_STEPS
    assert NO_STEPS.live == 0
    assert "other" not in states
    assert states.get(StepId("other")) is None


def test_copy_shares_what_did_not_change() -> None:
    """One of thousands costs what one of a hundred does."""
    states = StepStates((StepId(str(number)), BEGUN) for number in range(5000))
    changed = states.changed({StepId("4321"): StepState(ExecutionPhase.SUCCEEDED)})
    pairs = zip(states._chunks, changed._chunks, strict=True)
    assert sum(old is not new for old, new in pairs) == 1
