"""How runs end: waiting for whole process trees, and making them end.

`tree_ending` decides; the coroutines here carry that out. Nothing blocks the event loop. A worker thread reads /proc,
in one pass for all runs that wait for one; the end of a process is waited for by pidfd, one descriptor at a time for
each run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, assert_never

import anyio

from supervisor.host.proc import (
    cgroups,
    child_process,
    process,
    process_signals,
    process_tree,
    worker_threads,
)
from supervisor.host.proc.process import PidfdMissing, ProcRef
from supervisor.host.proc.process_tree import Members
from supervisor.host.runs.exits import last_lines
from supervisor.host.runs.outlets import FactBuffer
from supervisor.host.runs.run import Run
from supervisor.host.runs.tree_ending import (
    KILL_BOUND_S,
    AwaitChange,
    KillTree,
    ReportMainExit,
    TerminateProcesses,
    TreeEnded,
    TreeEnding,
)
from supervisor.model.errors import TRANSIENT_ERRNOS
from supervisor.model.exit import Exit, ExitUnknown
from supervisor.model.fact import MainExited, Survivor

_KILL_ROUND_S = 0.2
_POLL_S = 0.05
"""How often to look for a process where the kernel has no pidfds."""
_SHORT_S = 0.2
"""How long to wait for what the machine is short of."""
_SHIM_WRITES_S = 1.0
"""How long a shim that we are not connected to may take from a command's end to its exit file."""


T = TypeVar("T")


async def see_out(run: Run, census: SharedCensus, facts: FactBuffer) -> tuple[Survivor, ...]:
    """Do what is asked of a run until nothing of it lives; returns what SIGKILL did not end.

    Posts `MainExited` if the main process of a service ends by itself while others of its tree live on.
    """
    ending = TreeEnding(run.kind)
    all_ended = True
    while True:
        members = await census.members(run)
        before = run.asked, run.exit
        patience_s = None
        match ending.next(members, run.asked, run.exit, time.monotonic(), all_ended=all_ended):
            case TreeEnded(survivors):
                return tuple(map(process.survivor, survivors))
            case KillTree(processes):
                if run.cgroup:
                    cgroups.kill(run.cgroup)
                await worker_threads.run(process_signals.kill, processes)
                patience_s = _KILL_ROUND_S
            case TerminateProcesses(processes):
                await worker_threads.run(process_signals.terminate, processes)
            case ReportMainExit():
                assert run.exit is not None
                facts.post(MainExited(run.run_id, run.exit, last_lines(run)))
            case AwaitChange():
                pass
            case step:
                assert_never(step)
        if (run.asked, run.exit) != before:
            all_ended = False
            continue  # while we waited for the thread
        all_ended = await _all_ended_or_changed(run, members, patience_s)


async def _all_ended_or_changed(run: Run, members: Sequence[ProcRef], patience_s: float | None) -> bool:
    """Wait until all members have ended or something about the run has changed; returns whether all have ended.

    No members: the main process has just ended, and its shim will say so.
    """
    all_ended = False
    run.changed = changed = anyio.Event()

    async def watch(scope: anyio.CancelScope) -> None:
        nonlocal all_ended
        await wait_for_end(members)
        all_ended = True
        scope.cancel()

    with anyio.move_on_after(patience_s) as scope:
        async with anyio.create_task_group() as tasks:
            if members:
                tasks.start_soon(watch, scope)
            await changed.wait()
            tasks.cancel_scope.cancel()
    return all_ended


# Which processes live, and their ends ---------------------------------------------------------------------------------


@dataclass(slots=True)
class _Pass:
    """Which runs wait for a pass over /proc, and what it found once it was made."""

    runs: dict[str, ProcRef | None] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    found: Members | None = None


class SharedCensus:
    """The processes of runs. Runs that ask while a pass over /proc is under way share the next one."""

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
                    self._next = _Pass()  # a run that asks from now on needs a later one
                mine.found = await when_possible(lambda: process_tree.census(mine.runs, mine.groups))
            return mine.found[run.run_id]


async def when_possible(look: Callable[[], T]) -> T:
    """Call `look` in a thread, and again for as long as it fails for want of a descriptor or memory."""
    while True:
        try:
            return await worker_threads.run(look)
        except OSError as error:
            if error.errno not in TRANSIENT_ERRNOS:
                raise
        await anyio.sleep(_SHORT_S)


async def wait_for_end(refs: Iterable[ProcRef]) -> None:
    """Wait until all of these processes have ended."""
    for ref in refs:
        try:
            fd = process.pidfd(ref)
        except PidfdMissing:
            while process.alive(ref):  # noqa: ASYNC110 - the kernel offers nothing to wait for
                await anyio.sleep(_POLL_S)
            continue
        if fd is None:
            continue
        try:
            await anyio.wait_readable(fd)
        finally:
            os.close(fd)


async def exit_without_shim(run: Run) -> Exit:
    """Wait until the main process of a run has ended that no shim reports; returns how it ended, if that was noted."""
    if run.main is None:
        return run.dir.exit() or ExitUnknown()
    await wait_for_end((run.main,))
    if (facts := run.dir.started()) is None:
        return run.dir.exit() or ExitUnknown()
    # A shim that we are not connected to may hold it: that one writes the exit file while the process is a zombie.
    with anyio.move_on_after(_SHIM_WRITES_S):
        while run.dir.exit() is None and process.is_zombie_of(run.main, facts.shim_pid):  # noqa: ASYNC110
            await anyio.sleep(_POLL_S)
    return run.dir.exit() or ExitUnknown()


# What is left at the end ----------------------------------------------------------------------------------------------


async def sweep(
    runs_folder: str, groups: Callable[[], list[str]], shims: Sequence[int], keeper: int, grace_s: float
) -> tuple[Survivor, ...]:
    """End what any run left behind: SIGTERM, after `grace_s` SIGKILL; returns what SIGKILL did not end.

    `groups`: lists the control groups of runs; `shims`: the pids of the shims; `keeper`: that of the process which
    holds their FIFOs, and ends by itself.
    """

    def left() -> list[ProcRef]:
        return process_tree.strays(runs_folder, groups(), shims, (keeper,))

    strays = await when_possible(left)
    await worker_threads.run(process_signals.terminate, strays)
    with anyio.move_on_after(grace_s):
        await wait_for_end(strays)
    give_up_at = time.monotonic() + KILL_BOUND_S
    while strays := await when_possible(left):
        if time.monotonic() >= give_up_at:
            break
        for group in groups():
            cgroups.kill(group)
        await worker_threads.run(process_signals.kill, strays)
        with anyio.move_on_after(_KILL_ROUND_S):
            await wait_for_end(strays)
    return tuple(map(process.survivor, strays))


async def dissolve(group: str) -> None:
    """Remove a control group whose last process has just ended; the kernel may hold it for a moment longer."""
    give_up_at = time.monotonic() + KILL_BOUND_S
    while not cgroups.remove(group) and not cgroups.populated(group) and time.monotonic() < give_up_at:  # noqa: ASYNC110
        await anyio.sleep(_POLL_S)


async def call(argv: Sequence[str], timeout_s: float) -> None:
    """Run a small program for its effect, for at most `timeout_s`; without effect if it cannot be run."""
    try:
        await child_process.run(argv, timeout_s)
    except OSError:  # TimeoutError is one
        pass  # if there is no such program, there is no container either
