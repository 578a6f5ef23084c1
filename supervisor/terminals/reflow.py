"""Breaks the lines of a screen anew for another width, as xterm.js does: what was wrapped is joined first.

The line with the cursor is cut or stays as it is, since shells draw it anew themselves.
"""

from __future__ import annotations

from collections.abc import Iterator

from supervisor.terminals.grid import Row


def reflow(rows: list[Row], cols: int, y: int) -> tuple[list[Row], int]:
    """The rows for a screen of so many columns, whose number may be another, and the cursor's new row.

    Args:
        rows: all rows, also those above the screen.
        cols: the new width.
        y: the row with the cursor.
    """
    found: list[Row] = []
    new_y = y
    at = 0
    for line in _lines(rows):
        if at <= y < at + len(line):
            new_y = len(found) + y - at
            for row in line:
                row.cut(cols)
            found += line
        elif len(line) == 1 and len(line[0].cells) <= cols:
            found += line
        else:
            found += _broken(line, cols)
        at += len(line)
    return found, new_y


def _lines(rows: list[Row]) -> Iterator[list[Row]]:
    """Rows that are one line of text."""
    line: list[Row] = []
    for row in rows:
        if line and row.cells[1:2] == [""] and line[-1].cells[-1:] == [" "]:
            # The last column stayed empty since this wide character did not fit.
            line[-1].cut(len(line[-1].cells) - 1)
        line.append(row)
        if not row.wrapped:
            yield line
            line = []
    if line:
        yield line


def _broken(line: list[Row], cols: int) -> Iterator[Row]:
    cells = [cell for row in line for cell in row.cells]
    pens = [pen for row in line for pen in row.pens]
    wide = any(row.wide for row in line)
    start = 0
    while True:
        end = min(start + cols, len(cells))
        if end < len(cells) and cells[end] == "" and end - start > 1:
            end -= 1  # a wide character goes to the next row whole
        row = Row()
        row.cells = cells[start:end]
        row.pens = pens[start:end]
        row.wide = wide
        row.wrapped = end < len(cells)
        yield row
        start = end
        if start >= len(cells):
            return
