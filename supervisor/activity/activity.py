"""Activity of one environment: its sources, and the pulse that tells a management plane of them, if there is one.

Without a plane nobody looks for SSH sessions until somebody asks. What a pulse needs is imported when it begins, which
is after the first commands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from supervisor.activity.heartbeat import INTERVAL_S
from supervisor.activity.keep_alive import KeepAlive
from supervisor.activity.persisted import Keeper, Kept
from supervisor.activity.plane import Plane
from supervisor.activity.sources import Sources
from supervisor.core.records import Records
from supervisor.hub import Hub
from supervisor.model.fact import ActivitySeen
from supervisor.model.moment import Instant

if TYPE_CHECKING:
    from supervisor.activity.reporter import Pulse

GOOD_FOR_S = 10.0
"""Who asks is told of SSH sessions as they were up to so long ago."""


class Activity:
    """What keeps the environment awake. Used on the event loop alone."""

    def __init__(
        self,
        records: Callable[[], Records],
        keeper: Keeper,
        boot_id: str,
        clock: Callable[[], Instant],
        plane: Plane | None = None,
    ) -> None:
        """Go on with what the supervisor before has left.

        Args:
            records: where the executions and the environment are.
            keeper: keeps texts from one supervisor to the next.
            boot_id: of this boot of the machine.
            clock: the present moment.
            plane: whom to tell; None: nobody.
        """
        self._records = records
        self._clock = clock
        self._plane = plane
        self._kept = Kept(keeper, boot_id)
        self._sources = Sources(records, self._kept, clock, plane.interval_s if plane else INTERVAL_S)
        self._pulse: Pulse | None = None

    async def run(
        self, hub: Hub, post: Callable[[ActivitySeen], None], notice: Callable[[str], None]
    ) -> None:
        """Tell the plane until cancelled; nothing, if there is none. See `Pulse` for the arguments."""
        if self._plane is None:
            return
        from supervisor.activity.reporter import Pulse

        self._pulse = Pulse(self._sources, self._plane, self._kept, self._clock, post=post, notice=notice)
        await self._pulse.run(hub)

    def report(self, source: str) -> None:
        """A client reports activity. Raises InvalidActivity on a source that no signal can carry."""
        self._sources.report(source)

    def keep_alive(self, pid: int, source: str, start_ticks: int | None = None) -> KeepAlive:
        """Stay awake while a process lives; see `KeepAlives.add`, also for what it raises."""
        return self._sources.keep_alive(pid, source, start_ticks)

    async def explain(self) -> dict[str, Any]:
        """What keeps the environment awake, since when, and the last signals; see `explain`."""
        from supervisor.activity.activity_report import explanation

        sightings = await self._sources.look(GOOD_FOR_S)
        return explanation(sightings, self._records().environment, self._pulse, self._clock())

    def signals(self) -> tuple[int, int]:
        """How many signals got through, and how many did not, since this supervisor began."""
        return (self._pulse.delivered, self._pulse.failed) if self._pulse else (0, 0)
