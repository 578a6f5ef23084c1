"""All sources of activity together: what is active now.

| source | seen how |
|---|---|
| reports of editors and terminals | a client calls: `EditorReports` |
| keep-alives | by the processes that they name: `keep_alive` |
| task executions that run | in the records: a user, or a trigger, waits for them |
| operations that run | in the records: a client has had a command run |
| SSH sessions | by a look at /proc and utmp (`ssh_sessions`), which takes a thread and some milliseconds |

All but the last are known at once. A look for SSH sessions is used for a while.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Protocol, cast

from supervisor.activity.keep_alive import KeepAlive, KeepAlives
from supervisor.activity.persisted import Persisted
from supervisor.activity.plane import INTERVAL_S
from supervisor.activity.sighting import Sighting, SourceKind, checked_source
from supervisor.core import queries
from supervisor.core.records import Records
from supervisor.host.proc import worker_threads
from supervisor.model.moment import Instant, InstantClock
from supervisor.model.phase import ExecutionPhase

EXECUTIONS = "Automations"
"""The source of executions in a signal. Source: contract/api.md, Heartbeats."""
OPERATIONS = "Exec"
"""The source of operations in a signal. Source: contract/ops.md, Activity."""
MOST_EDITORS = 100
"""Clients name themselves as they like; the name that was not heard of for longest is forgotten first."""
_MOST_NAMED = 3


class HasRecords(Protocol):
    """Something that has the records, as the world does."""

    @property
    def records(self) -> Records:
        """The records as they are now."""


class SessionLook(Protocol):
    """Looks for SSH sessions. The module `ssh_sessions` does."""

    def open_sessions(self, now: Instant) -> Iterable[Sighting]:
        """One sighting for all sessions. Called in a thread."""


class Listener(Protocol):
    """Is notified of activity that does not wait for the next look."""

    def on_activity(self) -> None:
        """Something began."""


class ActivitySources:
    """The sources of one environment. Used on the event loop alone."""

    def __init__(
        self,
        world: HasRecords,
        persisted: Persisted,
        clock: InstantClock,
        lasts_s: float = INTERVAL_S,
        ssh: SessionLook | None = None,
    ) -> None:
        """Begin with the keep-alives of the supervisor before.

        Args:
            world: has the executions.
            persisted: what the supervisor before has left.
            clock: the present moment.
            lasts_s: how long a report counts; the interval of the heartbeat.
            ssh: looks for SSH sessions; None: `ssh_sessions`, imported by the first look.
        """
        self.listener: Listener | None = None
        self._world = world
        self._clock = clock
        self._reports = EditorReports(lasts_s)
        self._keep_alives = KeepAlives(persisted)
        self._session_look = ssh
        self._ssh: tuple[Sighting, ...] = ()
        self._looked_s = -math.inf

    def report(self, source: str) -> None:
        """A client reports activity. Raises InvalidActivity on a source that no signal can carry."""
        self._reports.add(source, self._clock.instant().boot_s)
        self._notify()

    def keep_alive(self, pid: int, source: str, start_ticks: int | None = None) -> KeepAlive:
        """Stay awake while a process lives; see `KeepAlives.add`, also for what it raises."""
        made = self._keep_alives.add(pid, source, self._clock.instant().boot_s, start_ticks)
        self._notify()
        return made

    async def look(self, good_for_s: float) -> list[Sighting]:
        """What is active now, with SSH sessions as they were up to `good_for_s` ago."""
        now = self._clock.instant()
        if now.boot_s - self._looked_s >= good_for_s:
            self._ssh = await worker_threads.run(self._look_for_sessions, now, abandon_on_cancel=True)
            self._looked_s = now.boot_s
        return self.known()

    def known(self) -> list[Sighting]:
        """What is active, with SSH sessions as of the last look."""
        now = self._clock.instant()
        return [
            *self._reports.sightings(now.boot_s),
            *self._ssh,
            *self._keep_alives.sightings(now.boot_s),
            *running(self._world.records, now),
            *operations(self._world.records, now),
        ]

    def _notify(self) -> None:
        if self.listener is not None:
            self.listener.on_activity()

    def _look_for_sessions(self, now: Instant) -> tuple[Sighting, ...]:
        if self._session_look is None:
            # Not at the top: without a plane, there is no look until a client asks.
            module = importlib.import_module("supervisor.activity.ssh_sessions")
            self._session_look = cast(SessionLook, module)
        try:
            return tuple(self._session_look.open_sessions(now))
        except OSError:
            return (
                self._ssh
            )  # the machine is out of descriptors, say: the last look counts until one succeeds


class EditorReports:
    """What editors and terminals report: the last report of each source.

    A report is activity for as long as the next one may take: editors report every five minutes while somebody works.
    It counts from its arrival, not from the time that its sender's clock showed: a laptop whose clock is ten minutes
    slow is in use all the same.
    """

    def __init__(self, lasts_s: float) -> None:
        """`lasts_s`: how long a report counts."""
        self._lasts_s = lasts_s
        self._last: dict[str, Sighting] = {}

    def add(self, source: str, now_s: float) -> None:
        """A report has come. Raises InvalidActivity on a source that no signal can carry."""
        known = self._last.pop(checked_source(source), None)
        # A report that comes a little late, or after one that was lost, continues the same sighting.
        if known is not None and now_s - known.seen_s < 2 * self._lasts_s:
            self._last[source] = replace(known, seen_s=now_s)
        else:
            self._last[source] = Sighting(SourceKind.REPORTED, source, "reported by a client", now_s, now_s)
        if len(self._last) > MOST_EDITORS:
            del self._last[next(iter(self._last))]

    def sightings(self, now_s: float) -> Iterator[Sighting]:
        """The sources that still count."""
        return (seen for seen in self._last.values() if now_s - seen.seen_s < self._lasts_s)


def running(records: Records, now: Instant) -> Iterator[Sighting]:
    """One sighting for all executions that run; its details name the eldest. Services do not count."""
    live = queries.live_executions(records)
    executions = [execution for execution in live if execution.phase is ExecutionPhase.RUNNING]
    if not executions:
        return
    names = list(dict.fromkeys(execution.reference for execution in executions))
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    detail = f"task{'s' if len(names) > 1 else ''} {', '.join(names[:_MOST_NAMED])}{more}"
    # Records have only the wall clock. The age is for people: a jump of that clock shifts no signal.
    began_s = min(execution.started_s or execution.created_s for execution in executions)
    age_s = max(0.0, now.wall_s - began_s)
    yield Sighting(SourceKind.EXECUTION, EXECUTIONS, detail, now.boot_s - age_s, now.boot_s)


def operations(records: Records, now: Instant) -> Iterator[Sighting]:
    """One sighting for all operations that run; its details never name a command."""
    live = queries.live_operations(records)
    if live:
        more = f" and {len(live) - 1} more" if len(live) > 1 else ""
        # As of executions, the age is for people.
        age_s = max(0.0, now.wall_s - live[0].created_s)
        detail = f"operation {live[0].operation_id}{more}"
        yield Sighting(SourceKind.OPERATION, OPERATIONS, detail, now.boot_s - age_s, now.boot_s)
