"""What takes the facts about runs, and how those of one turn stay together."""

from __future__ import annotations

from collections.abc import Sequence

from supervisor.lean.typing import Protocol
from supervisor.model.fact import RunFact


class FactSink(Protocol):
    """Takes the facts about runs: the engine does."""

    def post(self, fact: RunFact) -> None:
        """Take a fact, to be folded at the next turn of the event loop."""

    def fold(self, facts: Sequence[RunFact]) -> None:
        """Fold facts now: what they start does not wait for a turn of the event loop."""


class FactBuffer:
    """Facts on their way: those of a turn are folded together at its end, others are posted one by one."""

    def __init__(self, sink: FactSink) -> None:
        self._sink = sink
        self._turn: list[RunFact] | None = None

    @property
    def is_collecting(self) -> bool:
        """Whether a turn is under way."""
        return self._turn is not None

    def begin(self) -> None:
        """A turn begins."""
        self._turn = []

    def post(self, fact: RunFact) -> None:
        """Report a fact."""
        if self._turn is None:
            self._sink.post(fact)
        else:
            self._turn.append(fact)

    def fold(self) -> None:
        """The turn is over: have its facts folded. What follows from them is reported by itself."""
        facts, self._turn = self._turn or [], None
        self._sink.fold(facts)
