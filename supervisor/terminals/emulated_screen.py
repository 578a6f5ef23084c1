"""An emulated terminal: what its screen shows after all that was sent to it."""

from __future__ import annotations

import codecs
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable
from functools import lru_cache

from supervisor.terminals.characters import NARROW, SETS, width
from supervisor.terminals.grid import SCROLLBACK, Grid, Row, SavedCursor
from supervisor.terminals.pen import DEFAULT, Pen
from supervisor.terminals.reflow import reflow
from supervisor.terminals.sequences import (
    BODY,
    COLOURS,
    CONTROLS,
    ESCAPE,
    LINES,
    MOST_SEQUENCE,
    MOST_STRING,
    RUBBISH,
    STRING_ENDS,
    STRINGS,
    TOKEN,
)

MOST_UNREAD_BYTES = 1 << 16
"""What is fed waits up to this size: of a flood, only what is still to be seen at its end is looked at."""
MOST_PENS = 1024
MOST_CACHED = 64
"""Parameters that are longer are no programs' own, and not kept in memory."""
MOST_COLOUR = 64
"""How long the name of a colour may be, and MOST_LINK how long a link."""
MOST_LINK = 2048
MOST_STACK = 16
MOST_JOINED = 16
"""How many characters one cell may hold: one and what combines with it."""
ASCII_SETS = ("B", "B", "B", "B")

MOUSE_MODES = (9, 1000, 1001, 1002, 1003)
"""Which clicks and moves are told; one of them at most is on."""
MOUSE_FORMS = (1005, 1006, 1015, 1016)
"""In which form; one of them at most is on."""
PLAIN_MODES = (1, 5, 8, 12, 45, 66, 1004, 1007, 1034, 1035, 1036, 1039, 2004, 2027, 2031)
"""Private modes that are kept as they are. Those of the screen itself (6, 7, 25, 47, 1049) have fields of their own.
2026 (hold back what is drawn) and 2048 (tell sizes, at once) would not do what they are for when they come later."""


