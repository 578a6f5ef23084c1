"""The report: people read here what happens to the file and to the supervisor itself."""

from __future__ import annotations

from functools import partial

from supervisor.config import Loaded
from supervisor.core.items.diff import Changes
from supervisor.hub import contained
from supervisor.lean.typing import Protocol


class Report(Protocol):
    """Shows people what happens."""

    def loaded(self, name: str, loaded: Loaded) -> None:
        """The file was read: these are its problems."""

    def applied(self, changes: Changes) -> None:
        """An edit was carried out."""

    def notice(self, text: str) -> None:
        """Something else that a person should know."""


class ContainedReport:
    """Passes everything on to a report. An exception there is logged: it must not end what it reports on."""

    def __init__(self, report: Report) -> None:
        """`report`: may raise."""
        self._report = report

    def loaded(self, name: str, loaded: Loaded) -> None:
        """See `Report`."""
        contained("the report", partial(self._report.loaded, name, loaded))

    def applied(self, changes: Changes) -> None:
        """See `Report`."""
        contained("the report", partial(self._report.applied, changes))

    def notice(self, text: str) -> None:
        """See `Report`."""
        contained("the report", partial(self._report.notice, text))
