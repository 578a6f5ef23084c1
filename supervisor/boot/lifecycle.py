"""The lifecycle: the event loop around everything that was built before it, and how it ends.

    work -> (done, a signal, `end`, or `end_for` an upgrade) -> drain, unless it detaches -> sweep -> gone

The first signal that asks for a drain ends the work, another one kills what still lives. `host.proc.signals` says what
each signal means, and `signal_watch` does it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Coroutine, Sequence

from supervisor.boot.automations.automations_file import Automations
from supervisor.boot.conditions import Conditions
from supervisor.boot.crash import Edge
from supervisor.boot.report import Report
from supervisor.boot.service_manager import ServiceManager
from supervisor.boot.session import EnvironmentSession
from supervisor.core import queries
from supervisor.engine import Engine
from supervisor.host.proc import signals
from supervisor.host.runs.machine import HostMachine
from supervisor.host.state.state_directory import StateDir
from supervisor.lean.late import anyio
from supervisor.lean.typing import TYPE_CHECKING, Any
from supervisor.model.command import Drain
from supervisor.model.sysexits import EXIT_DETACHED

if TYPE_CHECKING:
    from anyio import CancelScope

    from supervisor.boot.upgrade.upgrade import Upgrade

Work = Callable[[], Coroutine[Any, Any, int]]
"""What a supervisor is there for: ends with an exit status, or never."""

SWEEP_GRACE_S = 2.0
HOLDER_ENDS_S = 1.0
"""How long a process that holds no terminal any more may take to end."""


class Lifecycle:
    """Runs the work and the tasks beside it, and sees that nothing is left behind."""

    def __init__(
        self,
        engine: Engine,
        machine: HostMachine,
        report: Report,
        automations: Automations,
        service_manager: ServiceManager,
        session: EnvironmentSession,
        conditions: Conditions,
        state: StateDir,
        grace_s: float,
    ) -> None:
        """`state`: the state directory; `grace_s`: how long a drain has until it kills, unless `end` gives another."""
        self._engine = engine
        self._machine = machine
        self._report = report
        self._automations = automations
        self._service_manager = service_manager
        self._session = session
        self._conditions = conditions
        self._state = state
        self._grace_s = grace_s
        self._detach = False
        self._status = 0
        self._upgrade: Upgrade | None = None
        self._working: CancelScope | None = None
        self.late = signals.PendingSignals()
        """Signals that came when nobody could heed them any more."""

    @property
    def is_upgrading(self) -> bool:
        """Whether the work ended for an upgrade."""
        return self._upgrade is not None

    def end(self, grace_s: float | None = None, detach: bool = False) -> None:
        """End the work as a signal does. `detach`: leave what lives to the next supervisor instead of stopping it.

        `grace_s`: what the drain has in place of the time that the settings give it.
        """
        if grace_s is not None:
            self._grace_s = grace_s
        self._detach = detach
        self._end_work()

    def end_for(self, upgrade: Upgrade) -> None:
        """End the work and leave what lives to the new program. `upgrade` packs while the engine still runs."""
        self._upgrade = upgrade
        self._end_work()

    def end_by_signal(self, number: int, kill: bool) -> None:
        """End the work because of a signal. When the end has begun already, kill what still lives."""
        if self._engine.world.records.draining or (self._working and self._working.cancel_called):
            self._drain(0.0)
            return
        if kill:
            self._grace_s = 0.0
        self._status = 128 + number
        self._end_work()

    def run(self, work: Work, edges: Sequence[Edge], held: signals.PendingSignals) -> int:
        """Run until `work` is done or a signal came, drain, and see that nothing is left behind.

        `held`: what `signals.hold` gave. Returns what `work` returned, 0 after `end`, EXIT_DETACHED if it detached,
        128 + its number after a signal.
        """
        from supervisor.host.proc.event_loop import WorkerEventLoop

        return anyio.run(self._run, work, edges, held, backend_options={"loop_factory": WorkerEventLoop})

    async def _run(self, work: Work, edges: Sequence[Edge], held: signals.PendingSignals) -> int:
        from supervisor.host.proc.worker_threads import Workers

        # What the start has made stays: the garbage collector need not look at it again.
        gc.freeze()
        gc.enable()
        with Workers(self._conditions):
            return await self._supervise(work, edges, held)

    async def _supervise(self, work: Work, edges: Sequence[Edge], held: signals.PendingSignals) -> int:
        from supervisor.boot.serve.signal_watch import SignalWatch

        watch = SignalWatch(held, self, self._engine, self._automations, self._report, self._state.stacks)
        async with anyio.create_task_group() as group:
            for edge in (self._engine.run, self._machine.run, *edges):
                group.start_soon(edge)
            with anyio.CancelScope() as self._working:
                group.start_soon(watch.run)
                status = await work()
            if self._working.cancelled_caught:
                status = self._status
            if self._upgrade is not None:
                await self._upgrade.pack()
            else:
                self._service_manager.stopping()
            if self._detach or self.is_upgrading:
                status = EXIT_DETACHED
            else:
                await self._stop_everything()
            group.cancel_scope.cancel()
        return status

    async def _stop_everything(self) -> None:
        # Not at the top: the first command does not wait for it.
        from supervisor.terminals.holder_client import HolderClient

        records = self._engine.world.records
        if not queries.is_at_rest(records):
            self._report.notice("stopping everything; Ctrl-C again kills what has not ended")
        if not records.draining:
            self._drain(self._grace_s)
        holders = await HolderClient(self._state.path).drain()
        await self._engine.until(queries.is_at_rest)
        survivors = await self._machine.sweep(SWEEP_GRACE_S, [holder.pid for holder in holders])
        for holder in holders:
            await holder.close(HOLDER_ENDS_S)
        if survivors:
            self._report.notice(
                f"processes that SIGKILL does not end are left: {', '.join(map(str, survivors))}"
            )

    def _end_work(self) -> None:
        if self._working is not None:
            self._working.cancel()

    def _drain(self, grace_s: float) -> None:
        self._session.note_drain()
        self._engine.submit(Drain(grace_s))
