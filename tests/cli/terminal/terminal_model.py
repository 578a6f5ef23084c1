"""A terminal of a given size: what stands on it, and what has scrolled off, after the bytes that were printed.

It obeys what we print and no more: text, wide characters, line ends, tabs, SGR, CUU, ED and EL. Anything else is an
error, so a test with it also shows that nothing else comes. Like xterm, it keeps a line in two rows once it was too
long, and cuts rows when it becomes narrower.
"""

from __future__ import annotations

import re
import unicodedata

_SEQUENCE = re.compile(r"\x1b\[([0-9;:]*)([mAJK])")


class Terminal:
    """The rows; the cursor is in one of them."""

    def __init__(self, columns: int = 40, lines: int = 10) -> None:
        self.columns, self.lines = columns, lines
        self._rows: list[list[str]] = [[]]
        self._at = self._column = 0
        self.looks = ""

    @property
    def text(self) -> list[str]:
        """All rows without blanks at their ends, from the first one ever printed; no empty ones at the end."""
        rows = ["".join(row).rstrip() for row in self._rows]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    @property
    def row(self) -> str:
        """The row of the cursor, as far as the cursor."""
        return "".join(self._rows[self._at][: self._column])

    def feed(self, printed: bytes) -> None:
        """Obey."""
        text = printed.decode()
        at = 0
        while at < len(text):
            if found := _SEQUENCE.match(text, at):
                self._obey(found[2], found[1])
                at = found.end()
                continue
            self._show(text[at])
            at += 1

    def resize(self, columns: int) -> None:
        """Cut rows that are on the screen to this width."""
        self.columns = columns
        top = max(0, len(self._rows) - self.lines)
        self._rows[top:] = [row[:columns] for row in self._rows[top:]]
        self._column = min(self._column, columns)

    def _show(self, character: str) -> None:
        if character == "\r":
            self._column = 0
        elif character == "\n":
            self._down()
        elif character == "\t":
            self._column = min(self._column // 8 * 8 + 8, self.columns - 1)
        elif character < " " or "\x7f" <= character <= "\x9f":
            raise AssertionError(f"nobody should print {character!r}")
        else:
            self._put(character)

    def _put(self, character: str) -> None:
        width = 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if self._column + width > self.columns:
            self._down()
            self._column = 0
        row = self._rows[self._at]
        row += [" "] * (self._column + width - len(row))
        row[self._column : self._column + width] = [character, ""][:width]
        self._column += width

    def _down(self) -> None:
        self._at += 1
        if self._at == len(self._rows):
            self._rows.append([])

    def _obey(self, sequence: str, numbers: str) -> None:
        row = self._rows[self._at]
        match sequence, numbers:
            case "m", _:
                self.looks = numbers
            case "A", _:
                top = max(0, len(self._rows) - self.lines)
                self._at = max(top, self._at - int(numbers or "1"))
            case "K", "":
                del row[self._column :]
            case "J", "":
                del row[self._column :]
                for below in self._rows[self._at + 1 :]:
                    below.clear()
            case _:
                raise AssertionError(f"nobody should print ESC [ {numbers} {sequence}")
