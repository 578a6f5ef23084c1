"""The clocks of the machine."""

from __future__ import annotations

import time

from supervisor.model.moment import Instant, Now


def now() -> Now:
    """The present moment on the monotonic and the wall clock."""
    return Now(time.monotonic(), time.time())


def instant() -> Instant:
    """The present moment on the clock that suspends do not stop, and on the wall clock."""
    return Instant(time.clock_gettime(time.CLOCK_BOOTTIME), time.time())


def boot_id() -> str:
    """The kernel's id of this boot, within which monotonic times and process ids mean something; see random(4)."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()
