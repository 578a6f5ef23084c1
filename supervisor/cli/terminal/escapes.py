"""Takes everything out of a log that could take over the terminal on which it is shown. Text and colours stay.

A command may print what steers a terminal: a title, a link, a text for the clipboard (OSC 52), a question that the
terminal answers as if somebody had typed, the alternate screen, a cursor somewhere else. In its own terminal that is
its right. In ours, and days later, it is not. The file keeps all of it.

Theory of operation. The filter reads characters, and is in one of six states:

- GROUND: text. It passes, with tabs, newlines, carriage returns and backspaces; other control characters do not, and
  no characters that change the order in which others are shown.
- ESCAPE, INTERMEDIATE: after ESC, and after ESC with blanks to slashes, as in `ESC ( B`.
- CSI: after `ESC [`, with nothing but numbers so far. What they mean depends on the character that ends the sequence.
- IGNORED: within a CSI sequence that is not passed whatever ends it.
- STRING: after the beginning of an OSC, DCS, APC, PM or SOS, or of screen's title (`ESC k`).

Of sequences these alone pass: colours and other looks of characters (SGR), and "erase the rest of the line" (EL), since
progress bars need it. The two others that progress bars need have a meaning without a sequence: to the line's first
column is a carriage return, and "erase the line" is one and EL. No cursor ever leaves its line.

A newline or another control character ends every sequence, and is then read as in GROUND. So is a character that
cannot belong to the sequence. No sequence is longer than its state allows: what comes after that is text. So one
without an end eats the rest of its line at most, and no text is lost to a bracket in binary rubbish.

C1 controls have two forms. As UTF-8 (U+009B) terminals obey them, so they are sequences here too. As single bytes
(0x9B) they are letters of texts in other encodings, and are left out.

A terminal never sees more than the end of a sequence that we pass whole, so where the filter and a terminal would
disagree about a sequence, rubbish may be seen and nothing worse.
"""

from __future__ import annotations

import codecs
import re
from enum import Enum, auto

from supervisor.cli.terminal.visible import MaybeTerminal
from supervisor.cli.terminal.visible import colours_wanted as colours_wanted  # it belongs to the filter, too
from supervisor.lean.typing import assert_never

MOST_PARAMETERS = 128
"""How long the numbers of a CSI sequence may be. The longest colours take 40 characters."""
MOST_STRING = 1 << 20
"""How long a string may be. Images are the longest, and tmux has the same limit."""
RESET = "\x1b[0m"
ERASE_REST = "\x1b[K"


class FilterState(Enum):
    """Where the filter is."""

    GROUND = auto()
    ESCAPE = auto()
    INTERMEDIATE = auto()
    CSI = auto()
    IGNORED = auto()
    STRING = auto()


class Kind(Enum):
    """What a character is to the filter."""

    KEPT = auto()
    CONTROL = auto()
    ESC = auto()
    C1_CSI = auto()
    C1_STRING = auto()
    BLANK = auto()
    NUMBER = auto()
    PRIVATE = auto()
    BRACKET = auto()
    OPENS = auto()
    FINAL = auto()
    TEXT = auto()


class Act(Enum):
    """What the filter does with a character."""

    PASS = auto()
    DROP = auto()
    OPEN = auto()
    """Drop it, and begin a sequence."""
    KEEP = auto()
    """Keep it until the sequence ends."""
    DO = auto()
    """Pass the sequence that this character ends, if it is one of those that pass."""


