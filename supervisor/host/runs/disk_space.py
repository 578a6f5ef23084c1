"""Whether there is room for what commands print.

A command writes its log itself, so on a full disk the command gets ENOSPC, and nobody can count what the log misses.
The supervisor says since when and for how long the disk was full: in the status, and in the log once there is room for
that line. A used-up quota does not show here; the store runs into it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from supervisor.host.proc.disk_room import room_of, why_full
from supervisor.host.runs.run import Run
from supervisor.host.runs.run_directory import RunDir


class LogDisk:
    """Looks whether the disk of the logs is full, and notes it in those that may miss something."""

    def __init__(self, folder: str, as_root: bool) -> None:
        """`folder`: the one that holds all runs; `as_root`: see `why_full`."""
        self._folder = folder
        self._as_root = as_root
        self._since_s = 0.0
        self._short: dict[str, RunDir] = {}
        self.full = ""
        """Why it was full at the last look; empty: it was not."""
        self.free_bytes = 0
        """How much was free at the last look."""

    def look(self, runs: Iterable[Run], now_s: float) -> None:
        """Look once. `runs`: the live ones; `now_s`: on the monotonic clock."""
        room = room_of(self._folder)
        why = why_full(room, self._as_root)
        self.free_bytes = 0 if room is None else room.f_bfree * room.f_frsize
        if why and not self.full:
            self._since_s = now_s
        if why:
            self._short.update((run.run_id, run.dir) for run in runs)
        elif self.full:
            self._note(now_s - self._since_s)
        self.full = why

    def _note(self, lasted_s: float) -> None:
        for folder in self._short.values():
            if os.path.exists(folder.log):
                folder.note(f"the disk was full for {lasted_s:.0f} s: what was printed meanwhile is lost")
        self._short.clear()
