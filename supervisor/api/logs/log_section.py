"""A section: one run's place in the stream of a log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class LoggedRun(Protocol):
    """The run whose log a section is. The methods look at the records as they are when called."""

    def run_id(self) -> str | None:
        """None: it has not begun."""

    def over(self, run_id: str | None) -> bool:
        """Whether nothing more is to come, given the run that was begun with."""


@dataclass(frozen=True, slots=True)
class Section:
    """One run's place in a stream."""

    record_id: str
    """Whose changes decide."""
    of: LoggedRun
    name: str = ""
    """What its cursors begin with; empty: the run's id."""
    prefix: bytes = b""
    """Stands before each line."""
    next_name: str = ""
    """Of the section after it, which begins on a line of its own; empty: it may go on in this one's last line."""
    note: str = ""
    """Said before it begins."""

    def run(self) -> str | None:
        """The id of the run; None: it has not begun."""
        return self.of.run_id()

    def over(self, run_id: str | None) -> bool:
        """Whether nothing more is to come, given the run that was begun with."""
        return self.of.over(run_id)
