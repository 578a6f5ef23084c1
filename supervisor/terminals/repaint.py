"""What to send to an empty terminal so that it shows what an emulated screen shows, and goes on as that one would."""

from __future__ import annotations

from supervisor.terminals.characters import is_doubtful
from supervisor.terminals.emulated_screen import ASCII_SETS, EmulatedScreen
from supervisor.terminals.grid import Grid, Row, SavedCursor
from supervisor.terminals.pen import DEFAULT, Pen


def replay(screen: EmulatedScreen) -> bytes:
    """Bytes for an empty terminal of the screen's size.

    It holds nothing that a terminal would answer. What has come of a sequence whose end has not come yet is at its end,
    so that all that the screen is fed later can follow. Nothing of it depends on how the bytes were cut.
    """
    screen.settle()
    out: list[str] = []
    _set_titles(screen, out)
    out.extend(f"\x1b]{key};{colour}\x1b\\" for key, colour in screen.colours.items())
    _paint(screen.main, screen, out)
    if screen.alternate is not None:
        _save_cursor(screen.main.saved, out, offset=0)
        out.append(f"\x1b[?{screen.alternate_mode}h\x1b[H")
        _paint(screen.alternate, screen, out)
    is_whole = screen.top == 0 and screen.bottom == screen.rows - 1
    if not is_whole:
        out.append(f"\x1b[{screen.top + 1};{screen.bottom + 1}r")
    _save_cursor(screen.grid.saved, out, offset=screen.top)
    _set_tabs(screen, out)
    _set_modes(screen, out)
    _place_cursor(screen, out)
    return "".join(out).encode() + screen.unfinished()


def _set_titles(screen: EmulatedScreen, out: list[str]) -> None:
    for icon, title in screen.titles:
        out.append(f"\x1b]1;{icon}\x1b\\\x1b]2;{title}\x1b\\\x1b[22;0t")
    if screen.title is not None:
        out.append(f"\x1b]2;{screen.title}\x1b\\")
    if screen.icon is not None:
        out.append(f"\x1b]1;{screen.icon}\x1b\\")


def _paint(grid: Grid, screen: EmulatedScreen, out: list[str]) -> None:
    pen = DEFAULT
    flows = False
    for y, row in enumerate(grid.rows):
        goes_on = row.wrapped and y + 1 < len(grid.rows)
        length = row.used()
        if goes_on:
            length = screen.cols
            after = grid.rows[y + 1]
            if len(after.cells) > 1 and after.cells[1] == "" and _is_blank(row, screen.cols - 1):
                # A wide character did not fit, and wraps again.
                length -= 1
        if flows:
            # Its first character has to be written: it is what wraps.
            length = max(length, 1)
        elif length:
            out.append(f"\x1b[{y + 1}H")
        pen = _paint_row(row, length, pen, out)
        flows = goes_on
    _change_pen(pen, DEFAULT, out)
    out.extend(f"\x1b[>{flags}u" for flags in grid.keyboard)


def _is_blank(row: Row, x: int) -> bool:
    return len(row.cells) <= x or (row.cells[x] == " " and row.pens[x] is DEFAULT)


def _paint_row(row: Row, length: int, pen: Pen, out: list[str]) -> Pen:
    cells, pens = row.cells, row.pens
    filled = min(length, len(cells))
    start = 0
    while start < filled:
        pen = _change_pen(pen, pens[start], out)
        end = start + 1
        while end < filled and pens[end] is pen:
            end += 1
        if row.wide or any(map(is_doubtful, cells[start:end])):
            _paint_carefully(cells, start, end, out)
        else:
            out.append("".join(cells[start:end]))
        start = end
    if length > filled:
        pen = _change_pen(pen, DEFAULT, out)
        out.append(" " * (length - filled))
    return pen


def _paint_carefully(cells: list[str], start: int, end: int, out: list[str]) -> None:
    """Name the column after a character that another terminal may take for wider or narrower."""
    for x in range(start, end):
        out.append(cells[x])
        follows = x + 1 if x + 1 < len(cells) and cells[x + 1] != "" else x + 2
        if cells[x] and is_doubtful(cells[x]) and follows < len(cells):
            out.append(f"\x1b[{follows + 1}G")


