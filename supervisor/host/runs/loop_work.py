"""Work that needs the event loop, and may be found before there is one."""

from __future__ import annotations

from collections.abc import Callable, Coroutine

from supervisor.lean.typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

Work = Callable[..., Coroutine[Any, Any, None]]


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
        import anyio

        try:
            async with anyio.create_task_group() as self._tasks:
                for work, its_arguments in self.backlog:
                    self._tasks.start_soon(work, *its_arguments)
                self.backlog.clear()
                await main(*arguments)
        finally:
            self._tasks = None
