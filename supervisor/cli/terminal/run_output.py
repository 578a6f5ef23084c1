"""Where the output of runs goes: as bytes to the sink of each run, or line by line."""

from __future__ import annotations

from supervisor.lean.late import late
from supervisor.lean.typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from supervisor.host.runs import log_file
else:  # the first command does not wait for the code that reads its log
    log_file = late("supervisor.host.runs.log_file")


class Sink(Protocol):
    """Takes the output of one run."""

    def write(self, data: bytes) -> None:
        """Take more output, as the run wrote it."""

    def end(self) -> None:
        """The run has ended: there is no more output."""


class RunOutput(Protocol):
    """Takes the output of all runs."""

    def sink(self, name: str) -> Sink:
        """The sink for the run with this name."""


class LineWriter(Protocol):
    """Takes output line by line."""

    def log(self, name: str, line: str) -> None:
        """Take one line of the run with this name."""


class LineOutput:
    """Splits the output of all runs into lines, for a `LineWriter`."""

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer

    def sink(self, name: str) -> Sink:
        """The sink for the run with this name."""
        return _LineSink(name, self._writer)


class _LineSink:
    def __init__(self, name: str, writer: LineWriter) -> None:
        self._name = name
        self._writer = writer
        self._follower = log_file.LineFollower()

    def write(self, data: bytes) -> None:
        for line in self._follower.feed(data):
            self._writer.log(self._name, line)

    def end(self) -> None:
        for line in self._follower.flush():
            self._writer.log(self._name, line)
