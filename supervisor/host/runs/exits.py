"""How it is learned that a command has ended, and what its exit means for the run.

| the run | its exit is learned from |
|---|---|
| is held by a shim | that shim's `CommandExited` |
| was held by a shim that is gone | a pidfd of its main process, then the journal of facts: the shim wrote it there |
| ended while no supervisor was there | the journal of facts, or a shim that could not write there |

What happens then depends on what the run is for (see `machine`). The functions here decide; nothing is waited for.
"""

from __future__ import annotations

import os
import signal
import stat

from supervisor.host.proc import process
from supervisor.host.proc.process import ProcRef
from supervisor.host.runs.run import Asked, Run
from supervisor.lean.frozen import replace
from supervisor.lean.late import late
from supervisor.lean.typing import TYPE_CHECKING
from supervisor.model.action import RunKind
from supervisor.model.exit import SUCCESS, Exit, ExitCode, ExitSignal
from supervisor.model.fact import Exited
from supervisor.shim.protocol import ExitStatus, RunsListed

if TYPE_CHECKING:
    from supervisor.host.proc.kernel_log import KernelLog
    from supervisor.host.runs import log_file
else:
    log_file = late("supervisor.host.runs.log_file")


TAIL_LINES, TAIL_BYTES = 20, 4096
KILLED = (ExitSignal(signal.SIGKILL), ExitCode(128 + signal.SIGKILL))


def exit_of(status: ExitStatus) -> Exit:
    """An exit as the core knows it."""
    return ExitSignal(status.number) if status.by_signal else ExitCode(status.number)


def noted_exit(run: Run, held: RunsListed) -> Exit | None:
    """How a run ended, as its facts or an earlier shim have it; None: it has not ended, or nobody saw how."""
    if run.noted_exit is not None:
        return run.noted_exit
    status = held.ended.get(run.run_id)
    return None if status is None else exit_of(status)


def is_unexplained(run: Run, end: Exit) -> bool:
    """Whether the main process was killed, and not by us: it may have run out of memory."""
    return end in KILLED and run.asked is not Asked.KILL


def has_ended(run: Run) -> bool:
    """Whether the main process of a run that has begun has ended, although that is not reported yet."""
    return run.main is not None and not process.alive(run.main)


def is_over(run: Run) -> bool:
    """Whether a run is over although others of its process tree may live: people start daemons in tasks."""
    ends_with_main = run.kind in (RunKind.TASK, RunKind.STOP, RunKind.OPERATION)
    return ends_with_main and run.asked is Asked.NOTHING


def last_lines(run: Run) -> str:
    """The last lines of the log of a run that did not succeed, or that was not to end by itself."""
    if (run.exit == SUCCESS and run.kind is not RunKind.START) or run.is_operation:
        return ""  # whoever reads the result of an operation reads its files
    try:
        status = os.lstat(run.log)
        if status.st_size == 0 and stat.S_ISREG(status.st_mode):
            return ""  # as of most services that are stopped: a search takes ten times as long
        return log_file.tail(run.log, TAIL_LINES, TAIL_BYTES)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"supervisor: the log cannot be read: {error.strerror}"


def with_result(fact: Exited, run: Run) -> Exited:
    """The fact that an operation is over, with how many bytes it has written."""
    # What its shell left behind when it was not asked to end does not count, so the shim's word comes first.
    known = run.written if run.asked is Asked.NOTHING else ()
    out, err = known if len(known) == 2 else (_size(stream.log) for stream in run.streams)
    lost = run.lost if len(run.lost) == 2 else (0, 0)
    return replace(fact, written=(out, err), lost=lost, unasked=run.ended_unasked)


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0


class KillExplainer:
    """Finds out why a process was killed."""

    def __init__(self) -> None:
        self._kernel_log: KernelLog | None = None

    async def explain(self, end: Exit, main: ProcRef | None, log: str) -> Exit:
        """The exit with its cause, if that is known. It is looked for in a thread."""
        from supervisor.host.proc import worker_threads
        from supervisor.host.proc.kernel_log import KernelLog
        from supervisor.host.runs.kill_cause import with_cause

        self._kernel_log = self._kernel_log or KernelLog()
        return await worker_threads.run(with_cause, end, main, log, self._kernel_log)

    def close(self) -> None:
        """Close the kernel's log."""
        if self._kernel_log:
            self._kernel_log.close()
