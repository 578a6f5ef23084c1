"""The way of all text to a terminal: `visible`, which standard output and standard error pass everything through.

Names, paths, reasons, last words and what a server says are other people's text. A terminal obeys the control
characters in it: it can be made to hide lines, to show others, to answer with input. So they are shown as escapes
(`\\x1b`), whatever the output is, since a file may be shown on a terminal later. Our own colours go to terminals only.

Only text comes this way. The log of a command that was asked for as output goes out as the bytes that it is.
"""

from __future__ import annotations

import os
import sys

from supervisor.lean.typing import Any, TextIO

_OWN = "\x1b" + os.urandom(8).hex()
"""Begins an escape sequence of our own inside this process; nobody else can write it."""

_STYLES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33}  # "select graphic rendition" of ECMA-48

CLEAR_LINE = f"{_OWN}[G{_OWN}[K"
"""Goes to the beginning of the terminal's line and empties it."""


def style(text: str, name: str | None) -> str:
    """Text in a colour, bold or dim; as it is for None. click has the same, and its import takes 20 ms."""
    return text if name is None else f"{_OWN}[{_STYLES[name]}m{text}{_OWN}[0m"


def visible(text: str) -> str:
    """Text in which every character that a terminal would obey, and every one that is none, is an escape.

    Those are the control characters but for tab and newline, what changes the direction of text or ends a line, and
    lone surrogates, as which the bytes of a path that is not UTF-8 are kept. The escapes of those that JSON may hold as
    they are, are those of JSON.
    """
    return text.translate(_SHOWN)


def log_line(line: str) -> str:
    """A line of a command's output among lines of others, with no power over those.

    Its colours pass and end with it. Other escape sequences are left out. Of a line that is written over, as progress
    bars are, the last state counts. Whatever else is a control character will be `visible`.
    """
    line = line.rstrip("\r").rpartition("\r")[2]
    if "\x1b" not in line:
        return line
    import re  # few lines take it

    line = re.sub(
        r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-ln-~]|\x1b[()][0-9A-Za-z]", "", line
    )
    coloured = re.sub(r"\x1b(\[[0-9;:]*m)", lambda found: _OWN + found[1], line)
    return coloured if coloured == line else f"{coloured}{_OWN}[0m"


class Terminal:
    """A text stream on whose way out everything becomes `visible`; for the rest, the stream itself."""

    def __init__(self, out: TextIO) -> None:
        """Write to `out`; without colours where that is no terminal or NO_COLOR is set."""
        self._out = out
        self._styled = not os.environ.get("NO_COLOR") and out.isatty()

    def write(self, text: str) -> int:
        """Write text, all of it. Returns its length."""
        first, *own = text.split(_OWN)
        shown = visible(first) + "".join(map(self._after_own, own))
        try:
            self._out.write(shown)
        except UnicodeEncodeError:  # the locale's encoding has no such letter
            encoding = self._out.encoding
            self._out.write(shown.encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def _after_own(self, text: str) -> str:
        """What follows the beginning of an escape sequence of our own: the rest of that, and text."""
        end = next((at for at, character in enumerate(text) if character.isalpha()), len(text)) + 1
        return ("\x1b" + text[:end] if self._styled else "") + visible(text[end:])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._out, name)


def guard_standard_files() -> None:
    """From now on all text to standard output and standard error goes through `visible`; tracebacks, too."""
    if not isinstance(sys.stdout, Terminal):
        sys.stdout = Terminal(sys.stdout)
    if not isinstance(sys.stderr, Terminal):
        sys.stderr = Terminal(sys.stderr)


class _Shown(dict[int, "int | str"]):
    """A table for str.translate that is filled in as characters come up."""

    def __missing__(self, code: int) -> int | str:
        self[code] = shown = _escape(code) if _is_obeyed(code) else code
        return shown


_SHOWN = _Shown()


def _is_obeyed(code: int) -> bool:
    return (
        (code < 0x20 and code not in (0x09, 0x0A))
        or 0x7F <= code <= 0x9F  # DEL and C1, of which U+009B is what ESC [ is
        or code in (0x061C, 0x200E, 0x200F)  # marks of direction
        or 0x2028 <= code <= 0x202E  # ends of lines and paragraphs, embeddings and overrides
        or 0x2066 <= code <= 0x206F  # isolates
        or 0xD800 <= code <= 0xDFFF
    )


def _escape(code: int) -> str:
    return ascii(chr(code))[1:-1] if code < 0x7F else f"\\u{code:04x}"
