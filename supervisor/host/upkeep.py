"""What live runs need now and then: their logs kept within the limit, their outputs read."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import anyio
import anyio.to_thread

from supervisor.host.run import Run
from supervisor.model.action import RunKind
from supervisor.model.fact import OutputRead

INTERVAL_S = 1.0


async def look_after(runs: Mapping[str, Run], limit_bytes: int, post: Callable[[OutputRead], None]) -> None:
    """Look at all runs once; costs two stats for one that wrote nothing since the last look."""
    for run in list(runs.values()):
        size = _stat(run.dir.log)[0]
        if size != run.log_size and size > limit_bytes:
            # Giving back the blocks of a large log may take its time.
            await anyio.to_thread.run_sync(_enforce, run.dir.log, limit_bytes)
        run.log_size = size
        if run.kind in (RunKind.START, RunKind.TASK) and run.run_id in runs:
            changed = _stat(run.dir.output(run.kind, run.reference))
            if changed != run.output_seen:
                run.output_seen = changed
                values = output(run, final=False)
                if values != run.output:
                    run.output = values
                    post(OutputRead(run.run_id, values))


def output(run: Run, final: bool) -> dict[str, str]:
    """The run's outputs as they are now. Each complaint about one is noted in the log, once."""
    from supervisor.host.outputs import read_output

    values, complaints = read_output(run.dir.output(run.kind, run.reference), final)
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


def _stat(path: str) -> tuple[int, int]:
    """Size and time of change; nothing for a file that is not there."""
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns
