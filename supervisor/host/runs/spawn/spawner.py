"""The commands that shims were asked to start, until it is known whether they did.

Nothing waits for a shim's answer: while it starts one command the supervisor prepares the next, and the first are asked
for before there is an event loop. `pending_start` decides; the spawner asks shims, and says which starts are settled.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable

from supervisor.host.proc.process import ProcRef
from supervisor.host.runs.run import Asked, Run
from supervisor.host.runs.spawn.pending_start import Began, GaveUp, PendingStart, RetryAt, pending_start
from supervisor.host.runs.spawn.shim_client import ShimClient
from supervisor.host.runs.spawn.shim_pool import ShimPool
from supervisor.lean.typing import assert_never
from supervisor.model.errors import MachineError
from supervisor.shim.protocol import CommandStarted, SpawnFailed, SpawnRequest

Settled = list[tuple[Run, Began | GaveUp]]
"""The starts of which it is known now what became of them."""


class Spawner:
    """Asks shims to start commands. Each run that is started is settled once, by one of the methods."""

    def __init__(self, shims: ShimPool) -> None:
        self._shims = shims
        self._pending: dict[str, tuple[Run, PendingStart]] = {}
        """Starts by run id. A run whose start is asked for has the shim in `Run.shim`."""
        self.lacking = ""
        """What commands wait for because the machine is short of it; empty: none waits."""
        self._short: set[str] = set()
        """The ids of the runs that the machine lacked something for, until they are settled."""

    def __contains__(self, run_id: str) -> bool:
        """Whether it is not known yet if this run starts."""
        return run_id in self._pending

    def start(self, run: Run, request: SpawnRequest, now_s: float) -> Settled:
        """Ask for a command to be started. Never waits."""
        return self._ask(run, pending_start(request, now_s), now_s)

    def answer(self, event: CommandStarted | SpawnFailed, now_s: float) -> Settled:
        """Take a shim's answer; that of a start which was given up is ignored."""
        run, start = self._pending.get(event.run_id, (None, None))
        if run is None or start is None or not start.is_asked:
            return []
        return self._follow(run, start, start.answer(event, now_s), now_s)

    def retry_at_s(self) -> float:
        """When `retry` has something to do; infinite: not after a pause."""
        return min((start.retry_at_s for _, start in self._pending.values()), default=math.inf)

    def retry(self, now_s: float) -> Settled:
        """Ask again for the starts whose pause is over."""
        settled: Settled = []
        for run, start in list(self._pending.values()):
            if start.retry_at_s > now_s:
                continue
            if run.asked is Asked.NOTHING:
                settled += self._ask(run, start, now_s)
            else:
                settled += self._follow(run, start, start.stop(), now_s)
        return settled

    def lose(self, client: ShimClient) -> list[Run]:
        """A shim is gone: returns the runs that it may have started without saying so, for `find` to settle."""
        runs = [run for run, start in self._pending.values() if run.shim is client and start.is_asked]
        for run in runs:
            run.shim = None
            self._pending[run.run_id] = run, self._pending[run.run_id][1].search()
        return runs

    def find(self, runs: Iterable[Run], began: Collection[Run], now_s: float) -> Settled:
        """Of `runs`, which a lost shim was asked for, those in `began` were started; another is asked for the rest."""
        settled: Settled = []
        for run in runs:
            start = self._pending[run.run_id][1]
            settled += self._follow(run, start, start.lose(began=run in began, now_s=now_s), now_s)
        return settled

    def overdue(self, now_s: float) -> set[ShimClient]:
        """The shims that have not answered in time, as far as their events were received."""
        late = (run.shim for run, start in self._pending.values() if start.overdue(now_s))
        return {client for client in late if client is not None}

    def give_up(self, client: ShimClient, now_s: float) -> Settled:
        """Settle what a shim does not answer in time as not started, and have another take the next command."""
        settled: Settled = []
        for run, start in list(self._pending.values()):
            if run.shim is client and (outcome := start.overdue(now_s)):
                self._shims.pass_over(client)
                settled += self._follow(run, start, outcome, now_s)
        return settled

    def _ask(self, run: Run, start: PendingStart, now_s: float) -> Settled:
        asked = start.ask(now_s, len(self._pending))
        self._pending[run.run_id] = run, asked
        try:
            run.shim = self._shims.current()
        except MachineError as error:
            return self._follow(run, asked, asked.refuse(error, now_s), now_s)
        run.shim.spawn(asked.request)
        return []

    def _follow(
        self, run: Run, start: PendingStart, outcome: Began | RetryAt | GaveUp, now_s: float
    ) -> Settled:
        match outcome:
            case RetryAt(lacking=""):
                return self._ask(run, start, now_s)
            case RetryAt():
                run.shim = None
                self._pending[run.run_id] = run, start.wait(outcome)
                self._short.add(run.run_id)
                self.lacking = outcome.lacking
                return []
            case Began(process):
                if process is not None:
                    run.main = ProcRef(process.pid, process.start_ticks)
                    run.cgroup, run.streams[0].inode = process.cgroup, process.log_inode
            case GaveUp():
                pass
            case _:
                assert_never(outcome)
        del self._pending[run.run_id]
        self._short.discard(run.run_id)
        if not self._short:
            self.lacking = ""
        return [(run, outcome)]