class EmulatedScreen:
    """The screen of a terminal of xterm's kind.

    Attributes, true after `settle`, and written by nobody else:
        cols, rows: the size.
        grid: what is shown, `main` or `alternate` (None unless it is shown).
        alternate_mode: how the alternate screen was entered: 47, 1047 or 1049.
        x, y: the cursor, from 0.
        pending: whether the last column is written, so that the next character wraps.
        pen: what characters are written with.
        sets, shift: the four character sets, and which of them is used.
        top, bottom: the first and the last row of the scroll region.
        main_region: what they were when the alternate screen was entered. They stay as they are then, but some
            terminals (xterm.js) have a region for each screen.
        origin, autowrap, insert, newline: modes that change what the screen does.
        visible, shape: of the cursor; shapes are those of DECSCUSR.
        tabs: the columns of the tab stops, in order.
        modes: {private mode: whether it is on}, of those that a program has set.
        mouse, mouse_form: private modes; 0: none.
        key_formats: {resource: value} as `CSI > ... m` sets them.
        title, icon: what was set; titles: the stack of both.
        colours: {"4;N", "10", ...: what OSC has set it to}.
        last: (x, y, text, pen) of the character that was printed just before, for REP; else None.
    """

    def __init__(self, cols: int, rows: int) -> None:
        self.cols = cols
        self.rows = rows
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._unread: list[bytes] = []
        self._unread_bytes = 0
        self._waiting = ""
        self._string = ""
        self._string_text: list[str] = []
        self._string_room = 0
        self._overlong = False
        self._pens: dict[tuple[str, str], Pen] = {}
        self._changes: dict[tuple[Pen, str], Pen] = {}
        self._reset()

    def _reset(self) -> None:
        self.main = Grid(self.rows)
        self.alternate: Grid | None = None
        self.grid = self.main
        self.alternate_mode = 0
        self.main_region = (0, self.rows - 1)
        self.tabs = list(range(8, self.cols, 8))
        self.key_formats: dict[int, str] = {}
        self.title = ""
        self.icon = ""
        self.titles: list[tuple[str, str]] = []
        self.colours: dict[str, str] = {}
        self.modes: dict[int, bool] = {}
        self.mouse = 0
        self.mouse_form = 0
        self.shape = 0
        self.newline = False
        self.autowrap = True
        self.x = self.y = 0
        self.pending = False
        self._reset_softly()
        self._pens = {(DEFAULT.sgr, ""): DEFAULT}
        self._changes = {}

    def _reset_softly(self) -> None:
        self.pen = DEFAULT
        self.sets: tuple[str, str, str, str] = ASCII_SETS
        self.shift = 0
        self.top = 0
        self.bottom = self.rows - 1
        self.origin = False
        self.insert = False
        self.visible = True
        self.last: tuple[int, int, str, Pen] | None = None
        self.grid.saved = None
        self.modes.pop(1, None)
        self.modes.pop(66, None)

    # What goes in.

    def feed(self, data: bytes) -> None:
        """Take what the terminal is sent, cut anywhere."""
        self._unread.append(data)
        self._unread_bytes += len(data)
        if self._unread_bytes >= MOST_UNREAD_BYTES:
            self.settle()

    def settle(self) -> None:
        """Look at everything that was fed. Every use of the screen's attributes begins with it."""
        if not self._unread_bytes:
            return
        text = self._decoder.decode(b"".join(self._unread))
        self._unread.clear()
        self._unread_bytes = 0
        if self._waiting:
            text = self._waiting + text
            self._waiting = ""
        self._read(text, self._skip(text))

    def unfinished(self) -> bytes:
        """What has come of a character or a sequence whose end has not come yet."""
        self.settle()
        partial = self._decoder.getstate()[0]
        if self._string:
            return ("\x1b" + self._string + "".join(self._string_text)).encode() + partial
        if self._overlong:
            return b"\x1b[" + partial
        return self._waiting.encode() + partial

    def resize(self, cols: int, rows: int) -> None:
        """Give the screen another size.

        As in xterm.js: rows below the cursor go before those on top, those above come back, and lines of the main
        screen are broken anew. What a program has drawn on the alternate screen is cut.
        """
        self.settle()
        for grid in (self.main, self.alternate):
            if grid is not None:
                self._resize_grid(grid, cols, rows)
        self.tabs = [stop for stop in self.tabs if stop < cols]
        self.tabs += [stop for stop in range(8, cols, 8) if stop >= self.cols]
        self.cols = cols
        self.rows = rows
        self.last = None
        self.top = 0
        self.bottom = rows - 1
        self.main_region = (0, rows - 1)

    def _resize_grid(self, grid: Grid, cols: int, rows: int) -> None:
        is_shown = grid is self.grid
        place = self if is_shown else grid.saved or SavedCursor()
        x = place.x + (is_shown and self.pending)
        y = self._resize_height(grid, rows, place.y)
        if grid is self.main and cols != self.cols:
            y = _resize_width(grid, cols, rows, y)
        else:
            for row in grid.rows:
                row.cut(cols)
        if is_shown:
            self.pending = self.pending and cols == self.cols
            self.x, self.y = min(x, cols - 1), y
        elif grid.saved:
            grid.saved.y = y
        if grid.saved:
            grid.saved.x = min(grid.saved.x, cols - 1)
            grid.saved.y = min(grid.saved.y, rows - 1)

    def _resize_height(self, grid: Grid, rows: int, y: int) -> int:
        """Give a screen, whose cursor is in row y, another height. Returns the cursor's new row."""
        excess = len(grid.rows) - rows
        if excess > 0:
            below = min(excess, len(grid.rows) - 1 - y)
            if below:
                del grid.rows[-below:]
            on_top = excess - below
            if grid is self.main:
                grid.above.extend(grid.rows[:on_top])
            del grid.rows[:on_top]
            return max(0, y - on_top)
        # Where something stands below the cursor, a program has put it there.
        back = min(-excess, len(grid.above)) if y == len(grid.rows) - 1 else 0
        grid.rows[:0] = [grid.above.pop() for _ in range(back)][::-1]
        grid.rows.extend(Row() for _ in range(-excess - back))
        return y + back

    # The grammar.

    def _skip(self, text: str) -> int:
        """Skip what has scrolled away by the end of the text, but for what it does to the pen.

        Returns:
            Where to begin to read. What is skipped is lines with colours and nothing else, which scroll the whole
            screen. So many lines follow that all that they have left on it, and above, is gone.
        """
        rows = self.rows
        wanted = rows + (SCROLLBACK if self.grid is self.main else 0)
        if self._string or self._overlong or self.top != 0 or self.bottom != rows - 1:
            return 0
        if text.count("\n") < wanted + 2 * rows:
            return 0
        end = len(text)
        for _ in range(wanted + 1):
            end = text.rfind("\n", 0, end)
        end += 1
        if text[end - 2] != "\r" or not LINES.fullmatch(text, 0, end):
            return 0
        changes = COLOURS.findall(text, 0, end)
        first = len(changes)
        while first and changes[first - 1] not in ("", "0"):
            first -= 1
        for parameters in changes[max(0, first - 1) :]:
            self._set_pen(parameters)
        self.grid.rows = [Row() for _ in range(rows)]
        self.x = 0
        self.y = rows - 1
        self.pending = False
        self.last = None
        return end

    def _read(self, text: str, at: int) -> None:
        end = len(text)
        match = TOKEN.match
        obey = self._obey_csi
        while at < end:
            if self._string:
                at = self._read_string(text, at)
                continue
            if self._overlong:
                at = self._read_overlong(text, at)
                continue
            token = match(text, at)
            if token is None:
                at = self._read_unusual(text, at)
                if at < 0:
                    return
                continue
            at = token.end()
            kind = token.lastindex
            if kind == 1:
                self._print(token[1])
            elif kind == 2:
                self._control(token[2])
            elif kind == 6:
                if at - token.start() > MOST_SEQUENCE:
                    continue
                if token[6] == "m" and not token[3] and not token[5]:
                    self._set_pen(token[4])
                else:
                    obey(token[3], token[4], token[5], token[6])
            else:
                self._obey_escape(token[7], token[8])

    def _read_unusual(self, text: str, at: int) -> int:
        """Read a string's beginning, a sequence with controls in it, or one that is unfinished.

        Returns:
            Where to go on; -1: all that is left waits for more.
        """
        start = at
        if text[at] == "\x1b":
            controls = ESCAPE.match(text, at)
            assert controls is not None
            at = controls.end()
            if at == len(text):
                return self._wait(text, start)
            between = controls[1]
        else:
            between = ""
        introducer = text[at]
        if introducer in STRINGS and (start < at or introducer >= "\x80"):
            self._execute(between)
            self._string = STRINGS[introducer]
            self._string_text = []
            self._string_room = MOST_STRING
            return at + 1
        if introducer in "\x18\x1a":
            self._execute(between)
            return at + 1
        if introducer == "\x1b" or "\x80" <= introducer <= "\x9f":
            if introducer == "\x9b" and start == at:
                return self._read_body(text, start, at + 1, "")
            self._execute(between)
            return at
        if introducer == "[":
            return self._read_body(text, start, at + 1, between)
        return self._read_body(text, start, at, between, escape=True)

    def _read_body(self, text: str, start: int, at: int, between: str, *, escape: bool = False) -> int:
        """Read what follows `ESC [` (or, for `escape`, ESC alone), controls within included."""
        body = BODY.match(text, at)
        assert body is not None
        end = body.end()
        if escape:
            # Digits and the like are last characters here.
            last = next((n for n in range(at, end) if "0" <= text[n] <= "?"), end)
            end = last
        if end == len(text):
            if end - start > MOST_SEQUENCE:
                self._overlong = True
                return end
            return self._wait(text, start)
        if end + 1 - start > MOST_SEQUENCE:
            return end + (text[end] not in "\x1b" and not "\x80" <= text[end] <= "\x9f")
        self._execute(between + text[at:end])
        final = text[end]
        if final in "\x18\x1a":
            return end + 1
        if final == "\x1b" or "\x80" <= final <= "\x9f":
            return end
        clean = ("\x1b" if escape else "\x1b[") + RUBBISH.sub("", text[at : end + 1])
        token = TOKEN.fullmatch(clean)
        if token is not None and token.lastindex == 6:
            self._obey_csi(token[3], token[4], token[5], token[6])
        elif token is not None and token.lastindex == 8:
            self._obey_escape(token[7], token[8])
        return end + 1

    def _wait(self, text: str, start: int) -> int:
        if len(text) - start > MOST_SEQUENCE:
            self._overlong = True
        else:
            self._waiting = text[start:]
        return -1

    def _read_overlong(self, text: str, at: int) -> int:
        body = BODY.match(text, at)
        assert body is not None
        end = body.end()
        if end == len(text):
            return end
        self._overlong = False
        return end + (text[end] not in "\x1b" and not "\x80" <= text[end] <= "\x9f")

    def _read_string(self, text: str, at: int) -> int:
        ends = STRING_ENDS.get(self._string, STRING_ENDS["P"])
        found = ends.search(text, at)
        end = found.start() if found else len(text)
        if self._string_room > 0:
            part = text[at : min(end, at + self._string_room)]
            self._string_room -= end - at
            if part:
                self._string_text.append(part)
        if found is None:
            return end
        kind, self._string = self._string, ""
        last = text[end]
        if kind == "]" and last not in "\x18\x1a" and self._string_room >= 0:
            self._obey_osc("".join(self._string_text))
        self._string_text = []
        return end if last == "\x1b" else end + 1

    def _execute(self, characters: str) -> None:
        for control in CONTROLS.findall(characters):
            self._control(control)

    # Printing.

    def _print(self, text: str) -> None:
        choice = SETS.get(self.sets[self.shift])
        if choice is not None:
            text = text.translate(choice)
        if text.isascii() or NARROW.fullmatch(text):
            self._put(text)
            return
        at = 0
        while at < len(text):
            narrow = NARROW.match(text, at)
            if narrow:
                self._put(narrow[0])
                at = narrow.end()
                continue
            character = text[at]
            at += 1
            match width(character):
                case 0:
                    self._join(character)
                case 1:
                    self._put(character)
                case _:
                    self._put_wide(character)

    def _put(self, text: str) -> None:
        cols = self.cols
        pen = self.pen
        at = 0
        length = len(text)
        while at < length:
            if self.pending:
                if self.autowrap:
                    self._wrap()
                else:
                    # All of it goes to the last column, one over the other.
                    self.pending = False
            x = self.x
            count = min(cols - x, length - at)
            part = text[at : at + count]
            at += count
            if not self.autowrap and x + count == cols and at < length:
                part = part[:-1] + text[-1]
                at = length
            row = self.grid.rows[self.y]
            if self.insert:
                row.insert(x, count, DEFAULT, cols)
            cells = row.cells
            missing = x - len(cells)
            if missing > 0:
                row.reach(x)
            if row.wide:
                row.mend(x, x + count, pen)
            cells[x : x + count] = part
            row.pens[x : x + count] = [pen] * count
            x += count
            if x == cols:
                self.x = cols - 1
                self.pending = True
            else:
                self.x = x
            self.last = (x - 1, self.y, part[-1], pen)

    def _put_wide(self, character: str) -> None:
        cols = self.cols
        if cols < 2:
            return
        if self.pending or self.x == cols - 1:
            if not self.autowrap:
                return
            if not self.pending:
                # It does not fit: the last column stays empty.
                row = self.grid.rows[self.y]
                row.reach(cols)
                if row.wide:
                    row.mend(cols - 1, cols, self.pen)
                row.cells[-1] = " "
                row.pens[-1] = self.pen
            self._wrap()
        row = self.grid.rows[self.y]
        x = self.x
        if self.insert:
            row.insert(x, 2, DEFAULT, cols)
        row.reach(x)
        row.wide = True
        row.mend(x, x + 2, self.pen)
        row.cells[x : x + 2] = [character, ""]
        row.pens[x : x + 2] = [self.pen, self.pen]
        self.pending = x + 2 == cols
        self.x = cols - 1 if self.pending else x + 2
        self.last = (x, self.y, character, self.pen)

    def _join(self, character: str) -> None:
        """Add what combines to the character before the cursor."""
        x = self.x if self.pending else self.x - 1
        if x < 0:
            return
        row = self.grid.rows[self.y]
        row.reach(x + 1)
        cells = row.cells
        if cells[x] == "" and x > 0:
            x -= 1
        if len(cells[x]) < MOST_JOINED:
            cells[x] += character
            if self.last is not None and self.last[:2] == (x, self.y):
                self.last = (x, self.y, cells[x], self.last[3])

    def _wrap(self) -> None:
        self.grid.rows[self.y].wrapped = True
        self._index()
        self.x = 0
        self.pending = False

    def _index(self) -> None:
        """One row down; at the end of the region it scrolls."""
        if self.y == self.bottom:
            self._scroll_up(self.top, self.bottom, 1)
        elif self.y < self.rows - 1:
            self.y += 1

    def _reverse_index(self) -> None:
        if self.y == self.top:
            self._scroll_down(self.top, self.bottom, 1)
        elif self.y > 0:
            self.y -= 1

    def _blank_row(self) -> Row:
        row = Row()
        blank = self.pen.blank
        if blank is not DEFAULT:
            row.erase(0, self.cols, blank, self.cols)
        return row

    def _scroll_up(self, top: int, bottom: int, count: int) -> None:
        rows = self.grid.rows
        count = min(count, bottom - top + 1)
        if top == 0 and self.grid is self.main:
            self.main.above.extend(rows[:count])
        del rows[top : top + count]
        rows[bottom + 1 - count : bottom + 1 - count] = [self._blank_row() for _ in range(count)]

    def _scroll_down(self, top: int, bottom: int, count: int) -> None:
        rows = self.grid.rows
        count = min(count, bottom - top + 1)
        del rows[bottom + 1 - count : bottom + 1]
        rows[top:top] = [self._blank_row() for _ in range(count)]

    # Controls.

    def _control(self, control: str) -> None:
        if control == "\r\n":
            self._next_line()
        elif control == "\r":
            self.x = 0
            self.pending = False
        elif control in "\n\v\f":
            self._line_feed()
            if self.newline:
                self.x = 0
        elif control == "\b":
            self.x = max(0, self.x - 1)
            self.pending = False
        elif control == "\t":
            self._tab(1)
        elif control == "\x0e":
            self.shift = 1
        elif control == "\x0f":
            self.shift = 0
        elif control >= "\x80":
            self._obey_escape("", chr(ord(control) - 0x40))
            return
        else:
            return
        self.last = None

    def _tab(self, count: int) -> None:
        if self.x < self.cols - 1:
            at = bisect_right(self.tabs, self.x) + count - 1
            self.x = self.tabs[at] if at < len(self.tabs) else self.cols - 1

    def _tab_back(self, count: int) -> None:
        self.pending = False
        at = bisect_left(self.tabs, self.x) - count
        self.x = self.tabs[at] if at >= 0 else 0

    def _move(self, x: int, y: int) -> None:
        self.x = max(0, min(x, self.cols - 1))
        self.y = max(0, min(y, self.rows - 1))
        self.pending = False

    def _move_to(self, x: int, y: int) -> None:
        """To a place as programs name it: in origin mode rows are those of the region."""
        if self.origin:
            self._move(x, max(self.top, min(self.top + y, self.bottom)))
        else:
            self._move(x, y)

    def _up(self, count: int) -> None:
        limit = self.top if self.y >= self.top else 0
        self._move(self.x, max(limit, self.y - count))

    def _down(self, count: int) -> None:
        limit = self.bottom if self.y <= self.bottom else self.rows - 1
        self._move(self.x, min(limit, self.y + count))

    def _up_to_start(self, count: int) -> None:
        self._up(count)
        self.x = 0

    def _down_to_start(self, count: int) -> None:
        self._down(count)
        self.x = 0

    # Sequences.

    def _obey_escape(self, between: str, final: str) -> None:
        self.last = None
        if between == "":
            action = _ESCAPES.get(final)
            if action is not None:
                action(self)
        elif between in ("(", ")", "*", "+"):
            sets = list(self.sets)
            sets["()*+".index(between)] = final
            self.sets = (sets[0], sets[1], sets[2], sets[3])
        elif between == "#" and final == "8":
            self._fill()

    def _fill(self) -> None:
        """The test picture of DECALN: all E."""
        for row in self.grid.rows:
            row.cells = ["E"] * self.cols
            row.pens = [DEFAULT] * self.cols
            row.wrapped = row.wide = False
        self.top = 0
        self.bottom = self.rows - 1
        self._move(0, 0)

    def _save_cursor(self) -> None:
        self.grid.saved = SavedCursor(self.x, self.y, self.pen, self.sets, self.shift, origin=self.origin)

    def _restore_cursor(self) -> None:
        saved = self.grid.saved or SavedCursor()
        self.origin = saved.origin
        self._move(saved.x, saved.y)
        self.pen = saved.pen
        self.sets = saved.sets
        self.shift = saved.shift

    def _next_line(self) -> None:
        self.x = 0
        self._line_feed()

    def _line_feed(self) -> None:
        self.pending = False
        # A line that is ended here does not go on in the next row.
        self.grid.rows[self.y].wrapped = False
        self._index()

    def _line_back(self) -> None:
        self.pending = False
        self._reverse_index()

    def _set_tab(self) -> None:
        if self.x not in self.tabs:
            insort(self.tabs, self.x)

    def _set_pen(self, parameters: str) -> None:
        self.last = None
        if len(parameters) > MOST_CACHED:
            self.pen = self._interned(self.pen.changed(parameters))
            return
        key = (self.pen, parameters)
        pen = self._changes.get(key)
        if pen is None:
            pen = self._changes[key] = self._interned(self.pen.changed(parameters))
        self.pen = pen

    def _interned(self, pen: Pen) -> Pen:
        """The one pen that looks so. Forgets all when there are many; a few may then exist twice, which is harmless."""
        if len(self._pens) > MOST_PENS or len(self._changes) > MOST_PENS:
            self._pens = {(DEFAULT.sgr, ""): DEFAULT}
            self._changes = {}
        return self._pens.setdefault((pen.sgr, pen.link), pen)

    def _obey_csi(self, prefix: str, parameters: str, between: str, final: str) -> None:
        if final == "b" and not prefix and not between:
            self._repeat(_numbers(parameters))
            return
        self.last = None
        if ":" in parameters and final != "m":
            return
        numbers = _numbers(parameters) if ":" not in parameters else ()
        action = _CSI.get(prefix + between + final)
        if action is not None:
            action(self, numbers)
        elif final == "m" and not prefix and not between:
            self._set_pen(parameters)
        elif final == "m" and prefix == ">" and not between:
            if numbers:
                self.key_formats[numbers[0]] = str(numbers[1]) if len(numbers) > 1 else ""
                if len(self.key_formats) > MOST_STACK:
                    self.key_formats.clear()
        elif final in "hl" and prefix in ("", "?") and not between:
            for number in numbers:
                if prefix:
                    self._set_private_mode(number, on=final == "h")
                elif number == 4:
                    self.insert = final == "h"
                elif number == 20:
                    self.newline = final == "h"

    def _repeat(self, numbers: tuple[int, ...]) -> None:
        if self.last is not None:
            text = self.last[2]
            columns = width(text[0])
            a_row = max(1, self.cols // max(1, columns))
            enough = a_row * (self.rows + 1)
            count = _at_least_one(numbers)
            if count > enough:
                # More rows of the same do not change the screen.
                count = enough + (count - enough) % a_row
            if len(text) == columns == 1:
                self._put(text * count)
            else:
                for _ in range(count):
                    if columns == 2:
                        self._put_wide(text[0])
                    else:
                        self._put(text[0])
                    for mark in text[1:]:
                        self._join(mark)
        self.last = None

    def _set_private_mode(self, number: int, *, on: bool) -> None:
        if number == 6:
            self.origin = on
            self._move_to(0, 0)
        elif number == 7:
            self.autowrap = on
        elif number == 25:
            self.visible = on
        elif number in (47, 1047, 1049):
            self._switch_screen(number, on=on)
        elif number == 1048:
            if on:
                self._save_cursor()
            else:
                self._restore_cursor()
        elif number in MOUSE_MODES:
            self.mouse = number if on else 0
        elif number in MOUSE_FORMS:
            self.mouse_form = number if on else 0
        elif number in PLAIN_MODES:
            self.modes[number] = on

    def _switch_screen(self, number: int, *, on: bool) -> None:
        if on:
            if number == 1049:
                self._save_cursor()
            if self.alternate is None:
                self.alternate = self.grid = Grid(self.rows)
                self.grid.rows = [self._blank_row() for _ in range(self.rows)]
                self.alternate_mode = number
                self.main_region = (self.top, self.bottom)
            return
        if self.alternate is not None:
            self.alternate = None
            self.grid = self.main
        if number == 1049:
            self._restore_cursor()

    def _erase_display(self, numbers: tuple[int, ...]) -> None:
        rows = self.grid.rows
        which = numbers[0]
        if which == 0:
            self._erase_line(numbers)
            erased = rows[self.y + 1 :]
        elif which == 1:
            self._erase_line(numbers)
            erased = rows[: self.y]
        elif which == 2:
            erased = rows
        else:
            if which == 3:
                self.main.above.clear()
            return
        for row in erased:
            row.erase(0, self.cols, self.pen.blank, self.cols)

    def _erase_line(self, numbers: tuple[int, ...]) -> None:
        row = self.grid.rows[self.y]
        match numbers[0]:
            case 0:
                # What is pending stands behind the last column: there is nothing to erase.
                start, end = self.x + self.pending, self.cols
            case 1:
                start, end = 0, self.x + 1
            case 2:
                start, end = 0, self.cols
            case _:
                return
        if start < end:
            row.erase(start, end, self.pen.blank, self.cols)

    def _erase_characters(self, numbers: tuple[int, ...]) -> None:
        self.pending = False
        end = min(self.cols, self.x + _at_least_one(numbers))
        self.grid.rows[self.y].erase(self.x, end, self.pen.blank, self.cols)

    def _insert_characters(self, numbers: tuple[int, ...]) -> None:
        self.pending = False
        count = min(_at_least_one(numbers), self.cols - self.x)
        self.grid.rows[self.y].insert(self.x, count, self.pen.blank, self.cols)

    def _delete_characters(self, numbers: tuple[int, ...]) -> None:
        self.pending = False
        count = min(_at_least_one(numbers), self.cols - self.x)
        self.grid.rows[self.y].delete(self.x, count, self.pen.blank, self.cols)

    def _insert_lines(self, numbers: tuple[int, ...]) -> None:
        self.pending = False
        if self.top <= self.y <= self.bottom:
            self._scroll_down(self.y, self.bottom, _at_least_one(numbers))
            self._move(0, self.y)

    def _delete_lines(self, numbers: tuple[int, ...]) -> None:
        self.pending = False
        if self.top <= self.y <= self.bottom:
            rows = self.grid.rows
            count = min(_at_least_one(numbers), self.bottom - self.y + 1)
            del rows[self.y : self.y + count]
            at = self.bottom + 1 - count
            rows[at:at] = [self._blank_row() for _ in range(count)]
            self._move(0, self.y)

    def _set_region(self, numbers: tuple[int, ...]) -> None:
        top = max(1, numbers[0])
        bottom = min((numbers[1] if len(numbers) > 1 else 0) or self.rows, self.rows)
        if top < bottom:
            self.top = top - 1
            self.bottom = bottom - 1
            self._move_to(0, 0)

    def _clear_tabs(self, numbers: tuple[int, ...]) -> None:
        if numbers[0] == 0:
            self.tabs = [stop for stop in self.tabs if stop != self.x]
        elif numbers[0] == 3:
            self.tabs.clear()

    def _set_shape(self, numbers: tuple[int, ...]) -> None:
        if numbers[0] <= 6:
            self.shape = numbers[0]

    def _operate_window(self, numbers: tuple[int, ...]) -> None:
        if numbers[0] == 22 and len(self.titles) < MOST_STACK:
            self.titles.append((self.icon, self.title))
        elif numbers[0] == 23 and self.titles:
            icon, title = self.titles.pop()
            which = numbers[1] if len(numbers) > 1 else 0
            if which in (0, 1):
                self.icon = icon
            if which in (0, 2):
                self.title = title

    def _push_keyboard(self, numbers: tuple[int, ...]) -> None:
        self.grid.keyboard = [*self.grid.keyboard, numbers[0]][-MOST_STACK:]

    def _pop_keyboard(self, numbers: tuple[int, ...]) -> None:
        del self.grid.keyboard[-_at_least_one(numbers) :]

    def _set_keyboard(self, numbers: tuple[int, ...]) -> None:
        stack = self.grid.keyboard
        if not stack:
            stack.append(0)
        match numbers[1] if len(numbers) > 1 else 1:
            case 1:
                stack[-1] = numbers[0]
            case 2:
                stack[-1] |= numbers[0]
            case 3:
                stack[-1] &= ~numbers[0]
            case _:
                pass

    def _obey_osc(self, text: str) -> None:
        self.last = None
        number, _, rest = text.partition(";")
        if number in ("0", "1", "2"):
            if number != "1":
                self.title = rest
            if number != "2":
                self.icon = rest
        elif number == "8":
            _, separator, uri = rest.partition(";")
            if separator and len(rest) <= MOST_LINK:
                self.pen = self._interned(self.pen.linked(rest if uri else ""))
        elif number == "4":
            fields = rest.split(";")
            for index, colour in zip(fields[::2], fields[1::2], strict=False):
                if index.isdecimal() and len(index) < 5 and int(index) < 256 and _is_colour(colour):
                    self.colours[f"4;{int(index)}"] = colour
        elif number in ("10", "11", "12"):
            for offset, colour in enumerate(rest.split(";")[: 13 - int(number)]):
                if _is_colour(colour):
                    self.colours[str(int(number) + offset)] = colour
        elif number == "104":
            wanted = [f"4;{index}" for index in rest.split(";") if index]
            for key in wanted or [key for key in self.colours if key.startswith("4;")]:
                self.colours.pop(key, None)
        elif number in ("110", "111", "112"):
            self.colours.pop(number[1:], None)


def _resize_width(grid: Grid, cols: int, rows: int, y: int) -> int:
    """Break the lines of the main screen, whose cursor is in row y, anew. Returns the cursor's new row."""
    is_first = not grid.above
    found, y = reflow([*grid.above, *grid.rows], cols, y + len(grid.above))
    excess = len(found) - rows
    if is_first and excess > 0:
        # Nothing has scrolled away yet: what is below the cursor makes room.
        del found[len(found) - min(excess, len(found) - 1 - y) :]
    found += [Row() for _ in range(rows - len(found))]
    grid.rows = found[-rows:]
    grid.above.clear()
    grid.above.extend(found[:-rows])
    return max(0, y - (len(found) - rows))


def _is_colour(text: str) -> bool:
    return text != "?" and len(text) <= MOST_COLOUR


def _numbers(parameters: str) -> tuple[int, ...]:
    """The numbers of a sequence; one that is left out is 0. At least one."""
    return _few_numbers(parameters) if len(parameters) <= MOST_CACHED else _many_numbers(parameters)


@lru_cache(maxsize=4096)
def _few_numbers(parameters: str) -> tuple[int, ...]:
    return _many_numbers(parameters)


def _many_numbers(parameters: str) -> tuple[int, ...]:
    return tuple(min(int(field or "0"), 65535) for field in parameters.split(";"))


def _at_least_one(numbers: tuple[int, ...]) -> int:
    return max(1, numbers[0])


_ESCAPES: dict[str, Callable[[EmulatedScreen], None]] = {
    "7": EmulatedScreen._save_cursor,
    "8": EmulatedScreen._restore_cursor,
    "D": EmulatedScreen._line_feed,
    "E": EmulatedScreen._next_line,
    "H": EmulatedScreen._set_tab,
    "M": EmulatedScreen._line_back,
    "c": EmulatedScreen._reset,
    "=": lambda screen: screen.modes.__setitem__(66, True),
    ">": lambda screen: screen.modes.__setitem__(66, False),
    "n": lambda screen: setattr(screen, "shift", 2),
    "o": lambda screen: setattr(screen, "shift", 3),
}
_CSI: dict[str, Callable[[EmulatedScreen, tuple[int, ...]], None]] = {
    "@": EmulatedScreen._insert_characters,
    "A": lambda screen, numbers: screen._up(_at_least_one(numbers)),
    "B": lambda screen, numbers: screen._down(_at_least_one(numbers)),
    "C": lambda screen, numbers: screen._move(screen.x + _at_least_one(numbers), screen.y),
    "D": lambda screen, numbers: screen._move(screen.x - _at_least_one(numbers), screen.y),
    "E": lambda screen, numbers: screen._down_to_start(_at_least_one(numbers)),
    "F": lambda screen, numbers: screen._up_to_start(_at_least_one(numbers)),
    "G": lambda screen, numbers: screen._move(_at_least_one(numbers) - 1, screen.y),
    "H": lambda screen, numbers: screen._move_to(
        (_at_least_one(numbers[1:]) if len(numbers) > 1 else 1) - 1, _at_least_one(numbers) - 1
    ),
    "I": lambda screen, numbers: screen._tab(_at_least_one(numbers)),
    "J": EmulatedScreen._erase_display,
    "?J": EmulatedScreen._erase_display,
    "K": EmulatedScreen._erase_line,
    "?K": EmulatedScreen._erase_line,
    "L": EmulatedScreen._insert_lines,
    "M": EmulatedScreen._delete_lines,
    "P": EmulatedScreen._delete_characters,
    "S": lambda screen, numbers: screen._scroll_up(screen.top, screen.bottom, _at_least_one(numbers)),
    "T": lambda screen, numbers: screen._scroll_down(screen.top, screen.bottom, _at_least_one(numbers)),
    "^": lambda screen, numbers: screen._scroll_down(screen.top, screen.bottom, _at_least_one(numbers)),
    "X": EmulatedScreen._erase_characters,
    "Z": lambda screen, numbers: screen._tab_back(_at_least_one(numbers)),
    "d": lambda screen, numbers: screen._move_to(screen.x, _at_least_one(numbers) - 1),
    "e": lambda screen, numbers: screen._move(screen.x, screen.y + _at_least_one(numbers)),
    "g": EmulatedScreen._clear_tabs,
    "r": EmulatedScreen._set_region,
    "s": lambda screen, _: screen._save_cursor(),
    "t": EmulatedScreen._operate_window,
    "u": lambda screen, _: screen._restore_cursor(),
    " q": EmulatedScreen._set_shape,
    "!p": lambda screen, _: screen._reset_softly(),
    ">u": EmulatedScreen._push_keyboard,
    "<u": EmulatedScreen._pop_keyboard,
    "=u": EmulatedScreen._set_keyboard,
}
_CSI["`"] = _CSI["G"]
_CSI["a"] = _CSI["C"]
_CSI["f"] = _CSI["H"]
