"""How runs end: waiting for whole process trees, and making them end.

Nothing here blocks the loop. /proc is read in a worker thread, one pass for all runs that wait for one; the end of a
process is waited for by pidfd, one descriptor at a time for each run that ends.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import anyio

from supervisor.host.proc import cgroups, child_process, process_tree, worker_threads
from supervisor.host.proc.errnos import PASSING
from supervisor.host.proc.process_tree import Members, PidfdMissing, ProcRef
from supervisor.host.runs.run import Asked, Run
from supervisor.model.action import RunKind
from supervisor.model.exit import Exit, ExitUnknown
from supervisor.model.fact import Survivor

KILL_BOUND_S = 5.0
"""How long SIGKILL is repeated before what still lives is given up: it sleeps in the kernel, uninterruptibly."""
_KILL_ROUND_S = 0.2
_POLL_S = 0.05
"""How often to look for a process where the kernel has no pidfds."""
_SHORT_S = 0.2
"""How long to wait for what the machine is short of."""
_SHIM_WRITES_S = 1.0
"""How long a shim that we have no link to may take from a command's end to its exit file."""


T = TypeVar("T")


@dataclass(slots=True)
class _Pass:
    """Who waits for a pass over /proc, and what it found once it was made."""

    runs: dict[str, ProcRef | None] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    found: Members | None = None


class RollCall:
    """The processes of runs; those who ask while a pass over /proc goes on share the next one."""

    def __init__(self) -> None:
        self._next = _Pass()
        self._lock = anyio.Lock()

    async def members(self, run: Run) -> list[ProcRef]:
        """The live processes of a run, at a moment after this was called."""
        mine = self._next
        mine.runs[run.run_id] = run.main
        if run.cgroup:
            mine.groups[run.run_id] = run.cgroup
        async with self._lock:
            if mine.found is None:
                if self._next is mine:
                    self._next = _Pass()  # who asks from now on needs a later one
                mine.found = await looked(lambda: process_tree.census(mine.runs, mine.groups))
            return mine.found[run.run_id]


async def looked(look: Callable[[], T]) -> T:
    """What a look at /proc finds, made again for as long as there is no descriptor or memory for it."""
    while True:
        try:
            return await worker_threads.run(look)
        except OSError as error:
            if error.errno not in PASSING:
                raise
        await anyio.sleep(_SHORT_S)


async def ended(refs: Iterable[ProcRef]) -> None:
    """Wait until all of these processes have ended."""
    for ref in refs:
        try:
            fd = process_tree.pidfd(ref)
        except PidfdMissing:
            while process_tree.alive(ref):  # noqa: ASYNC110 - the kernel offers nothing to wait for
                await anyio.sleep(_POLL_S)
            continue
        if fd is None:
            continue
        try:
            await anyio.wait_readable(fd)
        finally:
            os.close(fd)


async def exit_without_link(run: Run) -> Exit:
    """Wait until the main process of a run has ended that no shim tells us about; how it ended, if that was noted."""
    if run.main is None:
        return run.dir.exit() or ExitUnknown()
    await ended((run.main,))
    if (facts := run.dir.started()) is None:
        return run.dir.exit() or ExitUnknown()
    # A shim may hold it all the same: it writes the exit file while the process is a zombie.
    with anyio.move_on_after(_SHIM_WRITES_S):
        while run.dir.exit() is None and process_tree.is_zombie_of(run.main, facts.shim_pid):  # noqa: ASYNC110
            await anyio.sleep(_POLL_S)
    return run.dir.exit() or ExitUnknown()


async def see_out(run: Run, roll_call: RollCall, main_exited: Callable[[], None]) -> tuple[Survivor, ...]:
    """Do what is asked of a run until nothing of it lives; returns what SIGKILL did not end.

    `main_exited` is called once if the main process of a service ends by itself while others of its tree live on.
    """
    told: set[ProcRef] = set()
    said = False
    all_ended = True
    give_up_at = math.inf
    while True:
        members = await roll_call.members(run)
        if not members and run.exit is not None:
            return ()
        patience_s = None
        before = run.asked, run.exit
        if run.asked is Asked.KILL or (run.exit is not None and run.kind is RunKind.READY):
            give_up_at = min(give_up_at, time.monotonic() + KILL_BOUND_S)
            if time.monotonic() >= give_up_at:
                return tuple(map(process_tree.survivor, members))
            if run.cgroup:
                cgroups.kill(run.cgroup)
            await worker_threads.run(process_tree.kill, members)
            patience_s = _KILL_ROUND_S
        elif run.asked is Asked.TERMINATE:
            # Each is told once: a second SIGTERM means "at once" to some. What appears while others still end may be
            # a command of a trap, which has to do its work; what is there after they ended is an orphan.
            if not told or all_ended:
                await worker_threads.run(process_tree.terminate, [ref for ref in members if ref not in told])
                told.update(members)
        elif run.exit is not None and not said:
            said = True
            main_exited()
        if (run.asked, run.exit) != before:
            all_ended = False
            continue  # while we waited for the thread
        all_ended = await _all_ended_or_changed(run, members, patience_s)


async def _all_ended_or_changed(run: Run, members: Sequence[ProcRef], patience_s: float | None) -> bool:
    """Wait until all members have ended or something about the run has changed; returns whether all have ended.

    No members: the main process has just ended, and its shim will say so.
    """
    all_ended = False
    changed = anyio.Event()
    run.wake = changed.set

    async def watch(scope: anyio.CancelScope) -> None:
        nonlocal all_ended
        await ended(members)
        all_ended = True
        scope.cancel()

    with anyio.move_on_after(patience_s) as scope:
        async with anyio.create_task_group() as tasks:
            if members:
                tasks.start_soon(watch, scope)
            await changed.wait()
            tasks.cancel_scope.cancel()
    return all_ended


async def sweep(
    runs_folder: str, groups: Callable[[], list[str]], shims: Sequence[int], grace_s: float
) -> tuple[Survivor, ...]:
    """End what any run left behind: SIGTERM, after `grace_s` SIGKILL; returns what lives all the same.

    `groups`: lists the control groups of runs; `shims`: the pids of the shims.
    """

    def left() -> list[ProcRef]:
        return process_tree.strays(runs_folder, groups(), shims)

    strays = await looked(left)
    await worker_threads.run(process_tree.terminate, strays)
    with anyio.move_on_after(grace_s):
        await ended(strays)
    give_up_at = time.monotonic() + KILL_BOUND_S
    while strays := await looked(left):
        if time.monotonic() >= give_up_at:
            break
        for group in groups():
            cgroups.kill(group)
        await worker_threads.run(process_tree.kill, strays)
        with anyio.move_on_after(_KILL_ROUND_S):
            await ended(strays)
    return tuple(map(process_tree.survivor, strays))


async def dissolve(group: str) -> None:
    """Remove a control group whose last process has just ended; for a moment the kernel may still hold it."""
    give_up_at = time.monotonic() + KILL_BOUND_S
    while not cgroups.remove(group) and not cgroups.populated(group) and time.monotonic() < give_up_at:  # noqa: ASYNC110
        await anyio.sleep(_POLL_S)


async def call(argv: Sequence[str], timeout_s: float) -> None:
    """Run a small program for its effect, for at most `timeout_s`; without effect if it cannot be run."""
    try:
        await child_process.run(argv, timeout_s)
    except OSError:  # TimeoutError is one
        pass  # if there is no such program, there is no container either
