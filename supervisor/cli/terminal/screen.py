"""Where lines go that are not complete yet, so that a prompt or a progress bar is seen while the command waits.

On a terminal they are its last rows, one for each run that has one. What else is printed goes above them, and they are
drawn again. A row is never wider than the terminal, since a terminal knows no way back to the beginning of a line that
it has broken: of a longer line the end is shown, and all of it when it is complete.

A file or a pipe has no way back at all. There an unfinished line is printed after a moment without more of it, and what
comes later goes behind it. Once another line has come between, the rest has a line of its own, which begins with "…".
A line that was printed and then overwrites itself is printed once more, in its new state. So nothing that a command
printed stands there twice, except what it printed twice.
"""

from __future__ import annotations

import os
import re
import unicodedata

from supervisor.cli.terminal.visible import MaybeTerminal
from supervisor.lean.frozen import dataclass
from supervisor.lean.typing import Protocol

MOMENT_S = 1.0
"""How long a line has to be unfinished, without more of it, before a file or a pipe gets it."""
MOST_ROWS = 8
"""How many unfinished lines a terminal shows: those that changed last."""
ECHO_CELLS = 2
"""What a terminal may put behind the last row: `^C`. A row has room for it, or it would go on in the next."""
_COLOURS = re.compile("(\x1b\\[[0-9:;]*m)")
_ERASE_REST_OF_ROW, _ERASE_BELOW = "\x1b[K", "\x1b[J"
_CUT = "…"
_CONTINUES = "… "


@dataclass(frozen=True, slots=True)
class OutputLine:
    """A line of a run's output, as far as it has come. Its text steers no terminal (`ShownLines`)."""

    run: int
    """Which run's. Several may have the same prefix."""
    prefix: str
    """What stands before it, as `Terminal.shown` makes it."""
    text: str
    complete: bool


class SizedTerminal(MaybeTerminal, Protocol):
    """What may be a terminal, with its descriptor."""

    def fileno(self) -> int:
        """The descriptor."""


class Screen(Protocol):
    """Decides what is written where. Each method returns the text to write now."""

    moment_s: float
    """How long to wait for more of an unfinished line before it is printed."""
    rewrites: bool
    """Whether an unfinished line can be taken away again."""

    def line(self, text: str) -> str:
        """Print a line that is not a run's output, and has passed through `Terminal.shown`."""

    def output(self, line: OutputLine) -> str:
        """Print a line of a run. An unfinished one replaces what was known of it."""

    def settle(self) -> str:
        """There is nothing to print for now."""

    def leave(self) -> str:
        """Nothing will be printed any more."""


