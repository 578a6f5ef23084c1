"""The states of the steps of one group of a plan.

A group may have thousands of steps, which end one by one. So a changed copy shares with its original all that did not
change but `_CHUNK` steps, and what differs between two copies is found without looking at the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from supervisor.lean.frozen import dataclass, field
from supervisor.model.ids import RunId, StepId
from supervisor.model.phase import ExecutionPhase

_CHUNK = 64


@dataclass(frozen=True, slots=True)
class StepState:
    """Where a step stands. `run_id` is the task run that a task step uses."""

    phase: ExecutionPhase = ExecutionPhase.PENDING
    run_id: RunId | None = None
    reason: str = ""
    output: Mapping[str, str] = field(default_factory=dict)


NOT_BEGUN = StepState()
NOT_RUN = StepState(ExecutionPhase.STOPPED, reason="not run")


class StepStates(Mapping[StepId, StepState]):
    """`{step id: state}` of one group, in the order of the plan; empty before the group begins. Never changes."""

    __slots__ = ("_chunks", "_ids", "_place_of", "live")

    live: int
    """How many of the steps run."""
    _chunks: tuple[tuple[StepState, ...], ...]
    _ids: tuple[StepId, ...]
    _place_of: Mapping[StepId, int]
    """{step id: its place in the group}, the same object in all copies, as `_ids` is"""

    def __init__(self, states: Iterable[tuple[StepId, StepState]] = ()) -> None:
        """The states of steps, in order."""
        pairs = list(states)
        self._ids = tuple(id_ for id_, _ in pairs)
        self._place_of = {id_: place for place, id_ in enumerate(self._ids)}
        found = [state for _, state in pairs]
        self._chunks = tuple(tuple(found[at : at + _CHUNK]) for at in range(0, len(found), _CHUNK))
        self.live = sum(map(_is_live, found))

    def changed(self, changes: Mapping[StepId, StepState]) -> StepStates:
        """A copy with other states of some steps."""
        chunks: dict[int, list[StepState]] = {}
        live = self.live
        for id_, state in changes.items():
            number, place = divmod(self._place_of[id_], _CHUNK)
            if number not in chunks:
                chunks[number] = list(self._chunks[number])
            live += _is_live(state) - _is_live(chunks[number][place])
            chunks[number][place] = state
        made = StepStates.__new__(StepStates)
        made._ids, made._place_of, made.live = self._ids, self._place_of, live
        whole = list(self._chunks)
        for number, chunk in chunks.items():
            whole[number] = tuple(chunk)
        made._chunks = tuple(whole)
        return made

    def changed_since(self, before: StepStates) -> list[tuple[int, StepId, StepState]]:
        """Place in the group, id and state of the steps with another state object than in `before`.

        All, if `before` is of another group.
        """
        ids = self._ids
        if ids is not before._ids and ids != before._ids:
            return [(place, id_, self[id_]) for place, id_ in enumerate(ids)]
        found: list[tuple[int, StepId, StepState]] = []
        for number, (old, new) in enumerate(zip(before._chunks, self._chunks, strict=True)):
            if old is not new:
                first = number * _CHUNK
                pairs = enumerate(zip(old, new, strict=True), first)
                found += ((place, ids[place], state) for place, (was, state) in pairs if was is not state)
        return found

    def __getitem__(self, id_: StepId) -> StepState:
        place = self._place_of[id_]
        return self._chunks[place // _CHUNK][place % _CHUNK]

    def __contains__(self, id_: object) -> bool:
        return id_ in self._place_of

    def __iter__(self) -> Iterator[StepId]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, StepStates):
            return self._chunks == other._chunks and self._ids == other._ids
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._ids)


def _is_live(state: StepState) -> bool:
    return state.phase is ExecutionPhase.RUNNING


NO_STEPS = StepStates()
"""Of a group that has not begun."""
