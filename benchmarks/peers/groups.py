"""A control group (version 2) for one turn: what all its processes computed, which there are, and their end.

The kernel adds up the processor time of a group to the microsecond, with that of processes that have ended; no other
count has that. What is started in a group stays in it or in groups below it, which a supervisor may make.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_END_S = 20.0


def mounted_at(mounts: str) -> Path:
    """Where the tree of groups is, from the text of /proc/mounts. Raises RuntimeError if there is none."""
    for line in mounts.splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    raise RuntimeError("cannot measure: control groups of version 2 are not mounted")


class Group:
    """A group below the one that this process is in. Raises OSError if it cannot be made."""

    def __init__(self, name: str) -> None:
        own = Path("/proc/self/cgroup").read_text().splitlines()
        inside = next(line.removeprefix("0::/") for line in own if line.startswith("0::/"))
        self._outside = mounted_at(Path("/proc/mounts").read_text()) / inside
        self._folder = self._outside / name
        self._folder.mkdir()

    def enter(self) -> None:
        """Take this process into it; what it starts begins there. Takes up to 24 ms."""
        (self._folder / "cgroup.procs").write_text("0")

    def leave(self) -> None:
        """Take this process out of it."""
        (self._outside / "cgroup.procs").write_text("0")

    def cpu_s(self) -> float:
        """The processor time of all that are or were in it, in seconds."""
        lines = (self._folder / "cpu.stat").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("usage_usec ")) / 1e6

    def pids(self) -> list[int]:
        """All processes in it and below it but this one."""
        return [pid for folder in self._folders() for pid in _pids(folder) if pid != os.getpid()]

    def close(self) -> None:
        """Kill everything in it and remove it. Raises TimeoutError if a process does not end."""
        self.leave()
        deadline = time.monotonic() + _END_S
        while any(self._folder.exists() for _ in self._folders()):
            for folder in self._folders():
                with suppress(OSError):
                    (folder / "cgroup.kill").write_text("1")
            for folder in self._folders():
                with suppress(OSError):  # a process that was killed has not ended yet
                    folder.rmdir()
            if not self._folder.exists():
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"cannot remove {self._folder}: processes {self.pids()} do not end")
            time.sleep(0.005)

    def _folders(self) -> Iterator[Path]:
        """Itself and the groups below it, the lowest first."""
        for folder, _, _ in os.walk(self._folder, topdown=False):
            yield Path(folder)


def _pids(folder: Path) -> list[int]:
    with suppress(OSError):  # it was removed meanwhile
        return [int(pid) for pid in (folder / "cgroup.procs").read_text().split()]
    return []