_KINDS = {
    Kind.KEPT: "\b\t\n\r",
    Kind.ESC: "\x1b",
    Kind.C1_CSI: "\x9b",
    Kind.C1_STRING: "\x90\x98\x9d\x9e\x9f",
    Kind.BLANK: " !\"#$%&'()*+,-./",
    Kind.NUMBER: "0123456789:;",
    Kind.PRIVATE: "<=>?",
    Kind.BRACKET: "[",
    Kind.OPENS: "]PX^_k",
}
_RAW_C1 = range(0xDC80, 0xDCA0)
"""How `surrogateescape` decodes the bytes 0x80 to 0x9F outside of characters."""
_REORDER = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Embeddings, overrides and isolates: what comes after one is shown in another order than it has."""
_KIND_OF = (
    {chr(code): Kind.CONTROL for code in (*range(0x20), *range(0x7F, 0xA0), *_RAW_C1, *_REORDER)}
    | {chr(code): Kind.FINAL for code in range(0x40, 0x7F)}
    | {character: kind for kind, characters in _KINDS.items() for character in characters}
)
"""All others are TEXT."""

_TABLE = """
              GROUND        ESCAPE             INTERMEDIATE       CSI            IGNORED        STRING
    KEPT      PASS GROUND   PASS GROUND        PASS GROUND        PASS GROUND    PASS GROUND    PASS GROUND
    CONTROL   DROP GROUND   DROP GROUND        DROP GROUND        DROP GROUND    DROP GROUND    DROP GROUND
    ESC       OPEN ESCAPE   OPEN ESCAPE        OPEN ESCAPE        OPEN ESCAPE    OPEN ESCAPE    OPEN ESCAPE
    C1_CSI    OPEN CSI      OPEN CSI           OPEN CSI           OPEN CSI       OPEN CSI       OPEN CSI
    C1_STRING OPEN STRING   OPEN STRING        OPEN STRING        OPEN STRING    OPEN STRING    OPEN STRING
    BLANK     PASS GROUND   OPEN INTERMEDIATE  DROP INTERMEDIATE  DROP IGNORED   DROP IGNORED   DROP STRING
    NUMBER    PASS GROUND   DROP GROUND        DROP GROUND        KEEP CSI       DROP IGNORED   DROP STRING
    PRIVATE   PASS GROUND   DROP GROUND        DROP GROUND        DROP IGNORED   DROP IGNORED   DROP STRING
    BRACKET   PASS GROUND   OPEN CSI           DROP GROUND        DROP GROUND    DROP GROUND    DROP STRING
    OPENS     PASS GROUND   OPEN STRING        DROP GROUND        DROP GROUND    DROP GROUND    DROP STRING
    FINAL     PASS GROUND   DROP GROUND        DROP GROUND        DO   GROUND    DROP GROUND    DROP STRING
    TEXT      PASS GROUND   PASS GROUND        PASS GROUND        PASS GROUND    PASS GROUND    DROP STRING
