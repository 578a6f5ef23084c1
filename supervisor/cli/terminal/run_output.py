"""Where the output of runs goes: as bytes, line by line, or with each line's run before it."""

from __future__ import annotations

import itertools
import time

from supervisor.cli.terminal.output import Outlet
from supervisor.cli.terminal.visible import style
from supervisor.lean.late import late
from supervisor.lean.typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from supervisor.cli.terminal import escapes, screen, shown_lines
    from supervisor.host.runs import log_file
else:  # the first command does not wait for the code that reads and prints its log
    escapes = late("supervisor.cli.terminal.escapes")
    screen = late("supervisor.cli.terminal.screen")
    shown_lines = late("supervisor.cli.terminal.shown_lines")
    log_file = late("supervisor.host.runs.log_file")


class Sink(Protocol):
    """Takes the output of one run."""

    def write(self, data: bytes) -> None:
        """Take more output, as the run wrote it."""

    def show_unfinished(self) -> None:
        """There is no more output for now: print an unfinished line, too, if it is time."""

    def end(self) -> None:
        """The run has ended: there is no more output."""

    def leave(self) -> bool:
        """Another program goes on with this run. Returns whether all has been printed, an unfinished line included."""


class RunOutput(Protocol):
    """Takes the output of all runs."""

    def sink(self, name: str) -> Sink:
        """The sink for the run with this name."""


class LineWriter(Protocol):
    """Takes output line by line."""

    def log(self, name: str, line: str) -> None:
        """Take one line of the run with this name."""


class LineOutput:
    """Splits the output of all runs into complete lines, for a `LineWriter`."""

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

    def show_unfinished(self) -> None:
        pass  # it waits until it is complete

    def end(self) -> None:
        for line in self._follower.flush():
            self._writer.log(self._name, line)

    def leave(self) -> bool:
        return False


class PrefixedOutput:
    """Prints the lines of all runs for people, each with its run's name, and unfinished ones while they wait."""

    def __init__(self, outlet: Outlet, name_width: int = 0) -> None:
        """A name takes at least `name_width` columns of each line."""
        self._outlet = outlet
        self._name_width = name_width
        self._screen: screen.Screen | None = None
        self._numbers = itertools.count()

    def sink(self, name: str) -> Sink:
        """The sink for the run with this name."""
        return _PrefixedSink(next(self._numbers), name, self)

    def begin(self, name: str) -> _Begun:
        """The first output of a run has come."""
        if self._screen is None:
            self._screen = screen.screen_for(self._outlet.terminal)
            self._outlet.divide(self._screen)
        coloured = self._screen.rewrites and escapes.colours_wanted(self._outlet.terminal)
        prefix = self._outlet.terminal.shown(style(f"{name:>{self._name_width}}", "dim"))
        return _Begun(self._screen, shown_lines.ShownLines(coloured), f"{prefix} | ")

    def put(self, line: screen.OutputLine) -> None:
        """Print a line."""
        self._outlet.put(line)


class _Begun:
    """What a run has that has printed something."""

    __slots__ = ("lines", "prefix", "screen")

    def __init__(self, place: screen.Screen, lines: shown_lines.ShownLines, prefix: str) -> None:
        self.screen = place
        self.lines = lines
        self.prefix = prefix


class _PrefixedSink:
    def __init__(self, run: int, name: str, output: PrefixedOutput) -> None:
        self._run = run
        self._name = name
        self._output = output
        self._begun: _Begun | None = None
        self._last_at = 0.0
        self._shown = ""
        """What is printed of the unfinished line."""

    def write(self, data: bytes) -> None:
        if self._begun is None:
            self._begun = self._output.begin(self._name)
        self._print(self._begun, self._begun.lines.feed(data))
        self._last_at = time.monotonic()

    def show_unfinished(self) -> None:
        if (begun := self._begun) and time.monotonic() - self._last_at >= begun.screen.moment_s:
            self._show(begun, begun.lines.unfinished)

    def end(self) -> None:
        if begun := self._begun:
            self._print(begun, begun.lines.end())
            self._show(begun, "")

    def leave(self) -> bool:
        if begun := self._begun:
            if begun.screen.rewrites:
                self._show(begun, "")
            elif self._shown:
                self._show(begun, begun.lines.unfinished)
        return self._shown != ""

    def _print(self, begun: _Begun, lines: list[str]) -> None:
        for line in lines:
            self._output.put(screen.OutputLine(self._run, begun.prefix, line, complete=True))
            self._shown = ""

    def _show(self, begun: _Begun, unfinished: str) -> None:
        if unfinished != self._shown:
            self._shown = unfinished
            self._output.put(screen.OutputLine(self._run, begun.prefix, unfinished, complete=False))
