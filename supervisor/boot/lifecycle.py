"""How a supervisor's life goes on and ends: the event loop around everything that was built before it.

    work -> (done, a signal, or `end`) -> drain, unless it detaches -> sweep -> gone

The first signal that asks for a drain ends the work, another one kills what still lives; `host.signals` says what each
signal means.
"""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path

from supervisor.boot.crash import Edge
from supervisor.boot.run_settings import Report
from supervisor.core import queries
from supervisor.engine import Engine
from supervisor.host.proc import signals
from supervisor.host.proc.signals import Meaning
from supervisor.host.runs.machine import Machine
from supervisor.hub import contained
from supervisor.lean.loop_imports import import_loop
from supervisor.lean.typing import TYPE_CHECKING, Any, assert_never
from supervisor.model.command import Drain
from supervisor.model.sysexits import EXIT_DETACHED

if TYPE_CHECKING:
    from anyio import CancelScope

Work = Callable[[], Coroutine[Any, Any, int]]
"""What a supervisor is there for: ends with an exit status, or never."""

SWEEP_GRACE_S = 2.0


class Life:
    """Runs edges and work, and sees that nothing is left behind."""

    def __init__(
        self,
        engine: Engine,
        machine: Machine,
        report: Report,
        reload: Callable[[], object],
        ending: Callable[[], None],
        stacks: Path,
        note_drain: Callable[[], None],
        grace_s: float,
        threads_met: Callable[[str], None],
    ) -> None:
        """What is there already.

        Args:
            engine: the writer.
            machine: what it acts through.
            report: who is told.
            reload: reads the file again.
            ending: is called when the work is over, before anything is stopped.
            stacks: the file that stacks are written to when somebody asks.
            note_drain: has the next supervisor know that the end was begun.
            grace_s: what a drain has until it kills, unless `end` says otherwise.
            threads_met: is told why there are no more threads, and with an empty text once there are.
        """
        self._engine = engine
        self._machine = machine
        self._report = report
        self._reload = reload
        self._ending = ending
        self._stacks = stacks
        self._note_drain = note_drain
        self._grace_s = grace_s
        self._threads_met = threads_met
        self._detach = False
        self._status = 0
        self._make_room: Callable[[], Coroutine[Any, Any, None]] | None = None
        self.late = signals.Numbers()
        """Signals that came when nobody could heed them any more."""
        self._work_is_over: Callable[[], None] = lambda: None

    def end(self, grace_s: float | None = None, detach: bool = False) -> None:
        """End the work as a signal does; `detach`: leave what lives to the next supervisor instead of stopping it.

        `grace_s`: what the drain has in place of the time that the settings give it.
        """
        if grace_s is not None:
            self._grace_s = grace_s
        self._detach = detach
        self._work_is_over()

    def make_room(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """End the work and leave what lives to the program that comes; `work` is done while everything still turns."""
        self._make_room = work
        self._work_is_over()

    def run(self, work: Work, edges: Sequence[Edge], held: signals.Numbers) -> int:
        """Run until `work` is done or a signal came, drain, and see that nothing is left behind.

        `held`: what `signals.hold` gave. Returns what `work` returned, 0 after `end`, EXIT_DETACHED if it detached,
        128 + its number after a signal.
        """
        import_loop(self._machine.attend)
        import anyio

        from supervisor.host.proc.worker_threads import Loop

        return anyio.run(self._run, work, edges, held, backend_options={"loop_factory": Loop})

    async def _run(self, work: Work, edges: Sequence[Edge], held: signals.Numbers) -> int:
        from supervisor.host.proc.worker_threads import Workers

        signals.disregard()
        # What the start has made stays: nobody need look at it again.
        gc.freeze()
        gc.enable()
        with Workers(self._threads_met):
            return await self._live(work, edges, held)

    async def _live(self, work: Work, edges: Sequence[Edge], held: signals.Numbers) -> int:
        import anyio

        status = 0
        async with anyio.create_task_group() as group:
            for edge in (self._engine.run, self._machine.run, *edges):
                group.start_soon(edge)
            with anyio.CancelScope() as working:
                self._work_is_over = working.cancel
                group.start_soon(self._signals, held, working)
                status = await work()
            if working.cancelled_caught:
                status = self._status
            if self._make_room is not None:
                await self._make_room()
            else:
                self._ending()
            if self._detach or self._make_room is not None:
                group.cancel_scope.cancel()
                return EXIT_DETACHED
            if not queries.is_at_rest(self._engine.world.records):
                self._report.notice("stopping everything; Ctrl-C again kills what has not ended")
            if not self._engine.world.records.draining:
                self._drain(self._grace_s)
            await self._engine.until(queries.is_at_rest)
            survivors = await self._machine.sweep(SWEEP_GRACE_S)
            if survivors:
                self._report.notice(
                    f"processes that SIGKILL does not end are left: {', '.join(map(str, survivors))}"
                )
            group.cancel_scope.cancel()
        return status

    async def _signals(self, held: signals.Numbers, working: CancelScope) -> None:
        """Do what signals ask for, until cancelled."""
        import asyncio

        from supervisor.boot.stack_dump import stacks_on_signal

        # The handlers that have noted them so far go on. In the moment in which the loop's own took their place, a
        # signal could come through both, and a second one means to kill.
        news = asyncio.Event()
        held.arrived = partial(asyncio.get_running_loop().call_soon_threadsafe, news.set)
        try:
            with stacks_on_signal(self._stacks):
                for number in [held.pop(0) for _ in held[:]]:
                    signal.raise_signal(number)  # to have the stacks written, too
                while True:
                    news.clear()
                    while held:
                        self._heed(held.pop(0), working)
                    await news.wait()
        finally:
            held.arrived = int
            held[:0] = self.late
            self.late = held

    def _heed(self, number: int, working: CancelScope) -> None:
        match signals.MEANINGS[number]:
            case _ if self._make_room is not None:
                self.late.append(number)  # the next program heeds it
            case Meaning.DRAIN | Meaning.KILL if working.cancel_called or self._engine.world.records.draining:
                self._drain(0.0)
            case Meaning.DRAIN | Meaning.KILL as meaning:
                self._grace_s = 0.0 if meaning is Meaning.KILL else self._grace_s
                self._status = 128 + number
                working.cancel()
            case Meaning.RELOAD:
                contained("reading the file again", self._reload)
            case Meaning.STATUS:
                from supervisor.boot.status_line import summary

                self._report.notice(summary(self._engine.world.records))
            case Meaning.STACKS:
                from supervisor.boot.stack_dump import add_tasks

                self._report.notice(add_tasks(self._stacks))
            case Meaning.NOTHING:
                pass
            case never:
                assert_never(never)

    def _drain(self, grace_s: float) -> None:
        self._note_drain()
        self._engine.submit(Drain(grace_s))
