"""Keep-alives: processes that somebody said are worth staying awake for, for as long as they live.

A process is known by its pid and when it began, so that a later one with the same pid is not taken for it. The list is
kept beside the records: the next supervisor of the same boot goes on with it. After another boot the pids mean nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Protocol

from supervisor.activity.sighting import Kind, Sighting, checked_source
from supervisor.host.tree import ProcRef, alive, command_line, find
from supervisor.model.errors import InvalidActivity, NotFound, Precondition
from supervisor.model.frozen import dataclass

SOURCE = "Keep-alive"
"""The name of one that was given none."""
MOST = 1000
_MOST_PID = 2**22  # pid_max of proc_sys_kernel(5)
_KEY = "keep_alives"


class Keeper(Protocol):
    """What keeps a text from one supervisor to the next."""

    def get(self, key: str) -> str | None:
        """The text; None: there is none."""

    def put(self, key: str, value: str) -> None:
        """Keep a text. Raises sqlite3.Error if it cannot be kept."""


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """One process, and the name that its activity has."""

    process: ProcRef
    source: str
    since_s: float
    """When it was asked for, on the clock of `Instant.boot_s`."""


class KeepAlives:
    """All of them."""

    def __init__(self, keeper: Keeper, boot_id: str, most: int = MOST) -> None:
        """Go on with those of the supervisor before, if it lived in this boot. `most`: how many there may be."""
        self._keeper = keeper
        self._boot_id = boot_id
        self._most = most
        self._all = {item.process: item for item in _kept(keeper.get(_KEY), boot_id)}

    def add(self, pid: int, source: str, now_s: float, start_ticks: int | None = None) -> KeepAlive:
        """Stay awake for a process; once more for the same one gives it another name.

        `start_ticks`: when the caller saw it begin, in clock ticks since boot; None: it did not look.
        Raises InvalidActivity on a source that no signal can carry, NotFound on a process that is not there, and
        Precondition if there are too many.
        """
        process = find(pid) if 0 < pid <= _MOST_PID else None
        if process is None:
            raise NotFound(
                f"cannot stay awake for process {pid}: there is none with this id; it may have ended"
            )
        if start_ticks is not None and process.start_ticks != start_ticks:
            raise NotFound(
                f"cannot stay awake for process {pid}: the supervisor sees another one by this id; it may have ended, "
                "or you are in another PID namespace than the supervisor"
            )
        self._forget()
        known = self._all.get(process)
        if known is None and len(self._all) >= self._most:
            raise Precondition(
                f"cannot stay awake for process {pid}: there are {self._most} keep-alives already; end some of those "
                "processes"
            )
        made = KeepAlive(process, checked_source(source), known.since_s if known else now_s)
        self._all[process] = made
        self._keep()
        return made

    def sightings(self, now_s: float) -> Iterator[Sighting]:
        """Those whose process lives. The others are forgotten."""
        self._forget()
        for item in self._all.values():
            detail = f"process {item.process.pid}: {command_line(item.process.pid)}"
            yield Sighting(Kind.KEEP_ALIVE, item.source, detail, item.since_s, now_s)

    def _forget(self) -> None:
        gone = [process for process in self._all if not alive(process)]
        for process in gone:
            del self._all[process]
        if gone:
            self._keep()

    def _keep(self) -> None:
        items = [
            [item.process.pid, item.process.start_ticks, item.source, item.since_s]
            for item in self._all.values()
        ]
        try:
            self._keeper.put(_KEY, json.dumps({"boot": self._boot_id, "keepAlives": items}))
        except sqlite3.Error:
            pass  # the disk is full: they hold as long as this supervisor, which says so in its status


def _kept(text: str | None, boot_id: str) -> Iterator[KeepAlive]:
    """What was kept, unless it is of another boot or no text of ours."""
    try:
        kept = json.loads(text or "{}")
        if kept.get("boot") != boot_id:
            return
        for pid, start_ticks, source, since_s in kept["keepAlives"]:
            yield KeepAlive(ProcRef(int(pid), int(start_ticks)), checked_source(str(source)), float(since_s))
    except (ValueError, KeyError, TypeError, AttributeError, InvalidActivity):
        return
