"""The clocks of the machine."""

from __future__ import annotations

import time

from supervisor.model.errors import MachineError
from supervisor.model.moment import Instant, Now


def now() -> Now:
    """The present moment on the monotonic and the wall clock."""
    return Now(time.monotonic(), time.time())


def instant() -> Instant:
    """The present moment on the clock that suspends do not stop, and on the wall clock."""
    return Instant(time.clock_gettime(time.CLOCK_BOOTTIME), time.time())


def ahead_s() -> float:
    """How long the machine was suspended since it was booted: CLOCK_BOOTTIME less CLOCK_MONOTONIC, in seconds."""
    while True:
        before_s = time.monotonic()
        boot_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        # If this process is stopped between the two readings, that is not a suspend.
        if time.monotonic() - before_s < 1.0:
            return boot_s - before_s


def boot_id() -> str:
    """The kernel's id of this boot, within which monotonic times and process ids mean something; see random(4).

    Raises MachineError where /proc is not mounted: an entrypoint may start before any mount.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:
            return file.read().strip()
    except OSError as error:
        raise MachineError(
            f"cannot read /proc/sys/kernel/random/boot_id: {error.strerror}; is /proc mounted? The supervisor needs it"
        ) from error
