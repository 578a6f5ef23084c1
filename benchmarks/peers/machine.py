"""What the machine is, and how much of it others take meanwhile."""

from __future__ import annotations

import fcntl
import os
import platform
import resource
import struct
import time
from collections.abc import Callable
from pathlib import Path

_GET_FLAGS, _SET_FLAGS = 0x80086601, 0x40086602  # FS_IOC_GETFLAGS, FS_IOC_SETFLAGS of linux/fs.h
_TOPDIR_FL = 0x00020000


def described(folder: Path) -> str:
    """One line: cores, processor, memory, kernel, Python, and the file system of a folder."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "?")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    kind = file_system(folder, Path("/proc/self/mountinfo").read_text())
    return (
        f"{os.cpu_count()} cores ({model}), {memory:.0f} GB, Linux {platform.release()}, "
        f"Python {platform.python_version()}, {kind}"
    )


def file_system(folder: Path, mounts: str) -> str:
    """The kind of file system that a folder is on, from the text of /proc/self/mountinfo."""
    found = (0, "?")
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        place = before.split()[4]
        if folder.resolve().is_relative_to(place):
            found = max(found, (len(place), after.split()[0]))
    return found[1]


def spread(folder: Path) -> None:
    """Have each folder that is made in this one begin in another block group, where the file system knows of such.

    ext4 looks past every inode of a group that was deleted in the last minute, or five, whenever it makes one. So what
    one turn has deleted would cost the next one time; what it deletes itself goes on to cost it what it costs a user.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        flags = bytearray(8)
        fcntl.ioctl(fd, _GET_FLAGS, flags)
        wanted = struct.unpack("i", flags[:4])[0] | _TOPDIR_FL
        fcntl.ioctl(fd, _SET_FLAGS, struct.pack("ii", wanted, 0))
    except OSError:
        pass  # tmpfs, overlay: there are no block groups
    finally:
        os.close(fd)


class Others:
    """What of the machine was used by nobody who takes part, from when this is made."""

    def __init__(self, ours_s: Callable[[], float]) -> None:
        """`ours_s`: processor time of those who take part, but not of this process."""
        self._ours_s = ours_s
        self._began = time.monotonic()
        self._before = _busy_s() - self._part_s()

    def used(self) -> tuple[float, float]:
        """So many seconds, of so many of all cores. The kernel counts the machine's in ticks of 10 ms."""
        busy = _busy_s() - self._part_s() - self._before
        return max(busy, 0.0), (time.monotonic() - self._began) * (os.cpu_count() or 1)

    def _part_s(self) -> float:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return self._ours_s() + usage.ru_utime + usage.ru_stime


def _busy_s() -> float:
    """The time of all cores that was not idle, what the hypervisor took included."""
    user, nice, system, _, _, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
