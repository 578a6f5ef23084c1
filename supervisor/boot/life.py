"""How a supervisor's life goes on and ends: the event loop around everything that was built before it.

    work -> (done, a signal, or `end`) -> drain, unless it detaches -> sweep -> gone

The first SIGINT or SIGTERM ends the work, another one kills what still lives, SIGHUP has the file read again.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from supervisor.boot.settings import Report
from supervisor.core.records import Records
from supervisor.engine import Engine
from supervisor.host.machine import Machine
from supervisor.model.command import Drain

if TYPE_CHECKING:
    from anyio import CancelScope

Edge = Callable[[], Coroutine[Any, Any, None]]
"""A task at the edge that runs until it is cancelled."""
Work = Callable[[], Coroutine[Any, Any, int]]
"""What a supervisor is there for: ends with an exit status, or never."""

DRAIN_GRACE_S = 30.0
SWEEP_GRACE_S = 2.0


class Life:
    """Runs edges and work, and sees that nothing is left behind."""

    def __init__(
        self, engine: Engine, machine: Machine, report: Report, reload: Callable[[], object]
    ) -> None:
        """`reload`: what SIGHUP does."""
        self._engine = engine
        self._machine = machine
        self._report = report
        self._reload = reload
        self._grace_s = DRAIN_GRACE_S
        self._detach = self._asked_to_end = False
        self._work_is_over: Callable[[], None] = lambda: None

    def end(self, grace_s: float = DRAIN_GRACE_S, detach: bool = False) -> None:
        """End the work as a signal does; `detach`: leave what lives to the next supervisor instead of stopping it."""
        self._grace_s, self._detach, self._asked_to_end = grace_s, detach, True
        self._work_is_over()

    def run(self, work: Work, edges: Sequence[Edge], held: list[int]) -> int:
        """Run until `work` is done or a signal came, drain, and see that nothing is left behind.

        `held`: the list that `hold_signals` gave. Returns what `work` returned, 0 after `end`, 130 after a signal.
        """
        import anyio

        try:
            return anyio.run(self._run, work, edges, held)
        finally:
            hold_signals()  # the loop gave them back; what is left to do takes a moment

    async def _run(self, work: Work, edges: Sequence[Edge], held: list[int]) -> int:
        import anyio

        status = 130
        async with anyio.create_task_group() as group:
            for edge in (self._engine.run, self._machine.run, *edges):
                group.start_soon(edge)
            with anyio.CancelScope() as working:
                self._work_is_over = working.cancel
                group.start_soon(self._signals, held, working)
                status = await work()
            if self._asked_to_end:
                status = 0
            if self._detach:
                group.cancel_scope.cancel()
                return status
            if not self._engine.world.records.settled():
                self._report.notice("stopping everything; Ctrl-C again kills what has not ended")
            if not self._engine.world.records.draining:
                self._drain(self._grace_s)
            await self._engine.until(Records.settled)
            survivors = await self._machine.sweep(SWEEP_GRACE_S)
            if survivors:
                self._report.notice(
                    f"processes that SIGKILL does not end are left: {', '.join(map(str, survivors))}"
                )
            group.cancel_scope.cancel()
        return status

    async def _signals(self, held: list[int], working: CancelScope) -> None:
        """SIGINT and SIGTERM end the work, a second one kills what still lives; SIGHUP reads the file again."""
        import anyio

        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as received:
            for number in held:
                self._heed(number, working)
            async for number in received:
                self._heed(number, working)

    def _heed(self, number: int, working: CancelScope) -> None:
        if number == signal.SIGHUP:
            self._reload()
        elif working.cancel_called or self._engine.world.records.draining:
            self._drain(0.0)
        else:
            working.cancel()

    def _drain(self, grace_s: float) -> None:
        self._engine.submit(Drain(grace_s))


def hold_signals() -> list[int]:
    """Note SIGINT, SIGTERM and SIGHUP from now on instead of dying of them. Returns the list that they appear in."""
    seen: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: seen.append(received))
    return seen
