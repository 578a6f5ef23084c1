"""FIFOs whose shim is gone: the present shim pumps them, and reports when it has moved what was in them.

A shim pumps the FIFOs of the commands that it started. When it was killed, or the supervisor after it starts another
one, the new one is asked to pump every FIFO that still stands in a run directory, also those that daemons of ended
tasks write into. The end of a run waits until what its FIFO held is in its log, so that its last words are read there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import anyio

from supervisor.host.proc import worker_threads
from supervisor.host.runs.run import OUTPUT_BYTES, Run
from supervisor.host.runs.run_directory import RunDir
from supervisor.host.runs.spawn.shim_pool import ShimPool
from supervisor.model.errors import MachineError
from supervisor.shim.protocol import PumpRequest
from supervisor.shim.stream_name import names

LATEST_S = 2.0
"""How long the end of a run waits for its FIFO at most: another version's shim may have it, or a stopped one."""


class OrphanedFifos:
    """Which FIFOs another shim was asked to pump, until it has answered."""

    def __init__(self, shims: ShimPool, folder: Path, runs: Mapping[str, Run], limit_bytes: int) -> None:
        """`folder`: the one that holds all run directories; `runs`: the live ones; `limit_bytes`: of each log."""
        self._shims = shims
        self._folder = folder
        self._runs = runs
        self._limit_bytes = limit_bytes
        self._waiting: dict[str, anyio.Event] = {}
        """By stream."""

    def has_fifo(self, run_id: str) -> bool:
        """Whether a run has a FIFO."""
        return bool(self._streams(run_id))

    async def flush(self, run_id: str) -> None:
        """Have a run's FIFOs pumped from now on, and wait until what is in them now has been moved; for a while."""
        streams = self._streams(run_id)
        for name in streams:
            if name not in self._waiting:
                self._waiting[name] = anyio.Event()
                self._ask(name)
        with anyio.move_on_after(LATEST_S):
            for name in streams:
                if event := self._waiting.get(name):
                    await event.wait()
        for name in streams:
            self._waiting.pop(name, None)

    def keep(self, run_id: str) -> None:
        """An operation is over that no shim has reported: what is in its files now is its result, and stays."""
        for name in self._streams(run_id):
            self._ask(name)

    async def are_there(self) -> bool:
        """Whether any run has a FIFO."""
        return bool(await self._present())

    async def take_over_all(self) -> None:
        """Have all FIFOs pumped by the present shim, but those of commands that it has started."""
        for run_id in await self._present():
            run = self._runs.get(run_id)
            # Such a run may be over by now: the shim would look for its FIFO among what all processes have open.
            if run is None or run.shim is None or not self._shims.is_current(run.shim):
                for name in [one.name for one in run.streams] if run else self._streams(run_id):
                    self._ask(name)

    def done(self, name: str) -> None:
        """A shim has answered about a stream."""
        if (event := self._waiting.get(name)) is not None:
            event.set()

    def _streams(self, run_id: str) -> list[str]:
        """The streams of a run that have FIFOs."""
        return [name for name in names(run_id) if os.path.exists(RunDir(self._folder, name).fifo)]

    def _ask(self, name: str) -> None:
        directory = RunDir(self._folder, name)
        run = self._runs.get(directory.run_id)
        limit_bytes = run.log_limit_bytes(self._limit_bytes) if run else self._limit_bytes
        head_bytes, held = 0, run is not None and run.has_held_fifo
        if name != directory.run_id:
            # The result of an operation that is over is all that is there now.
            is_over = run is None or run.exit is not None
            limit_bytes, head_bytes = OUTPUT_BYTES, max(OUTPUT_BYTES, _size(directory.log) if is_over else 0)
        request = PumpRequest(name, directory.fifo, directory.log, limit_bytes, held, head_bytes)
        try:
            self._shims.current().pump(request)
        except MachineError:
            self.done(name)  # there is no shim: the next one is asked for all

    async def _present(self) -> set[str]:
        """The runs that have a FIFO; that of a live one may have lost its name."""
        live = {run_id for run_id, run in self._runs.items() if run.is_pumped and run.main is not None}
        return live.union(await worker_threads.run(self._named))

    def _named(self) -> list[str]:
        try:
            return [name for name in os.listdir(self._folder) if self.has_fifo(name)]
        except OSError:
            return []  # the state directory was removed, and is made again in a moment


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0
