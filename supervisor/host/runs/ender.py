"""The way of a run from the end of its main process, or the wish that it ends, to its `Exited`.

`exits` and `tree_ending` decide; this carries out and reports. The kinds of runs differ: see `machine`.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from supervisor.host.proc import cgroups
from supervisor.host.runs import exits
from supervisor.host.runs.outlets import FactBuffer, LoopWork
from supervisor.host.runs.run import Asked, Run
from supervisor.lean.late import late
from supervisor.lean.typing import TYPE_CHECKING
from supervisor.model.exit import Exit, ExitUnknown
from supervisor.model.fact import Exited, MainExited, Survivor
from supervisor.shim.protocol import RunsListed

if TYPE_CHECKING:
    from supervisor.host.proc.cgroups import Cgroups
    from supervisor.host.runs import endings, orphaned_fifos, termination
    from supervisor.host.runs.endings import Endings
    from supervisor.host.runs.orphaned_fifos import OrphanedFifos
    from supervisor.host.runs.spawn.shim_pool import ShimPool
else:
    endings = late("supervisor.host.runs.endings")
    orphaned_fifos = late("supervisor.host.runs.orphaned_fifos")
    termination = late("supervisor.host.runs.termination")

_FEW = 4
"""How many runs are vacated at once on the event loop's thread; more are in another one."""


