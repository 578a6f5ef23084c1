"""All sources together: what is active now.

Reports, keep-alives and executions are known at once. SSH sessions have to be looked for, which takes a thread and some
milliseconds, so that a look is good for a while.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from supervisor.activity.editor_reports import Reports
from supervisor.activity.heartbeat import INTERVAL_S
from supervisor.activity.keep_alive import KeepAlive, KeepAlives
from supervisor.activity.persisted import Kept
from supervisor.activity.running_executions import running
from supervisor.activity.sighting import Sighting
from supervisor.core.records import Records
from supervisor.model.moment import Instant


class Sources:
    """The sources of one environment. Used on the event loop alone."""

    def __init__(
        self,
        records: Callable[[], Records],
        kept: Kept,
        clock: Callable[[], Instant],
        lasts_s: float = INTERVAL_S,
        ssh: Callable[[Instant], Iterable[Sighting]] | None = None,
    ) -> None:
        """Begin with the keep-alives of the supervisor before.

        Args:
            records: where the executions are.
            kept: what the supervisor before has left.
            clock: the present moment.
            lasts_s: how long a report counts; the interval of the heartbeat.
            ssh: looks for SSH sessions, in a thread; None: `ssh.open_sessions`, imported by the first look.
        """
        self.news: Callable[[], None] = lambda: None
        """Called when something began that is worth a look."""
        self._records = records
        self._clock = clock
        self._reports = Reports(lasts_s)
        self._keep_alives = KeepAlives(kept)
        self._open_sessions = ssh
        self._ssh: tuple[Sighting, ...] = ()
        self._looked_s = -math.inf

    def report(self, source: str) -> None:
        """A client reports activity. Raises InvalidActivity on a source that no signal can carry."""
        self._reports.add(source, self._clock().boot_s)
        self.news()

    def keep_alive(self, pid: int, source: str, start_ticks: int | None = None) -> KeepAlive:
        """Stay awake while a process lives; see `KeepAlives.add`, also for what it raises."""
        made = self._keep_alives.add(pid, source, self._clock().boot_s, start_ticks)
        self.news()
        return made

    async def look(self, good_for_s: float) -> list[Sighting]:
        """What is active now, with SSH sessions as they were up to `good_for_s` ago."""
        if self._clock().boot_s - self._looked_s >= good_for_s:
            from supervisor.host.proc import worker_threads

            now = self._clock()
            self._ssh = await worker_threads.run(self._look_for_sessions, now, abandon_on_cancel=True)
            self._looked_s = now.boot_s
        return self.known()

    def known(self) -> list[Sighting]:
        """What is active, with SSH sessions as of the last look."""
        now = self._clock()
        return [
            *self._reports.sightings(now.boot_s),
            *self._ssh,
            *self._keep_alives.sightings(now.boot_s),
            *running(self._records(), now),
        ]

    def _look_for_sessions(self, now: Instant) -> tuple[Sighting, ...]:
        if self._open_sessions is None:
            from supervisor.activity.ssh_sessions import open_sessions

            self._open_sessions = open_sessions
        try:
            return tuple(self._open_sessions(now))
        except OSError:
            return (
                self._ssh
            )  # the machine is out of descriptors, say: what held before holds until it can tell
