"""Whether the kernel killed a process of a run because memory had run out.

Only what the kernel says counts: its log names every process that it kills for want of memory, /dev/kmsg. Of a run

| its main process | it ran out of memory if the kernel names |
|---|---|
| was killed by SIGKILL | the main process |
| exited 137 | a process that the shell reported as killed in the run's log: `script.sh: line 3: 1234 Killed  node` |

Where we may not read that log, or see other pids than the kernel (a PID namespace), nothing is claimed.
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time

from supervisor.host.proc.process_tree import ProcRef
from supervisor.host.runs import log_file
from supervisor.model.exit import Exit, ExitCode, ExitSignal

_FIRST_PID_NAMESPACE = 0xEFFFFFFC  # PROC_PID_INIT_INO of linux/proc_ns.h
_RECORD_BYTES = 8192  # a record that does not fit would be an error: CONSOLE_EXT_LOG_MAX of linux/printk.h
_MOST_RECORDS = 50_000
"""At one look: whoever may write to the kernel's log could do it as fast as we read."""
_VICTIM = re.compile(
    rb"^\d+,\d+,(\d+),[^;]*;(?:oom-kill:.*\bpid=|.*[Oo]ut of memory.*: Killed process )(\d+)"
)
_REPORTED_BY_A_SHELL = re.compile(r": +(\d+) +\S")
_SLACK_S = 1.0
"""Between the clock of the kernel's log and that of process starts."""
_KILLED = (ExitSignal(signal.SIGKILL), ExitCode(128 + signal.SIGKILL))


class KernelLog:
    """Reads on in the kernel's log; from its beginning at the first look, which takes milliseconds: use a thread."""

    def __init__(self, path: str = "/dev/kmsg") -> None:
        self._path = path
        self._fd = -1
        self._victims: dict[int, float] = {}
        self._lock = threading.Lock()

    def cause(self, end: Exit, main: ProcRef | None, log: str) -> Exit:
        """`end`, the exit of a run's main process, with its cause if that was want of memory. `log`: the log's path."""
        if end not in _KILLED or main is None:
            return end
        with self._lock:
            self._read_on()
        since_s = main.start_ticks / os.sysconf("SC_CLK_TCK") - _SLACK_S
        victims = {pid for pid, at_s in self._victims.items() if at_s >= since_s}
        match end:
            case ExitSignal(number) if main.pid in victims:
                return ExitSignal(number, out_of_memory=True)
            case ExitCode(code) if _reported(log) in victims:
                return ExitCode(code, out_of_memory=True)
            case _:
                return end

    def close(self) -> None:
        """Let go of the log."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _read_on(self) -> None:
        """Take in what is new. Nothing if we may not."""
        try:
            if os.stat("/proc/self/ns/pid").st_ino != _FIRST_PID_NAMESPACE:
                return
            if self._fd < 0:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return
        # The log's clock stands still while the machine sleeps; the one of process starts does not.
        asleep_s = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
        for _ in range(_MOST_RECORDS):
            try:
                record = os.read(self._fd, _RECORD_BYTES)
            except BrokenPipeError:
                continue  # records were overwritten before we came to them
            except OSError:
                return  # EAGAIN: that was all
            if not record:
                return
            if named := _VICTIM.match(record):
                self._victims[int(named[2])] = int(named[1]) / 1e6 + asleep_s


def _reported(log: str) -> int | None:
    """The pid that a shell has last said was killed, in the last lines of a log."""
    try:
        said = _REPORTED_BY_A_SHELL.findall(log_file.tail(log, 20, 4096))
    except OSError:
        return None
    return int(said[-1]) if said else None
