"""Why a process was killed that nobody asked to be: what the kernel's log says of it."""

from __future__ import annotations

import re

from supervisor.host.proc.kernel_log import KernelLog
from supervisor.host.proc.process import ProcRef
from supervisor.host.runs import log_file
from supervisor.host.runs.exits import KILLED, TAIL_BYTES, TAIL_LINES
from supervisor.model.exit import Exit, ExitCode, ExitSignal

_REPORTED = re.compile(r": +(\d+) +\S")
"""A line of a shell whose command was killed."""
_KILLED = re.compile(r"^Killed *$", re.MULTILINE)
"""The line of a shell that does not say which process it was: dash and busybox."""


def with_cause(end: Exit, main: ProcRef | None, log: str, kernel_log: KernelLog) -> Exit:
    """`end`, the exit of a run's main process, with its cause if that was want of memory. `log`: the log's path.

    | its main process | it ran out of memory if the kernel names |
    |---|---|
    | was killed by SIGKILL | the main process |
    | exited 137 | a process that a shell's last word in the log reports: `script.sh: line 3: 1234 Killed  node` |
    | exited 137, and its shell only says `Killed` | as many processes as were reported like that |
    """
    if end not in KILLED or main is None:
        return end
    victims = kernel_log.victims(since=main)
    match end:
        case ExitSignal(number) if main.pid in victims:
            return ExitSignal(number, out_of_memory=True)
        case ExitCode(code) if victims and _is_reported(log, victims):
            return ExitCode(code, out_of_memory=True)
        case _:
            return end


def _is_reported(log: str, victims: set[int]) -> bool:
    """Whether what a shell has last reported as killed, in the last lines of a log, is one of the victims."""
    try:
        lines = log_file.tail(log, TAIL_LINES, TAIL_BYTES)
    except OSError:
        return False
    if reported := _REPORTED.findall(lines):
        return int(reported[-1]) in victims
    return 0 < len(_KILLED.findall(lines)) <= len(victims)
