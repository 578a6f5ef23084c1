"""The processes that the kernel killed because memory ran out: its log names each of them, /dev/kmsg.

If we may not read that log, or if our pids are not the kernel's (a PID namespace), there are none.
"""

from __future__ import annotations

import os
import re
import threading

from supervisor.host.proc import clock
from supervisor.host.proc.process import ProcRef

_FIRST_PID_NAMESPACE = 0xEFFFFFFC  # PROC_PID_INIT_INO of linux/proc_ns.h
_RECORD_BYTES = 8192  # a record that does not fit would be an error: CONSOLE_EXT_LOG_MAX of linux/printk.h
_MOST_RECORDS = 50_000
"""In one look: a process that may write to the kernel's log could do it as fast as we read."""
_VICTIM = re.compile(
    rb"^\d+,\d+,(\d+),[^;]*;(?:oom-kill:.*\bpid=|.*[Oo]ut of memory.*: Killed process )(\d+)"
)
_SLACK_S = 1.0
"""Between the clock of the kernel's log and that of process starts."""


class KernelLog:
    """Reads the kernel's log, each time the new records. The first time takes milliseconds: use a thread."""

    def __init__(self, path: str = "/dev/kmsg") -> None:
        self._path = path
        self._fd = -1
        self._victims: dict[int, float] = {}
        self._lock = threading.Lock()

    def victims(self, since: ProcRef) -> set[int]:
        """The pids that the kernel has killed for want of memory since a process began."""
        with self._lock:
            self._read_on()
        since_s = since.start_ticks / os.sysconf("SC_CLK_TCK") - _SLACK_S
        return {pid for pid, at_s in self._victims.items() if at_s >= since_s}

    def close(self) -> None:
        """Close the log."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _read_on(self) -> None:
        """Read the new records. Does nothing if we may not."""
        try:
            if os.stat("/proc/self/ns/pid").st_ino != _FIRST_PID_NAMESPACE:
                return
            if self._fd < 0:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return
        # The log's clock stands still while the machine sleeps; the one of process starts does not.
        asleep_s = clock.ahead_s()
        for _ in range(_MOST_RECORDS):
            try:
                record = os.read(self._fd, _RECORD_BYTES)
            except BrokenPipeError:
                continue  # the kernel has overwritten records that we had not read
            except OSError:
                return  # EAGAIN: there are no more
            if not record:
                return
            if named := _VICTIM.match(record):
                self._victims[int(named[2])] = int(named[1]) / 1e6 + asleep_s
