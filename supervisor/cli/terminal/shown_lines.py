"""Makes lines for people from the bytes of a log that come in pieces: those that are complete, and the one that is not.

A line is what a terminal shows of it: colours stay, nothing steers the terminal (`escapes`). Of a line that overwrites
itself, as progress bars do, the last state is left: what comes after a carriage return replaces what came before, and
what comes after a backspace replaces a character. Colours end with a line, and the next one of the same log begins with
them.
"""

from __future__ import annotations

import re

from supervisor.cli.terminal.escapes import RESET, TerminalFilter, is_colour

MOST_CHARACTERS = 8192
"""A longer line comes in pieces of that length, so one without an end needs no memory."""
_MOST_COLOURS = 8
"""How many sequences without a reset between them are kept for the next line."""
_SPECIAL = re.compile(r"[\r\b\x1b]")
_PART = re.compile(r"\x1b\[[0-9:;]*[mK]|[\r\b]|[^\r\b\x1b]+")
_COLOURS = re.compile(r"\x1b\[[0-9:;]*m")
_NOT_TEXT = re.compile(r"[\udc80-\udcff]")
"""Bytes that are not UTF-8."""


class ShownLines:
    """The lines of one log."""

    def __init__(self, colours: bool) -> None:
        """`colours`: whether they stay; see `escapes.colours_wanted`."""
        self._filter = TerminalFilter(colours=True)  # else "erase the rest of the line" would not pass
        self._coloured = colours
        self._colours: list[str] = []
        """The sequences that colour the next character."""
        self._begin()

    @property
    def unfinished(self) -> str:
        """The line that is not complete, as far as it has come; empty if nothing of it is to be seen."""
        line = self._line()
        return line if _COLOURS.sub("", line) else ""

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes."""
        return self._lines(self._filter.feed_text(data))

    def end(self) -> list[str]:
        """The rest after the last newline, if any."""
        lines = self._lines(self._filter.end_text())
        if rest := self.unfinished:
            lines.append(rest)
        self._colours = []
        self._begin()
        return lines

    def _begin(self) -> None:
        """Begin a line."""
        self._parts = list(self._colours)
        """The line: text and sequences of colours."""
        self._length = sum(map(len, self._parts))
        self._back = 0
        """How many characters at the line's end are replaced by what comes next."""
        self._recolour = False
        """Whether what comes next has other colours than what it replaces."""

    def _line(self) -> str:
        line = "".join(self._parts)
        return line + RESET if "\x1b" in line and not line.endswith(RESET) else line

    def _lines(self, shown: str) -> list[str]:
        lines: list[str] = []
        text = _NOT_TEXT.sub("\ufffd", shown)
        plain = not _SPECIAL.search(text)
        *whole, rest = text.split("\n")
        for piece in whole:
            if plain and not self._length and not self._back and len(piece) <= MOST_CHARACTERS:
                lines.append(piece)
                continue
            self._extend(piece, lines)
            self._complete(lines)
        self._extend(rest, lines)
        return lines

    def _complete(self, lines: list[str]) -> None:
        lines.append(self._line())
        self._begin()

    def _extend(self, piece: str, lines: list[str]) -> None:
        """Take more of the line. What is too long goes into `lines`."""
        if not _SPECIAL.search(piece):
            self._put(piece, lines)
            return
        for part in _PART.findall(piece):
            if part == "\r":
                self._back = self._length
            elif part == "\b":
                self._back += 1
            elif part[0] != "\x1b":
                self._put(part, lines)
            elif part[-1] == "K":
                self._replace()
            elif self._coloured:
                self._colour(part, lines)

    def _put(self, text: str, lines: list[str]) -> None:
        if text and self._back:
            self._replace()
        while len(text) > (room := max(0, MOST_CHARACTERS - self._length)):
            self._add(text[:room])
            self._complete(lines)
            text = text[room:]
        self._add(text)

    def _colour(self, sequence: str, lines: list[str]) -> None:
        before = [other for other in self._colours if other != sequence]
        self._colours = [*before, sequence][-_MOST_COLOURS:] if is_colour(sequence[2:-1]) else []
        if self._back:
            self._recolour = True
            return
        if self._length + len(sequence) > MOST_CHARACTERS:
            self._complete(lines)
        else:
            self._add(sequence)

    def _add(self, part: str) -> None:
        if part:
            self._parts.append(part)
            self._length += len(part)

    def _replace(self) -> None:
        """Remove what is replaced."""
        if self._back >= self._length:
            self._begin()
        while self._back and self._parts:
            part = self._parts.pop()
            self._length -= len(part)
            if part[0] == "\x1b":
                self._recolour = True
            else:
                kept = part[: -self._back]
                self._back -= len(part) - len(kept)
                self._add(kept)
        if self._recolour:
            for sequence in (RESET, *self._colours):
                self._add(sequence)
            self._recolour = False
