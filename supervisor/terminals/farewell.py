"""What brings a terminal back to plain use when it no longer shows a screen."""

from __future__ import annotations

from supervisor.terminals.emulated_screen import ASCII_SETS, EmulatedScreen
from supervisor.terminals.grid import SavedCursor

UNDONE = (1, 5, 45, 1004, 2004, 2027, 2031)
"""Modes that are off in a terminal at first. About others terminals differ, and they disturb no shell."""
_PUSHED_KEYS = "\x1b[<{}u"


def farewell(screen: EmulatedScreen) -> bytes:
    """Bytes for a terminal that shows this screen: they undo its modes and begin a new row below what is shown.

    What was printed stays. A title stays too, since the one before is not known.
    """
    screen.settle()
    # To leave the alternate screen brings the saved cursor back, with its own pen, sets and origin mode.
    restored = (screen.alternate and screen.main.saved) or SavedCursor()
    # Nothing may wait for the rest of a sequence or of a string.
    out = ["\x18"]
    if screen.alternate is not None:
        out.append(_pop_keys(len(screen.alternate.keyboard)))
        out.append(f"\x1b[?{screen.alternate_mode}l")
    out.append(_pop_keys(len(screen.main.keyboard)))
    out.extend(f"\x1b[?{mode}l" for mode in UNDONE if screen.modes.get(mode))
    if screen.modes.get(66):
        out.append("\x1b>")
    out.extend(f"\x1b[?{mode}l" for mode in (screen.mouse, screen.mouse_form) if mode)
    out.extend(f"\x1b[>{resource}m" for resource in screen.key_formats)
    if screen.insert:
        out.append("\x1b[4l")
    if screen.newline:
        out.append("\x1b[20l")
    if screen.origin or restored.origin:
        out.append("\x1b[?6l")
    if not screen.autowrap:
        out.append("\x1b[?7h")
    if not screen.visible:
        out.append("\x1b[?25h")
    if screen.shape:
        out.append("\x1b[0 q")
    # Always: what is unfinished may hold a control that is obeyed when it is broken off.
    out.append("\x1b(B\x0f")
    if screen.sets != ASCII_SETS or restored.sets != ASCII_SETS:
        out.append("\x1b)B\x1b*B\x1b+B")
    if screen.pen.link or restored.pen.link:
        out.append("\x1b]8;;\x1b\\")
    if any(key.startswith("4;") for key in screen.colours):
        out.append("\x1b]104\x1b\\")
    out.extend(f"\x1b]1{key}\x1b\\" for key in screen.colours if not key.startswith("4;"))
    if screen.tabs != list(range(8, screen.cols, 8)):
        out.append("\x1b[3g" + "".join(f"\x1b[{stop + 1}G\x1bH" for stop in range(8, screen.cols, 8)))
    y = _last_row(screen)
    # Setting the region moves the cursor, so it comes before the place.
    out.append(f"\x1b[r\x1b[0m\x1b[{y + 1}H\r\n")
    return "".join(out).encode()


def _pop_keys(count: int) -> str:
    return _PUSHED_KEYS.format(count) if count else ""


def _last_row(screen: EmulatedScreen) -> int:
    """The last row with something on it, or the cursor's if that is lower."""
    used = [y for y, row in enumerate(screen.main.rows) if row.used()]
    y = max(used, default=0)
    return max(y, screen.y) if screen.alternate is None else y
