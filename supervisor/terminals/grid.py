"""Rows of cells: what a terminal's main or alternate screen holds."""

from __future__ import annotations

from collections import deque

from supervisor.terminals.pen import DEFAULT, Pen

SCROLLBACK = 200
"""Rows that are kept above the main screen, for a terminal that becomes taller or wider."""


class Row:
    """One row. Cells behind its end are blank.

    Attributes:
        cells: a string each: a character with what combines with it. A wide one is followed by an empty string.
        pens: the pen of each cell.
        wrapped: whether text went on in the next row because this one was full.
        wide: whether wide characters may be in it.
    """

    __slots__ = ("cells", "pens", "wide", "wrapped")

    def __init__(self) -> None:
        self.cells: list[str] = []
        self.pens: list[Pen] = []
        self.wrapped = False
        self.wide = False

    def reach(self, length: int) -> None:
        """Have at least so many cells."""
        missing = length - len(self.cells)
        if missing > 0:
            self.cells.extend([" "] * missing)
            self.pens.extend([DEFAULT] * missing)

    def mend(self, start: int, end: int, blank: Pen) -> None:
        """Before cells from start to end are replaced: blank the halves of wide characters that would be left."""
        cells, pens = self.cells, self.pens
        if 0 < start < len(cells) and cells[start] == "":
            cells[start - 1] = cells[start] = " "
            pens[start - 1] = pens[start] = blank
        if end < len(cells) and cells[end] == "":
            cells[end - 1] = cells[end] = " "
            pens[end - 1] = pens[end] = blank

    def erase(self, start: int, end: int, blank: Pen, cols: int) -> None:
        """Blank the cells from start to end with this pen."""
        if self.wide:
            self.mend(start, end, blank)
        if end >= cols:
            self.wrapped = False
            if blank is DEFAULT:
                del self.cells[start:]
                del self.pens[start:]
                return
        elif blank is DEFAULT and start >= len(self.cells):
            return
        self.reach(end)
        self.cells[start:end] = [" "] * (end - start)
        self.pens[start:end] = [blank] * (end - start)

    def insert(self, at: int, count: int, blank: Pen, cols: int) -> None:
        """Shift what is right of `at` by so many blank cells; what leaves the row is lost."""
        if self.wide:
            self.mend(at, at, blank)
        self.reach(at)
        self.cells[at:at] = [" "] * count
        self.pens[at:at] = [blank] * count
        self.cut(cols)

    def delete(self, at: int, count: int, blank: Pen, cols: int) -> None:
        """Take so many cells out; blank ones come in from the right."""
        if self.wide:
            self.mend(at, at + count, blank)
        if blank is not DEFAULT:
            self.reach(cols)
        del self.cells[at : at + count]
        del self.pens[at : at + count]
        if blank is not DEFAULT:
            missing = cols - len(self.cells)
            self.cells.extend([" "] * missing)
            self.pens.extend([blank] * missing)
        self.wrapped = False

    def cut(self, cols: int) -> None:
        """Have at most so many cells."""
        if len(self.cells) > cols:
            if self.wide:
                self.mend(cols, len(self.cells), DEFAULT)
            del self.cells[cols:]
            del self.pens[cols:]

    def used(self) -> int:
        """How many cells there are without the blank ones at the end."""
        count = len(self.cells)
        while count and self.cells[count - 1] == " " and self.pens[count - 1] is DEFAULT:
            count -= 1
        return count


class SavedCursor:
    """What "save cursor" (DECSC) keeps. That the last column is pending is forgotten, as xterm.js and tmux do."""

    __slots__ = ("origin", "pen", "sets", "shift", "x", "y")

    def __init__(
        self,
        x: int = 0,
        y: int = 0,
        pen: Pen = DEFAULT,
        sets: tuple[str, str, str, str] = ("B", "B", "B", "B"),
        shift: int = 0,
        *,
        origin: bool = False,
    ) -> None:
        self.x = x
        self.y = y
        self.pen = pen
        self.sets = sets
        self.shift = shift
        self.origin = origin


class Grid:
    """The rows of a screen, the first on top, and what belongs to this screen alone.

    Attributes:
        rows: as many as the terminal has.
        above: rows that left the main screen at its top, the newest last.
        saved: the cursor that was saved on this screen, or None.
        keyboard: the levels of the keyboard protocol that programs have pushed (`CSI > FLAGS u`).
    """

    __slots__ = ("above", "keyboard", "rows", "saved")

    def __init__(self, height: int) -> None:
        self.rows = [Row() for _ in range(height)]
        self.above: deque[Row] = deque(maxlen=SCROLLBACK)
        self.saved: SavedCursor | None = None
        self.keyboard: list[int] = []
