"""Runs a small program that the supervisor itself needs, to its end.

A worker thread waits for it: up to Python 3.11, asyncio would start a thread for each program.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

import anyio

from supervisor.host.proc import worker_threads
from supervisor.model.errors import TRANSIENT_ERRNOS

_PAUSE_S = 0.25


@dataclass(frozen=True, slots=True)
class Done:
    """How the program ended."""

    status: int
    """The exit status, negative for a signal."""
    output: bytes
    """What it printed on both outputs."""


async def run(argv: Sequence[str], timeout_s: float, env: Mapping[str, str] | None = None) -> Done:
    """Run a program, and kill it on cancellation. While the machine is short of something, try again until the timeout.

    `env`: its environment; None: ours. Raises OSError if the program cannot be run, TimeoutError.
    """
    child = _Child(argv, time.monotonic() + timeout_s, env)
    done: list[Done] = []

    async def wait() -> None:
        done.append(await worker_threads.run(child.run))
        group.cancel_scope.cancel()

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            try:
                await anyio.sleep_forever()
            finally:
                child.kill()
    except* (OSError, TimeoutError) as errors:
        raise errors.exceptions[0] from None
    return done[0]


@dataclass(slots=True)
class _Child:
    argv: Sequence[str]
    until: float
    env: Mapping[str, str] | None
    process: subprocess.Popen[bytes] | None = None
    unwanted: bool = False
    lock: Lock = field(default_factory=Lock)

    def run(self) -> Done:
        with self._started() as process:
            try:
                output, _ = process.communicate(timeout=max(0.0, self.until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                raise TimeoutError from None
            return Done(process.returncode, output)

    def kill(self) -> None:
        with self.lock:
            self.unwanted = True
            if self.process is not None:
                self.process.kill()

    def _started(self) -> subprocess.Popen[bytes]:
        while True:
            with self.lock:
                if self.unwanted:
                    raise TimeoutError
                try:
                    self.process = subprocess.Popen(
                        self.argv,
                        env=self.env,
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT,
                    )
                    return self.process
                except OSError as error:
                    if error.errno not in TRANSIENT_ERRNOS or time.monotonic() + _PAUSE_S > self.until:
                        raise
            time.sleep(_PAUSE_S)
