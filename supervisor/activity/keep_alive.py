"""Keep-alives: processes that the environment stays awake for, as long as they live, because a user asked for it.

A process is known by its pid and its start time, so that a later one with the same pid is not taken for it. The next
supervisor of the same boot continues with the list.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from supervisor.activity.persisted import Persisted
from supervisor.activity.sighting import Sighting, SourceKind, checked_source
from supervisor.host.proc.process import ProcRef, alive, find, name_of
from supervisor.model.errors import InvalidActivity, NotFound, Precondition

SOURCE = "Keep-alive"
"""Names a keep-alive that was given no name."""
MOST = 100
_MOST_PID = 2**22  # pid_max of proc_sys_kernel(5)
_KEY = "keep_alives"


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """One process, and the name of its activity."""

    process: ProcRef
    source: str
    since_s: float
    """When it was asked for, on the clock of `Instant.boot_s`."""


class KeepAlives:
    """All keep-alives of one environment."""

    def __init__(self, persisted: Persisted, most: int = MOST) -> None:
        """Continue with those of the supervisor before. `most`: how many there may be."""
        self._persisted = persisted
        self._most = most
        self._all = {item.process: item for item in _items(persisted.get(_KEY))}

    def add(self, pid: int, source: str, now_s: float, start_ticks: int | None = None) -> KeepAlive:
        """Stay awake for a process. A second call for the same process renames it.

        `start_ticks`: its start time as the caller saw it, in clock ticks since boot; None: the caller did not look.
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
        self._persist()
        return made

    def sightings(self, now_s: float) -> Iterator[Sighting]:
        """The keep-alives whose process lives. The others are forgotten."""
        self._forget()
        for item in self._all.values():
            detail = f"process {item.process.pid} ({name_of(item.process)})"
            yield Sighting(SourceKind.KEEP_ALIVE, item.source, detail, item.since_s, now_s)

    def _forget(self) -> None:
        gone = [process for process in self._all if not alive(process)]
        for process in gone:
            del self._all[process]
        if gone:
            self._persist()

    def _persist(self) -> None:
        items = self._all.values()
        self._persisted.put(
            _KEY, [[item.process.pid, item.process.start_ticks, item.source, item.since_s] for item in items]
        )


def _items(kept: Any) -> Iterator[KeepAlive]:
    """What was persisted, as far as it can be read."""
    try:
        for pid, start_ticks, source, since_s in kept or ():
            yield KeepAlive(ProcRef(int(pid), int(start_ticks)), checked_source(str(source)), float(since_s))
    except (ValueError, TypeError, InvalidActivity):
        return
