"""Does what signals ask for, once there is an event loop. `host.proc.signals` has the table of their meanings.

SIGQUIT writes where every thread and task of the supervisor is just now into a file, for people who ask why it hangs.
faulthandler writes the main thread, where the loop is, from within the signal's handler: also when the loop stands
still, which is when people ask. The other threads and the tasks follow when the loop comes to it: they go on while a
handler runs, and to read the frames of a thread that goes on can end the process.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import assert_never

from supervisor.boot.automations.automations_file import Automations
from supervisor.boot.lifecycle import Lifecycle
from supervisor.boot.report import Report
from supervisor.boot.service_manager import summary
from supervisor.engine import Engine
from supervisor.host.proc import signals
from supervisor.host.proc.signals import Meaning
from supervisor.hub import contained
from supervisor.shim import syscalls
from supervisor.shim.regular_file import open_regular

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT


class SignalWatch:
    """Heeds the signals of one supervisor."""

    def __init__(
        self,
        held: signals.PendingSignals,
        lifecycle: Lifecycle,
        engine: Engine,
        automations: Automations,
        report: Report,
        stacks: Path,
    ) -> None:
        """`held`: what `signals.hold` gave; `stacks`: the file for stacks."""
        self._held = held
        self._lifecycle = lifecycle
        self._engine = engine
        self._automations = automations
        self._report = report
        self._stacks = stacks

    async def run(self) -> None:
        """Heed signals until cancelled."""
        # The handlers that have noted them so far stay. In the moment in which the loop's own would take their place, a
        # signal could come through both, and a second one means to kill.
        arrived = asyncio.Event()
        held, lifecycle = self._held, self._lifecycle
        held.arrived = partial(asyncio.get_running_loop().call_soon_threadsafe, arrived.set)
        try:
            with stacks_on_signal(self._stacks):
                for number in [held.pop(0) for _ in held[:]]:
                    signal.raise_signal(number)  # to have the stacks written, too
                while True:
                    arrived.clear()
                    while held:
                        self._heed(held.pop(0))
                    await arrived.wait()
        finally:
            held.arrived = int
            held[:0] = lifecycle.late
            lifecycle.late = held

    def _heed(self, number: int) -> None:
        match signals.MEANINGS[number]:
            case _ if self._lifecycle.is_upgrading:
                self._lifecycle.late.append(number)  # the new program heeds it
            case Meaning.DRAIN | Meaning.KILL as meaning:
                self._lifecycle.end_by_signal(number, meaning is Meaning.KILL)
            case Meaning.RELOAD:
                contained("reading the file again", self._automations.order)
            case Meaning.STATUS:
                self._report.notice(summary(self._engine.world.records))
            case Meaning.STACKS:
                self._report.notice(add_tasks(self._stacks))
            case Meaning.NOTHING:
                pass
            case never:
                assert_never(never)


@contextmanager
def stacks_on_signal(path: Path, number: int = signal.SIGQUIT) -> Iterator[None]:
    """Have the signal write the main thread's stack to the end of `path`, before its present handler is called."""
    try:
        fd = open_regular(path, _FLAGS)
    except OSError:
        yield  # no room, or not a regular file: `add_tasks` says so
        return
    try:
        faulthandler.register(number, fd, all_threads=False, chain=True)
        syscalls.leave_alternate_stack()
        yield
    finally:
        faulthandler.unregister(number)
        os.close(fd)


def add_tasks(path: Path) -> str:
    """Write the stacks of all threads and tasks to the end of `path`. Returns a sentence that says where."""
    tasks = asyncio.all_tasks()
    threads = sys._current_frames()
    try:
        with open(open_regular(path, _FLAGS), "a", encoding="utf-8") as file:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            print(f"\n{len(tasks)} tasks at {stamp}, pid {os.getpid()}, Python {sys.version}\n", file=file)
            for thread, frame in threads.items():
                print(f"Thread {thread:#x} (most recent call last):", file=file)
                traceback.print_stack(frame, file=file)
            for task in tasks:
                task.print_stack(file=file)
    except OSError as error:
        return f"cannot write the stacks to {path}: {error.strerror}"
    return f"the stacks of all threads and tasks are in {path}"