"""
"""For each kind of character and each state: what is done with the character, and the next state."""


def _read(table: str) -> dict[tuple[FilterState, Kind], tuple[Act, FilterState]]:
    states, *rows = (line.split() for line in table.strip().splitlines())
    return {
        (FilterState[state], Kind[kind]): (Act[act], FilterState[after])
        for kind, *cells in rows
        for state, act, after in zip(states, cells[::2], cells[1::2], strict=True)
    }


_NEXT = _read(_TABLE)
_OTHERS = "\uffff"
_ROWS = {
    state: {character: _NEXT[state, kind] for character, kind in (_KIND_OF | {_OTHERS: Kind.TEXT}).items()}
    for state in FilterState
}
"""`{state: {character: what is done with it, and the next state}}`, because to look up a kind takes long."""
_MOST = {
    FilterState.INTERMEDIATE: MOST_PARAMETERS,
    FilterState.CSI: MOST_PARAMETERS,
    FilterState.IGNORED: MOST_PARAMETERS,
    FilterState.STRING: MOST_STRING,
}
"""After how many characters of a sequence in one state what comes is text again. None stays in ESCAPE."""

_CONTROLS = r"\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\udc80-\udc9f"
_NUMBERS = rf"[0-9:;]{{0,{MOST_PARAMETERS - 1}}}"
# What follows says once more what stands in the table, for long pieces of text and whole sequences at once.
_TEXT = re.compile(rf"(?:[^{_CONTROLS}]++|[\b\t\n\r])++")
_COLOURED_TEXT = re.compile(rf"(?:[^{_CONTROLS}]++|[\b\t\n\r]|\x1b\[{_NUMBERS}m)++")
_COLOURS = re.compile(rf"\x1b\[({_NUMBERS})m")
_CSI = re.compile(rf"\x1b\[({_NUMBERS})([@-~])")
_REST_OF_STRING = re.compile(f"[^{_CONTROLS}]+")


class TerminalFilter:
    """Filters the bytes of one log on their way to a terminal, in whatever pieces they come.

    What has been fed so far is shown as far as it can be: kept back are an incomplete character and an incomplete
    sequence alone. Bytes that are not UTF-8 stay as they are.
    """

    def __init__(self, colours: bool) -> None:
        """`colours`: whether sequences may pass at all; see `colours_wanted`."""
        self._colours = colours
        self._run = _COLOURED_TEXT if colours else _TEXT
        self._begin()

    def feed(self, data: bytes) -> bytes:
        """What to show of the next bytes."""
        return _bytes(self.feed_text(data))

    def feed_text(self, data: bytes) -> str:
        """What to show of the next bytes, with surrogates for those that are not UTF-8 (`surrogateescape`).

        If the filter takes something out between two such bytes, they may be a character together; here they are none.
        """
        return self._shown(self._decoder.decode(data))

    def end(self) -> bytes:
        """What to show at the log's end: colours end with it. The filter can take another log then."""
        return _bytes(self.end_text())

    def end_text(self) -> str:
        """The same, as `feed_text` has it."""
        rest = self._shown(self._decoder.decode(b"", final=True))
        reset = RESET if self._coloured else ""
        self._begin()
        return rest + reset

    def _begin(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._state, self._row = FilterState.GROUND, _ROWS[FilterState.GROUND]
        self._length = 0
        """How many characters came since the state was entered."""
        self._numbers = ""
        self._coloured = False

    def _shown(self, text: str) -> str:
        return "".join(self._passing(text))

    def _passing(self, text: str) -> list[str]:
        passing: list[str] = []
        at = 0
        while at < len(text):
            if self._state is not FilterState.GROUND and self._length >= _MOST.get(self._state, 1):
                self._enter(FilterState.GROUND)
            at, passes = self._take_many(text, at) or (at + 1, self._take(text[at]))
            passing.append(passes)
        return passing

    def _take_many(self, text: str, at: int) -> tuple[int, str] | None:
        """Take what the table treats alike. Returns where the rest begins, and what passes; None: there is no such."""
        if self._state is FilterState.GROUND:
            if run := self._run.match(text, at):
                self._look_at_colours(run[0])
                return run.end(), run[0]
            if sequence := _CSI.match(text, at):
                return sequence.end(), self._sequence(sequence[1], sequence[2])
        elif self._state is FilterState.STRING and (
            run := _REST_OF_STRING.match(text, at, at + MOST_STRING - self._length)
        ):
            self._length += len(run[0])
            return run.end(), ""
        return None

    def _look_at_colours(self, run: str) -> None:
        """Note whether the text after this one is coloured."""
        last = run.rfind("\x1b")
        if last >= 0 and (colours := _COLOURS.match(run, last)):
            self._coloured = is_colour(colours[1])

    def _take(self, character: str) -> str:
        """Take one character. Returns what passes."""
        act, state = self._row.get(character) or self._row[_OTHERS]
        numbers = self._numbers
        if state is not self._state or act is Act.OPEN:
            self._enter(state)
        else:
            self._length += 1
        match act:
            case Act.PASS:
                return character
            case Act.DO:
                return self._sequence(numbers, character)
            case Act.KEEP:
                self._numbers = numbers + character
            case Act.DROP | Act.OPEN:
                pass
            case _:
                assert_never(act)
        return ""

    def _enter(self, state: FilterState) -> None:
        self._state, self._row, self._length, self._numbers = state, _ROWS[state], 0, ""

    def _sequence(self, numbers: str, final: str) -> str:
        """What passes of a CSI sequence."""
        match final, numbers:
            case "m", _ if self._colours:
                self._coloured = is_colour(numbers)
                return f"\x1b[{numbers}m"
            case "K", "" | "0":
                return ERASE_REST if self._colours else ""
            case "K", "2":
                return f"\r{ERASE_REST}" if self._colours else "\r"
            case "G", "" | "0" | "1":
                return "\r"
            case _:
                return ""


def is_colour(numbers: str) -> bool:
    """Whether these numbers of an SGR sequence do more than end all colours."""
    return numbers.strip("0;") != ""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


class Unfiltered:
    """Stands in for a filter where bytes go to a file or a pipe: all of them pass."""

    def feed(self, data: bytes) -> bytes:
        """The bytes."""
        return data

    def end(self) -> bytes:
        """Nothing."""
        return b""


def filter_for(out: MaybeTerminal) -> TerminalFilter | Unfiltered:
    """What a log takes on its way to `out`: a terminal gets what may be shown there, all else gets the bytes."""
    return TerminalFilter(colours_wanted(out)) if out.isatty() else Unfiltered()