class Ender:
    """Ends runs. A run that is over leaves the table."""

    def __init__(
        self,
        runs: dict[str, Run],
        facts: FactBuffer,
        work: LoopWork,
        shims: ShimPool,
        folder: Path,
        log_limit_bytes: int,
        cgroups: Cgroups | None,
    ) -> None:
        """`runs`: the table, by id; `folder`: the one that holds all run directories."""
        self._runs = runs
        self._facts = facts
        self._work = work
        self._shims = shims
        self._orphaned_fifos: OrphanedFifos | None = None
        self._folder = folder
        self._log_limit_bytes = log_limit_bytes
        self._cgroups = cgroups
        self._to_see_out: dict[str, Run] = {}
        """The runs for which `_see_out` was asked for, until it runs."""
        self._endings: Endings | None = None
        """Those that it sees out; None: it does not run."""
        self._kill_explainer = exits.KillExplainer()
        self._vacated: list[Run] = []
        """The runs that are over and hold something that `vacate` has to let go."""

    @property
    def orphaned_fifos(self) -> OrphanedFifos:
        """The FIFOs that another shim has left."""
        if self._orphaned_fifos is None:
            self._orphaned_fifos = orphaned_fifos.OrphanedFifos(
                self._shims, self._folder, self._runs, self._log_limit_bytes
            )
        return self._orphaned_fifos

    def watch(self, run: Run, held: RunsListed) -> None:
        """Learn without a shim how a run ends; at once if it has ended. `held`: what an earlier shim held."""
        end = exits.noted_exit(run, held)
        if end is None and run.main is not None:
            self._work.soon(self._wait_for_main, run)
        else:
            self.main_ended(run, end or ExitUnknown())

    def main_ended(self, run: Run, end: Exit) -> None:
        """The main process of a run has ended; saying so again is without effect."""
        if exits.is_unexplained(run, end):
            self._work.soon(self._explain, run, end)
        else:
            self._note_exit(run, end)

    def see_out(self, run: Run) -> None:
        """Have the end of all the run's processes seen to, or have it looked at what has changed about the run."""
        if self._endings is not None:
            self._endings.note(run)
        else:
            if not self._to_see_out:
                self._work.soon(self._see_out)
            self._to_see_out[run.run_id] = run

    def over(self, run: Run, survivors: tuple[Survivor, ...] = ()) -> None:
        """Report that a run is over."""
        from supervisor.host.runs import upkeep  # not at the top: nothing is over before the first command

        del self._runs[run.run_id]
        output = None if run.output_file is None else upkeep.output(run, final=True)
        end = run.exit or ExitUnknown()
        fact = Exited(run.run_id, end, exits.last_lines(run), output, survivors)
        self._facts.post(exits.with_result(fact, run) if run.is_operation else fact)
        if run.is_operation and run.is_pumped and not run.written:
            self.orphaned_fifos.keep(run.run_id)
        limit_bytes = run.log_limit_bytes(self._log_limit_bytes)
        for stream in upkeep.over_limit(run, limit_bytes):
            self._work.soon(upkeep.trim, run, stream, limit_bytes)
        self._vacated.append(run)
        if not self._facts.is_collecting:
            self.vacate()

    def vacate(self) -> None:
        """Let go what runs that are over had: in a turn, once what waited for these runs was started.

        It takes 0.1 ms for each: who closes a FIFO last pays for its end on the disk, and a control group goes slowly.
        """
        if len(self._vacated) > _FEW:
            self._work.soon(self._vacate_many)
        elif self._vacated:
            self._dissolve(self._let_go())

    def leave_group(self, run: Run) -> None:
        """Remove a run's control group, unless a task's daemons live in it."""
        self._dissolve([] if _has_left(run) else [run])

    async def remove(self, run_ids: Collection[str]) -> None:
        """Remove what is left of runs."""
        await termination.remove(run_ids, self._folder, self._cgroups)

    def close(self) -> None:
        """Close what was opened to explain exits, and let go what runs had."""
        self._let_go()
        self._kill_explainer.close()

    def _let_go(self) -> list[Run]:
        """Let go what the vacated runs had. Returns those of which the control group could not be removed yet."""
        busy = []
        while self._vacated:  # a thread may do the same
            run = self._vacated.pop()
            run.let_fifo_go()
            if not _has_left(run):
                busy.append(run)
        return busy

    def _dissolve(self, runs: list[Run]) -> None:
        for run in runs:
            self._work.soon(termination.dissolve, run.cgroup)

    async def _vacate_many(self) -> None:
        self._dissolve(await termination.in_thread(self._let_go))

    def _note_exit(self, run: Run, end: Exit) -> None:
        if self._is_settled(run):
            return
        if run.is_pumped and run.shim is None and self.orphaned_fifos.has_fifo(run.run_id):
            self._work.soon(self._flush_first, run, end)
        else:
            self._take_exit(run, end)

    def _is_settled(self, run: Run) -> bool:
        """Whether its exit is known already, or it was given up: it did not even end by SIGKILL."""
        return run.exit is not None or self._runs.get(run.run_id) is not run

    def _take_exit(self, run: Run, end: Exit) -> None:
        run.exit = end
        if exits.is_over(run):
            self.over(run)
        else:
            self.see_out(run)

    async def _flush_first(self, run: Run, end: Exit) -> None:
        """Its shim is gone: another one moves its last words into the log before it is over."""
        await self.orphaned_fifos.flush(run.run_id)
        if not self._is_settled(run):
            self._take_exit(run, end)

    async def _flush_last(self, run: Run, survivors: tuple[Survivor, ...]) -> None:
        """Its tree was ended: all that it has printed belongs to its result."""
        await self.orphaned_fifos.flush(run.run_id)
        self.over(run, survivors)

    async def _wait_for_main(self, run: Run) -> None:
        self.main_ended(run, await termination.exit_without_shim(run))

    async def _explain(self, run: Run, end: Exit) -> None:
        # A shell reports on standard error how its command has ended.
        self._note_exit(run, await self._kill_explainer.explain(end, run.main, run.streams[-1].log))

    async def _see_out(self) -> None:
        """See runs out until none is left; those that are over at the same time are reported together."""
        self._endings = attended = endings.Endings(self._runs, self._to_see_out)
        try:
            while attended:
                left = await attended.turn()
                self._facts.begin()
                for run, survivors in left:
                    if survivors is None:
                        self._facts.post(
                            MainExited(run.run_id, run.exit or ExitUnknown(), exits.last_lines(run))
                        )
                    elif run.in_container and run.asked is not Asked.NOTHING:
                        self._work.soon(self._remove_container, run, survivors)
                    elif run.is_operation and self.orphaned_fifos.has_fifo(run.run_id):
                        self._work.soon(self._flush_last, run, survivors)
                    else:
                        self.over(run, survivors)
                self._facts.fold()
                self.vacate()
        finally:
            attended.close()
            self._endings = None

    async def _remove_container(self, run: Run, survivors: tuple[Survivor, ...]) -> None:
        await termination.remove_container(run.run_id)
        self.over(run, survivors)


def _has_left(run: Run) -> bool:
    """Remove a run's control group. Returns False if it is empty and there all the same: the kernel takes a moment."""
    return not run.cgroup or cgroups.remove(run.cgroup) or cgroups.populated(run.cgroup)
