"""The process trees that have to end, or have lost their main process: one task attends to all of them.

Theory of operation. A run is due

| when | because |
|---|---|
| it was noted: something was asked of it, or its main process has ended | the next step may be another one |
| all processes that it had at the last look have ended | others may have appeared meanwhile |
| 0.2 s after a SIGKILL | it is repeated |

`turn` waits until a run is due and takes all that are. One pass over /proc finds the processes of all, `tree_ending`
decides for each, and all signals go out in one call of a worker thread. So a hundred services that stop at once cost a
few passes, not a hundred. What comes while a turn is under way is for the next one; and while others are about to end,
because they have just been told to, a turn waits a few milliseconds for them.

The end of a main process comes from its shim. Of other processes, and of a main process that is slow to end, it is
learned by a pidfd, one descriptor at a time for each run. Most end within a moment, so descriptors are opened a moment
after the last turn. Nothing here blocks the event loop.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import assert_never

import anyio

from supervisor.host.proc import cgroups, process, process_signals, process_tree, worker_threads
from supervisor.host.proc.process import PidfdMissing, ProcRef
from supervisor.host.runs.run import Run
from supervisor.host.runs.run_directory import NOTED_S
from supervisor.host.runs.termination import POLL_S, when_possible
from supervisor.host.runs.tree_ending import (
    KILL_ROUND_S,
    AwaitChange,
    KillTree,
    ReportMainExit,
    TerminateProcesses,
    TreeEnded,
    TreeEnding,
)
from supervisor.model.fact import Survivor

_SOON_S = 0.02
"""How long after a turn processes are watched that have not ended by then."""
_GATHER_S, _RECENT_S = 0.004, 0.1
"""How long a turn waits for more runs that are about to end, and how long after signals were sent some are."""
_AT_ONCE = 20
"""How many are begun to be watched before the event loop does something else: each takes 30 microseconds."""


class _Ending:
    """One run, and what is known of its processes."""

    __slots__ = ("again_at_s", "alive", "fd", "run", "tree", "watch_at_s")

    def __init__(self, run: Run) -> None:
        self.run = run
        self.tree = TreeEnding()
        self.alive: set[ProcRef] = set()
        """The processes of the last look that are not known to have ended."""
        self.fd = -1
        """A pidfd of one of them; negative: none is watched."""
        self.watch_at_s = math.inf
        """When to begin to watch them, or where there are no pidfds, to look at them again."""
        self.again_at_s = math.inf
        """When the run is due although nothing has happened."""

    def note_exit(self) -> None:
        """Take it into account that its main process has ended, if it has."""
        if self.run.exit is not None and self.run.main is not None:
            self.alive.discard(self.run.main)


class Endings:
    """All runs that are seen out. All methods are called in the event loop's thread."""

    def __init__(self, runs: Mapping[str, Run], noted: dict[str, Run]) -> None:
        """`runs`: all that live; what is in their sessions belongs to them. `noted`: to be seen out; it is emptied."""
        self._runs = runs
        self._endings: dict[str, _Ending] = {}
        self._due: dict[str, None] = {}
        self._wake = anyio.Event()
        self._signalled_at_s = -math.inf
        self._is_gathering = False
        for run in noted.values():
            self.note(run)
        noted.clear()

    def __bool__(self) -> bool:
        return bool(self._endings)

    def note(self, run: Run) -> None:
        """See a run out, or go on with that: something about it has changed."""
        if run.has_left:
            return
        if run.run_id not in self._endings:
            self._endings[run.run_id] = _Ending(run)
        self._note_due(run.run_id)

    async def turn(self) -> list[tuple[Run, tuple[Survivor, ...] | None]]:
        """Wait until a run is due, and do what is to be done for all that are.

        Returns the runs of which nothing lives any more, each with what SIGKILL did not end; and with None those whose
        main process has ended by itself while others live on.
        """
        await self._until_due()
        await self._gather()
        due = [self._endings[run_id] for run_id in self._due]
        self._due.clear()
        members = await self._members(due)
        left: list[tuple[Run, tuple[Survivor, ...] | None]] = []
        to_terminate: list[ProcRef] = []
        to_kill: list[ProcRef] = []
        now_s = time.monotonic()
        for ending in due:
            run = ending.run
            self._due.pop(run.run_id, None)  # what was noted since is seen here
            ending.note_exit()
            all_ended = not ending.alive
            self._look_at(ending, members[run.run_id], now_s)
            match ending.tree.next(members[run.run_id], run.asked, run.exit, now_s, all_ended=all_ended):
                case TreeEnded(processes):
                    self._forget(ending)
                    left.append((run, _survivors(run, processes)))
                case KillTree(processes):
                    if run.cgroup:
                        cgroups.kill(run.cgroup)
                    to_kill += processes
                    ending.again_at_s = now_s + KILL_ROUND_S
                case TerminateProcesses(processes):
                    to_terminate += processes
                case ReportMainExit():
                    left.append((run, None))
                case AwaitChange():
                    pass
                case step:
                    assert_never(step)
        if to_terminate or to_kill:
            await worker_threads.run(_send, to_terminate, to_kill)
            self._signalled_at_s = time.monotonic()
        return left

    def close(self) -> None:
        """Watch nothing any more."""
        for ending in self._endings.values():
            self._unwatch(ending)

    async def _until_due(self) -> None:
        while not self._due:
            self._wake = anyio.Event()
            with anyio.move_on_after(max(0.0, self._next_s() - time.monotonic())):
                await self._wake.wait()
            now_s = time.monotonic()
            for ending in self._endings.values():
                if ending.again_at_s <= now_s:
                    self._note_due(ending.run.run_id)
            await self._watch(now_s)

    async def _gather(self) -> None:
        if self._are_all_due or time.monotonic() - self._signalled_at_s > _RECENT_S:
            return
        self._wake, self._is_gathering = anyio.Event(), True
        with anyio.move_on_after(_GATHER_S):
            await self._wake.wait()
        self._is_gathering = False

    @property
    def _are_all_due(self) -> bool:
        return len(self._due) == len(self._endings)

    def _next_s(self) -> float:
        """When to look although nothing was noted."""
        moments = (min(ending.watch_at_s, ending.again_at_s) for ending in self._endings.values())
        return min(moments, default=math.inf)

    def _note_due(self, run_id: str) -> None:
        self._due[run_id] = None
        if not self._is_gathering or self._are_all_due:
            self._wake.set()

    def _forget(self, ending: _Ending) -> None:
        self._unwatch(ending)
        ending.run.has_left = True
        del self._endings[ending.run.run_id]

    async def _members(self, endings: Iterable[_Ending]) -> process_tree.Members:
        """The live processes of runs, at a moment after this was called."""
        wanted: dict[str, ProcRef | None] = {ending.run.run_id: ending.run.main for ending in endings}
        groups: dict[str, str] = {
            ending.run.run_id: ending.run.cgroup for ending in endings if ending.run.cgroup
        }
        others = [
            run.main for run in self._runs.values() if run.main is not None and run.run_id not in wanted
        ]
        return await when_possible(partial(process_tree.census, wanted, groups, others))

    # The ends of processes -------------------------------------------------------------------------------------------

    def _look_at(self, ending: _Ending, members: Iterable[ProcRef], now_s: float) -> None:
        """These are its processes now."""
        self._unwatch(ending)
        ending.alive = set(members)
        ending.again_at_s = math.inf
        was_alive = bool(ending.alive)
        ending.note_exit()
        if ending.alive:
            ending.watch_at_s = now_s + _SOON_S
        elif was_alive:
            self._note_due(ending.run.run_id)  # the main process has ended since

    async def _watch(self, now_s: float) -> None:
        """Begin to watch the runs of which it is time."""
        due = [ending for ending in self._endings.values() if ending.watch_at_s <= now_s]
        for number, ending in enumerate(due, 1):
            self._watch_one(ending)
            if number % _AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()

    def _watch_one(self, ending: _Ending) -> None:
        """Watch one of its processes; without any the run is due."""
        ending.watch_at_s = math.inf
        while ending.alive and ending.fd < 0:
            ref = next(iter(ending.alive))
            try:
                fd = process.pidfd(ref)
            except PidfdMissing:  # the kernel offers nothing to wait for
                ending.alive = {ref for ref in ending.alive if process.alive(ref)}
                ending.watch_at_s = time.monotonic() + POLL_S
                break
            if fd is None:
                ending.alive.discard(ref)
            else:
                ending.fd = fd
                asyncio.get_running_loop().add_reader(fd, self._on_end, ending, ref)
        if not ending.alive:
            ending.watch_at_s = math.inf
            self._note_due(ending.run.run_id)

    def _on_end(self, ending: _Ending, ref: ProcRef) -> None:
        self._unwatch(ending)
        ending.alive.discard(ref)
        self._watch_one(ending)

    def _unwatch(self, ending: _Ending) -> None:
        ending.watch_at_s = math.inf
        if ending.fd >= 0:
            asyncio.get_running_loop().remove_reader(ending.fd)
            os.close(ending.fd)
            ending.fd = -1


def _survivors(run: Run, processes: Iterable[ProcRef]) -> tuple[Survivor, ...]:
    """What SIGKILL did not end. Says so in the run's log."""
    survivors = tuple(map(process.survivor, processes))
    if survivors:
        run.dir.note(f"SIGKILL does not end {', '.join(map(str, survivors))}", NOTED_S)
    return survivors


def _send(to_terminate: list[ProcRef], to_kill: list[ProcRef]) -> None:
    process_signals.terminate(to_terminate)
    process_signals.kill(to_kill)
