"""What live runs need now and then: their logs kept within the limit, their outputs read."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import anyio
import anyio.to_thread

from supervisor.host.run import Run
from supervisor.model.fact import OutputRead

INTERVAL_S = 1.0
QUIET_INTERVAL_S = 2.0
"""The interval while no run writes anything."""


async def look_after(runs: Mapping[str, Run], limit_bytes: int, post: Callable[[OutputRead], None]) -> float:
    """Look at all runs once; costs two stats, 4 microseconds, for one that wrote nothing since the last look.

    Returns the seconds until the next look.
    """
    quiet = True
    for run in list(runs.values()):
        if _look(run.log)[0] != run.log_size:
            quiet = False
            await trim(run, limit_bytes)
        if run.output_file is not None and run.run_id in runs:
            seen = _look(run.output_file)
            if seen != run.output_seen:
                quiet = False
                run.output_seen = seen
                _tell(run, post)
    return QUIET_INTERVAL_S if quiet else INTERVAL_S


def is_over_limit(run: Run, limit_bytes: int) -> bool:
    """Whether a run's log has grown, and past its limit, since `trim` was last called."""
    size = _look(run.log)[0]
    return size != run.log_size and size > limit_bytes


async def trim(run: Run, limit_bytes: int) -> None:
    """Keep a run's log within its limit; also once after its end, for what came since the last look."""
    size = _look(run.log)[0]
    if size != run.log_size and size > limit_bytes:
        # To give back a gigabyte of blocks takes the kernel 150 ms.
        await anyio.to_thread.run_sync(_enforce, run.log, limit_bytes)
    run.log_size = size


def _tell(run: Run, post: Callable[[OutputRead], None]) -> None:
    values = output(run, final=False)
    if values != run.output:
        run.output = values
        post(OutputRead(run.run_id, values))


def output(run: Run, final: bool) -> dict[str, str]:
    """The run's outputs as they are now. Each complaint about one is noted in the log, once."""
    from supervisor.host.outputs import read_output

    if run.output_file is None:
        return {}
    values, complaints = read_output(run.output_file, final)
    for complaint in complaints:
        if complaint not in run.complaints:
            run.complaints.add(complaint)
            run.dir.note(complaint)
    return values


def _enforce(path: str, limit_bytes: int) -> None:
    from supervisor.host.logs import enforce_limit

    try:
        enforce_limit(path, limit_bytes)
    except OSError:
        pass  # tried again when the log has grown


def _look(path: str) -> tuple[int, int]:
    """Size and time of change; nothing for a file that is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns
