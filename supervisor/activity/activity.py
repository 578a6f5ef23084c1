"""Activity of one environment: its sources, and the reporter to the management plane, if there is one.

Without a plane, SSH sessions are looked for when a client asks. What a reporter needs is imported when it begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisor.activity.keep_alive import KeepAlive
from supervisor.activity.persisted import Persisted, TextStore
from supervisor.activity.plane import INTERVAL_S, Plane
from supervisor.activity.sources import ActivitySources, HasRecords
from supervisor.hub import Hub
from supervisor.model.moment import InstantClock

if TYPE_CHECKING:
    from supervisor.activity.reporter import Inbox, Notices, Reporter

GOOD_FOR_S = 10.0
"""A client that asks is shown SSH sessions as they were up to so long ago."""


class Activity:
    """What keeps the environment awake. Used on the event loop alone."""

    def __init__(
        self,
        world: HasRecords,
        store: TextStore,
        boot_id: str,
        clock: InstantClock,
        plane: Plane | None = None,
    ) -> None:
        """Continue with what the supervisor before has left.

        Args:
            world: has the executions and the environment.
            store: keeps texts from one supervisor to the next.
            boot_id: of this boot of the machine.
            clock: the present moment.
            plane: where signals go; None: nowhere.
        """
        self._world = world
        self._clock = clock
        self._plane = plane
        self._persisted = Persisted(store, boot_id)
        self._sources = ActivitySources(
            world, self._persisted, clock, plane.interval_s if plane else INTERVAL_S
        )
        self._reporter: Reporter | None = None

    async def run(self, hub: Hub, inbox: Inbox, notices: Notices) -> None:
        """Report to the plane until cancelled; nothing, if there is none. See `Reporter` for the arguments."""
        if self._plane is None:
            return
        from supervisor.activity.reporter import Reporter

        self._reporter = Reporter(self._sources, self._plane, self._persisted, self._clock, inbox, notices)
        await self._reporter.run(hub)

    def report(self, source: str) -> None:
        """A client reports activity. Raises InvalidActivity on a source that no signal can carry."""
        self._sources.report(source)

    def keep_alive(self, pid: int, source: str, start_ticks: int | None = None) -> KeepAlive:
        """Stay awake while a process lives; see `KeepAlives.add`, also for what it raises."""
        return self._sources.keep_alive(pid, source, start_ticks)

    async def explain(self) -> dict[str, Any]:
        """What keeps the environment awake, since when, and the last signals; see `activity_report`."""
        from supervisor.activity.activity_report import explanation

        sightings = await self._sources.look(GOOD_FOR_S)
        return explanation(sightings, self._world.records.environment, self._reporter, self._clock.instant())

    def signals(self) -> tuple[int, int]:
        """How many signals got through, and how many did not, since this supervisor began."""
        return (self._reporter.delivered, self._reporter.failed) if self._reporter else (0, 0)