def _change_pen(old: Pen, new: Pen, out: list[str]) -> Pen:
    if new is not old:
        if new.link != old.link:
            out.append(f"\x1b]8;{new.link or ';'}\x1b\\")
        if new.sgr != old.sgr:
            out.append(new.sgr)
    return new


def _save_cursor(saved: SavedCursor | None, out: list[str], *, offset: int) -> None:
    """Have the terminal save this cursor. `offset`: the first row of the region."""
    if saved is None:
        return
    if saved.origin:
        out.append("\x1b[?6h")
    out.append(f"\x1b[{saved.y + 1 - (offset if saved.origin else 0)};{saved.x + 1}H")
    _choose_sets(saved.sets, saved.shift, out)
    _change_pen(DEFAULT, saved.pen, out)
    out.append("\x1b7")
    _change_pen(saved.pen, DEFAULT, out)
    _choose_sets(ASCII_SETS, 0, out, old=saved.sets, old_shift=saved.shift)
    if saved.origin:
        out.append("\x1b[?6l")


def _choose_sets(
    sets: tuple[str, str, str, str],
    shift: int,
    out: list[str],
    *,
    old: tuple[str, str, str, str] = ASCII_SETS,
    old_shift: int = 0,
) -> None:
    for slot, chosen, before in zip("()*+", sets, old, strict=True):
        if chosen != before:
            out.append(f"\x1b{slot}{chosen}")
    if shift != old_shift:
        out.append(("\x0f", "\x0e", "\x1bn", "\x1bo")[shift])


def _set_tabs(screen: EmulatedScreen, out: list[str]) -> None:
    if screen.tabs != set(range(8, screen.cols, 8)):
        out.append("\x1b[3g")
        out.extend(f"\x1b[{stop + 1}G\x1bH" for stop in sorted(screen.tabs))


def _set_modes(screen: EmulatedScreen, out: list[str]) -> None:
    for mode, on in screen.modes.items():
        if mode == 66:
            out.append("\x1b=" if on else "\x1b>")
        else:
            out.append(f"\x1b[?{mode}{'h' if on else 'l'}")
    out.extend(f"\x1b[?{mode}h" for mode in (screen.mouse, screen.mouse_form) if mode)
    out.extend(f"\x1b[>{resource};{value}m" for resource, value in screen.key_formats.items())
    if screen.newline:
        out.append("\x1b[20h")
    if screen.origin:
        out.append("\x1b[?6h")
    if not screen.visible:
        out.append("\x1b[?25l")
    if screen.shape:
        out.append(f"\x1b[{screen.shape} q")


def _place_cursor(screen: EmulatedScreen, out: list[str]) -> None:
    """Put the cursor where it is; where a character was just written, by writing it again.

    So the terminal knows that the last column is written, and what to repeat (REP).
    """
    rewritten = _rewritten(screen)
    x = rewritten[0] if rewritten else screen.x
    y = screen.y - (screen.top if screen.origin else 0)
    out.append(f"\x1b[{y + 1};{x + 1}H")
    pen = DEFAULT
    if rewritten:
        pen = _change_pen(pen, rewritten[2], out)
        out.append(rewritten[1])
    _change_pen(pen, screen.pen, out)
    _choose_sets(screen.sets, screen.shift, out)
    if screen.insert:
        out.append("\x1b[4h")
    if not screen.autowrap:
        out.append("\x1b[?7l")


def _rewritten(screen: EmulatedScreen) -> tuple[int, str, Pen] | None:
    """Column, text and pen of the character before the cursor, if it is to be written again."""
    row = screen.grid.rows[screen.y]
    if screen.last is not None and screen.last[1] == screen.y:
        x, _, text, pen = screen.last
        return x, text, pen
    if not screen.pending or len(row.cells) < screen.cols:
        if screen.pending:
            return screen.x, " ", row.pens[-1] if len(row.pens) > screen.x else DEFAULT
        return None
    x = screen.x
    if row.cells[x] == "" and x > 0:
        x -= 1
    return x, row.cells[x], row.pens[x]
