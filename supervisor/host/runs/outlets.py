"""What leaves the machine: facts about runs, and work for the event loop."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence

from supervisor.lean.late import anyio
from supervisor.lean.typing import TYPE_CHECKING, Any, Protocol
from supervisor.model.fact import RunFact

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

Work = Callable[..., Coroutine[Any, Any, None]]


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


class LoopWork:
    """Starts coroutines in the event loop: now, if it runs, else once it does."""

    def __init__(self) -> None:
        self.backlog: list[tuple[Work, tuple[Any, ...]]] = []
        """What waits for the event loop."""
        self._tasks: TaskGroup | None = None

    def soon(self, work: Work, *arguments: Any) -> None:
        """Start `work`. What it raises ends `run`."""
        if self._tasks is None:
            self.backlog.append((work, arguments))
        else:
            self._tasks.start_soon(work, *arguments)

    async def run(self, main: Work, *arguments: Any) -> None:
        """Run `main` and all other work; until cancelled."""
        try:
            async with anyio.create_task_group() as self._tasks:
                for work, its_arguments in self.backlog:
                    self._tasks.start_soon(work, *its_arguments)
                self.backlog.clear()
                await main(*arguments)
        finally:
            self._tasks = None
