"""How processes end that no shim tells of: waiting for them, and making them end.

The trees of runs are ended by `endings`. Nothing here blocks the event loop: a worker thread reads /proc, and the end
of a process is waited for by pidfd.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import anyio

from supervisor.host.proc import (
    cgroups,
    child_process,
    process,
    process_signals,
    process_tree,
    worker_threads,
)
from supervisor.host.proc.cgroups import Cgroups
from supervisor.host.proc.process import PidfdMissing, ProcRef
from supervisor.host.runs.run import Run
from supervisor.host.runs.run_directory import RunDir
from supervisor.host.runs.tree_ending import KILL_BOUND_S, KILL_ROUND_S
from supervisor.model.errors import TRANSIENT_ERRNOS
from supervisor.model.exit import Exit, ExitUnknown
from supervisor.model.fact import Survivor

POLL_S = 0.05
"""How often to look for a process where the kernel has no pidfds."""
_CONTAINER_S = 10.0
"""How long the container engine may take to end a container."""
_SHORT_S = 0.2
"""How long to wait for what the machine is short of."""
_SHIM_WRITES_S = 1.0
"""How long a shim that we are not connected to may take from a command's end to writing that down."""


T = TypeVar("T")


# Which processes live, and their ends ---------------------------------------------------------------------------------


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
                await anyio.sleep(POLL_S)
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
        return (await worker_threads.run(run.dir.facts)).exit or ExitUnknown()
    await wait_for_end((run.main,))
    facts = await worker_threads.run(run.dir.facts)
    # A shim that we are not connected to may hold it: that one writes its end down while the process is a zombie.
    with anyio.move_on_after(_SHIM_WRITES_S):
        while facts.exit is None and facts.started and process.is_zombie_of(run.main, facts.started.shim_pid):
            await anyio.sleep(POLL_S)
            facts = await worker_threads.run(run.dir.facts)
    # The last look may have been a moment before it was written and reaped.
    return facts.exit or (await worker_threads.run(run.dir.facts)).exit or ExitUnknown()


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
    if not strays:
        return ()
    await worker_threads.run(process_signals.terminate, strays)
    with anyio.move_on_after(grace_s):
        await wait_for_end(strays)
    return await kill_all(left, groups)


async def kill_all(
    look: Callable[[], Sequence[ProcRef]], groups: Callable[[], list[str]] = list
) -> tuple[Survivor, ...]:
    """Kill what `look` finds until that is nothing; returns what SIGKILL did not end. `groups`: as for `sweep`."""
    give_up_at = time.monotonic() + KILL_BOUND_S
    while left := await when_possible(look):
        if time.monotonic() >= give_up_at:
            break
        for group in groups():
            cgroups.kill(group)
        await worker_threads.run(process_signals.kill, left)
        with anyio.move_on_after(KILL_ROUND_S):
            await wait_for_end(left)
    return tuple(map(process.survivor, left))


async def in_thread(call: Callable[[], T]) -> T:
    """Call in a thread, which the event loop does not wait for."""
    return await worker_threads.run(call)


async def remove(run_ids: Iterable[str], folder: Path, groups: Cgroups | None) -> None:
    """Remove what is left of runs. `folder`: the one that holds all run directories."""

    def remove_all() -> None:
        for run_id in run_ids:
            RunDir(folder, run_id).remove()
            if groups:
                groups.discard(run_id)  # daemons may have lived on in it

    await worker_threads.run(remove_all)


async def dissolve(group: str) -> None:
    """Remove a control group whose last process has just ended; the kernel may hold it for a moment longer."""
    give_up_at = time.monotonic() + KILL_BOUND_S
    while not cgroups.remove(group) and not cgroups.populated(group) and time.monotonic() < give_up_at:  # noqa: ASYNC110
        await anyio.sleep(POLL_S)


async def remove_container(run_id: str) -> None:
    """Remove a run's container, which outlives the client that started it; without effect where there is none."""
    from supervisor.host.runs.spawn.containers import docker_kill_argv

    try:
        await child_process.run(docker_kill_argv(run_id), _CONTAINER_S)
    except OSError:  # TimeoutError is one
        pass  # if there is no such program, there is no container either