class LiveRows:
    """A terminal, whose last rows are the unfinished lines."""

    moment_s = 0.0
    rewrites = True

    def __init__(self, out: SizedTerminal) -> None:
        """For the terminal `out`, which is asked for its size."""
        self._out = out
        self._unfinished: dict[int, OutputLine] = {}
        self._changed: list[int] = []
        """The runs of these, the last changed last."""
        self._drawn: list[str] = []
        self._widest = 0
        """How many columns the widest row takes that is drawn."""

    def line(self, text: str) -> str:
        """The line, in place of the rows. They come again when nothing else is to be printed."""
        return f"{self._away()}{text}\n"

    def output(self, line: OutputLine) -> str:
        """A line that is complete; an unfinished one becomes a row."""
        if line.run in self._unfinished:
            self._changed.remove(line.run)
        if line.complete or not line.text:
            self._unfinished.pop(line.run, None)
            return self.line(f"{line.prefix}{line.text}") if line.complete else ""
        self._unfinished[line.run] = line
        self._changed.append(line.run)
        return ""

    def settle(self) -> str:
        """Draw the rows."""
        columns, lines = self._size()
        shown = set(self._changed[-min(MOST_ROWS, max(1, lines // 2)) :])
        rows, widest = [], 0
        for line in (line for run, line in self._unfinished.items() if run in shown):
            prefix_cells = cells(_COLOURS.sub("", line.prefix))
            text, taken = fitted(
                line.text.replace("\t", " "), max(1, columns - ECHO_CELLS - 1 - prefix_cells)
            )
            rows.append(f"{line.prefix}{text}")
            widest = max(widest, prefix_cells + taken)
        if rows == self._drawn:
            return ""
        if not rows:
            return self._away()
        drawn = "\n".join(f"{row}{_ERASE_REST_OF_ROW}" for row in rows)
        drawn = f"{self._back()}{drawn}{_ERASE_BELOW if len(self._drawn) > len(rows) else ''}"
        self._drawn, self._widest = rows, widest
        return drawn

    def leave(self) -> str:
        """The rows stay; what another program prints goes below them."""
        last = self.settle() + ("\n" if self._drawn else "")
        self._drawn = []
        return last

    def _away(self) -> str:
        """Take the rows away."""
        if not self._drawn:
            return ""
        away = f"{self._back()}{_ERASE_BELOW}"
        self._drawn = []
        return away

    def _back(self) -> str:
        """To the beginning of the rows."""
        if not self._drawn:
            return ""
        if self._widest >= self._size()[0]:
            return "\n"  # the terminal has become narrower, and may have broken them
        return f"\x1b[{len(self._drawn) - 1}A\r" if len(self._drawn) > 1 else "\r"

    def _size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self._out.fileno())
        except OSError:  # it is gone
            return 80, 24
        return size.columns or 80, size.lines or 24


class AppendedLines:
    """A file, a pipe, or a terminal that can do no more than these."""

    moment_s = MOMENT_S
    rewrites = False

    def __init__(self) -> None:
        """Begin with a file's first line."""
        self._begun: dict[int, str] = {}
        """What has been printed of unfinished lines."""
        self._open: int | None = None
        """Whose line is the file's last and has no newline yet."""

    def line(self, text: str) -> str:
        """The line, on a line of its own."""
        return f"{self._closed()}{text}\n"

    def output(self, line: OutputLine) -> str:
        """A line, or what has come to it."""
        begun = self._begun.pop(line.run, "")
        if not line.complete and not line.text:
            return self._closed() if self._open == line.run else ""
        goes_on = begun != "" and line.text.startswith(begun)
        text = line.text[len(begun) :] if goes_on else line.text
        if not goes_on or (text and self._open != line.run):
            text = f"{self._closed()}{line.prefix}{_CONTINUES if goes_on else ''}{text}"
            self._open = line.run
        if not line.complete:
            self._begun[line.run] = line.text
            return text
        return text + (self._closed() if self._open == line.run else "")

    def settle(self) -> str:
        """Nothing."""
        return ""

    def leave(self) -> str:
        """The end of the file's last line."""
        return self._closed()

    def _closed(self) -> str:
        closed = "" if self._open is None else "\n"
        self._open = None
        return closed


def screen_for(out: SizedTerminal) -> Screen:
    """The screen for a stream."""
    return LiveRows(out) if out.isatty() and os.environ.get("TERM", "dumb") != "dumb" else AppendedLines()


def cells(text: str) -> int:
    """How many columns of a terminal a text without sequences takes, or fewer."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def fitted(text: str, room: int) -> tuple[str, int]:
    """The end of a text that fits into so many columns, with its colours, and how many it takes."""
    taken = cells(_COLOURS.sub("", text))
    if taken <= room:
        return text, taken
    parts: list[str] = []
    taken = cells(_CUT)
    full = False
    for part in reversed(_COLOURS.split(text)):
        if part.startswith("\x1b"):
            parts.append(part)
            continue
        for character in reversed("" if full else part):
            full = taken + cells(character) > room
            if full:
                break
            parts.append(character)
            taken += cells(character)
    return _CUT + "".join(reversed(parts)), taken
