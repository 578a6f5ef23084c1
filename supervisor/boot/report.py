"""A report that cannot fail: who tells of something must not end with whoever was told of it."""

from __future__ import annotations

from collections.abc import Callable

from supervisor.boot.run_settings import Report
from supervisor.config import Loaded
from supervisor.core.items.diff import Changes
from supervisor.hub import contained


class ContainedReport:
    """Passes everything on to a report, whose exceptions are logged and go no further."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def loaded(self, name: str, loaded: Loaded) -> None:
        """See `Report`."""
        self._tell(lambda: self._report.loaded(name, loaded))

    def applied(self, changes: Changes) -> None:
        """See `Report`."""
        self._tell(lambda: self._report.applied(changes))

    def notice(self, text: str) -> None:
        """See `Report`."""
        self._tell(lambda: self._report.notice(text))

    def _tell(self, tell: Callable[[], None]) -> None:
        contained("somebody who is told what happens", tell)
