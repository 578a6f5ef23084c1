"""What editors and terminals report: a name and the moment it came, however often.

A report is activity for as long as the next one may take: editors report every five minutes while somebody works. What
counts is when a report arrived, not what its sender's clock said: a laptop that is ten minutes slow is in use all the
same.
"""

from __future__ import annotations

from collections.abc import Iterator

from supervisor.activity.sighting import Kind, Sighting, checked_source
from supervisor.lean.frozen import replace

MOST_SOURCES = 100
"""Clients name them as they like; the one that was not heard of for longest is forgotten first."""


class Reports:
    """The last report of each source."""

    def __init__(self, lasts_s: float) -> None:
        """`lasts_s`: how long a report counts."""
        self._lasts_s = lasts_s
        self._last: dict[str, Sighting] = {}

    def add(self, source: str, now_s: float) -> None:
        """A report has come. Raises InvalidActivity on a source that no signal can carry."""
        known = self._last.pop(checked_source(source), None)
        # One that comes a little late, or misses once, goes on with what was.
        goes_on = known is not None and now_s - known.seen_s < 2 * self._lasts_s
        if known is not None and goes_on:
            self._last[source] = replace(known, seen_s=now_s)
        else:
            self._last[source] = Sighting(Kind.REPORTED, source, "reported by a client", now_s, now_s)
        if len(self._last) > MOST_SOURCES:
            del self._last[next(iter(self._last))]

    def sightings(self, now_s: float) -> Iterator[Sighting]:
        """The sources that still count."""
        return (seen for seen in self._last.values() if now_s - seen.seen_s < self._lasts_s)
