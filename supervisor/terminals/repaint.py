"""What to send to an empty terminal so that it shows what an emulated screen shows, and goes on as that one would."""

from __future__ import annotations

from supervisor.terminals.characters import is_doubtful
from supervisor.terminals.emulated_screen import ASCII_SETS, EmulatedScreen
from supervisor.terminals.grid import Grid, Row
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
    regions = [(screen.top, screen.bottom)]
    if screen.alternate is not None:
        regions.insert(0, screen.main_region)
        _set_region(regions[:1], screen.rows, out)
        _enter_alternate(screen, out)
        # A terminal that has but one screen shows nothing of the main one then.
        out.append("\x1b[H\x1b[2J")
        _paint(screen.alternate, screen, out)
    _set_region(regions, screen.rows, out)
    _save_cursor(screen.grid, out, offset=screen.top)
    _set_tabs(screen, out)
    _set_modes(screen, out)
    _place_cursor(screen, out)
    return "".join(out).encode() + screen.unfinished()


def _set_region(regions: list[tuple[int, int]], rows: int, out: list[str]) -> None:
    """Set the last of these regions, unless all of them are the whole screen, as at first."""
    if any(region != (0, rows - 1) for region in regions):
        top, bottom = regions[-1]
        out.append(f"\x1b[{top + 1};{bottom + 1}r")


def _enter_alternate(screen: EmulatedScreen, out: list[str]) -> None:
    """Show the alternate screen, so that leaving it restores the cursor that it would restore now."""
    switch = f"\x1b[?{screen.alternate_mode}h"
    offset = screen.main_region[0]
    if screen.alternate_mode == 1049:
        _save_cursor(screen.main, out, offset=offset, by=switch)
    else:
        _save_cursor(screen.main, out, offset=offset)
        out.append(switch)


def _set_titles(screen: EmulatedScreen, out: list[str]) -> None:
    for icon, title in screen.titles:
        out.append(f"\x1b]1;{icon}\x1b\\\x1b]2;{title}\x1b\\\x1b[22;0t")
    if screen.title or screen.titles:
        out.append(f"\x1b]2;{screen.title}\x1b\\")
    if screen.icon or screen.titles:
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
            is_wide = len(after.cells) > 1 and after.cells[1] == ""
            if is_wide and after.pens[0] is DEFAULT and row.used() < screen.cols:
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


def _save_cursor(grid: Grid, out: list[str], *, offset: int, by: str = "\x1b7") -> None:
    """Have the terminal save the cursor that this grid has saved. `offset`: the first row of the region."""
    saved = grid.saved
    if saved is None:
        return
    if saved.origin:
        out.append("\x1b[?6h")
    y = saved.y - (offset if saved.origin else 0)
    out.append(f"\x1b[{y + 1};{saved.x + 1}H")
    _choose_sets(saved.sets, saved.shift, out)
    _change_pen(DEFAULT, saved.pen, out)
    out.append(by)
    _change_pen(saved.pen, DEFAULT, out)
    _choose_sets(ASCII_SETS, 0, out, old=saved.sets, old_shift=saved.shift)
    if saved.origin:
        out.append("\x1b[?6l")


def _print_again(row: Row, x: int, y: int, out: list[str]) -> Pen:
    """Print the character in the last column again: nothing else makes the next one wrap.

    Returns:
        The pen that it was printed with. The pen before has to be the default one.
    """
    text, pen = (row.cells[x], row.pens[x]) if x < len(row.cells) else (" ", DEFAULT)
    if text == "" and x > 0:
        x -= 1
        text = row.cells[x]
    out.append(f"\x1b[{y + 1};{x + 1}H")
    _change_pen(DEFAULT, pen, out)
    out.append(text)
    return pen


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
    if screen.tabs != list(range(8, screen.cols, 8)):
        out.append("\x1b[3g")
        out.extend(f"\x1b[{stop + 1}G\x1bH" for stop in screen.tabs)


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
    """Put the cursor where it is, and leave the terminal as the last thing that was read left it.

    If a character was just printed, it is printed again, as the very last: so the terminal knows what to repeat (REP).
    If the last column is pending, its character is printed again too, since nothing else brings that about.
    """
    offset = screen.top if screen.origin else 0
    if screen.last is not None and not screen.insert:
        x, y, text, pen = screen.last
        _how_to_print(screen, out)
        out.append(f"\x1b[{y + 1 - offset};{x + 1}H")
        _change_pen(DEFAULT, pen, out)
        out.append(text)
        return
    if screen.pending:
        pen = _print_again(screen.grid.rows[screen.y], screen.x, screen.y - offset, out)
        _change_pen(pen, screen.pen, out)
        # Colours make the terminal forget what it could repeat.
        out.append(screen.pen.sgr)
    else:
        out.append(f"\x1b[{screen.y + 1 - offset};{screen.x + 1}H")
        _change_pen(DEFAULT, screen.pen, out)
    _how_to_print(screen, out)


def _how_to_print(screen: EmulatedScreen, out: list[str]) -> None:
    _choose_sets(screen.sets, screen.shift, out)
    if screen.insert:
        out.append("\x1b[4h")
    if not screen.autowrap:
        out.append("\x1b[?7l")
