"""What an emulated screen is made of, as data that tests compare."""

from __future__ import annotations

from typing import Any

from supervisor.terminals.emulated_screen import EmulatedScreen
from supervisor.terminals.grid import Grid, SavedCursor


def state(screen: EmulatedScreen) -> dict[str, Any]:
    """All that is to be the same on a terminal that was sent the replay."""
    unfinished = screen.unfinished()
    return {
        "main": rows(screen.main),
        "alternate": screen.alternate and rows(screen.alternate),
        "alternate mode": screen.alternate is not None and screen.alternate_mode,
        "cursor": (screen.x, screen.y, screen.pending, screen.visible, screen.shape),
        "pen": (screen.pen.sgr, screen.pen.link),
        "sets": (screen.sets, screen.shift),
        "region": (screen.top, screen.bottom, screen.alternate and screen.main_region),
        "modes": (screen.origin, screen.autowrap, screen.insert, screen.newline, screen.modes),
        "mouse": (screen.mouse, screen.mouse_form),
        "keys": (screen.key_formats, screen.main.keyboard, screen.alternate and screen.alternate.keyboard),
        "tabs": screen.tabs,
        "titles": (screen.title, screen.icon, screen.titles),
        "colours": screen.colours,
        "saved": saved(screen.main.saved),
        "saved on the alternate screen": screen.alternate and saved(screen.alternate.saved),
        "last": None if screen.insert else screen.last and (screen.last[:3], screen.last[3].sgr),
        "unfinished": unfinished,
    }


def rows(grid: Grid) -> list[tuple[str, list[str], bool]]:
    found = []
    for row in grid.rows:
        end = row.used()
        pens = [pen.sgr + pen.link for pen in row.pens[:end]]
        found.append(("|".join(row.cells[:end]), pens, row.wrapped and row is not grid.rows[-1]))
    return found


def saved(cursor: SavedCursor | None) -> Any:
    if cursor is None:
        return None
    return (cursor.x, cursor.y, cursor.pen.sgr, cursor.sets, cursor.shift, cursor.origin)
