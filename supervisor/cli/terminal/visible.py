"""Makes text harmless on its way to a terminal: standard output and standard error pass everything through `visible`.

Names, paths, reasons, last words and answers of servers are other people's text. A terminal obeys the control
characters in it: they can hide lines, show false ones, and have the terminal answer with input. So they are shown as
escapes (`\\x1b`), also in a file, since a terminal may show that later. Our own colours go to terminals only.

This is for text. Logs have a filter of their own (`escapes`): their colours stay.
"""

from __future__ import annotations

import os
import sys

from supervisor.lean.typing import Any, Protocol, TextIO

_OWN = "\x1b" + os.urandom(8).hex()
"""Starts our own escape sequences inside this process. Nobody else can guess it."""

_STYLES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33}  # "select graphic rendition" of ECMA-48

CLEAR_LINE = f"{_OWN}[G{_OWN}[K"
"""Clears the terminal's line and goes to its beginning."""


def style(text: str, name: str | None) -> str:
    """Text in a colour, bold or dim; unchanged for None. click has the same, but its import takes 20 ms."""
    return text if name is None else f"{_OWN}[{_STYLES[name]}m{text}{_OWN}[0m"


def visible(text: str) -> str:
    """Text in which escapes replace every character that a terminal obeys, and every code point that is no character.

    These are the control characters except tab and newline, those that change the direction of text or end a line, and
    lone surrogates, which stand for the bytes of a path that is not UTF-8. A character that JSON may hold unescaped has
    JSON's own escape.
    """
    return text.translate(_SHOWN)


class MaybeTerminal(Protocol):
    """What may be a terminal."""

    def isatty(self) -> bool:
        """Whether it is one."""


def colours_wanted(out: MaybeTerminal) -> bool:
    """Whether colours may go to `out`: it is a terminal, and NO_COLOR is not set (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and out.isatty()


class Terminal:
    """A text stream that makes everything `visible` on its way out. In all else it is the stream itself."""

    def __init__(self, out: TextIO) -> None:
        """Write to `out`; without colours if that is not a terminal, or if NO_COLOR is set."""
        self._out = out
        self._styled = colours_wanted(out)

    def write(self, text: str) -> int:
        """Write all of a text. Returns its length."""
        self.put(self.shown(text))
        return len(text)

    def shown(self, text: str) -> str:
        """A text as this stream shows it: visible, and with our own colours if they are wanted."""
        first, *own = text.split(_OWN)
        return visible(first) + "".join(map(self._after_own, own))

    def put(self, shown: str) -> None:
        """Write a text that steers the terminal only as we want it."""
        try:
            self._out.write(shown)
        except UnicodeEncodeError:  # the locale's encoding does not have this character
            encoding = self._out.encoding
            self._out.write(shown.encode(encoding, "backslashreplace").decode(encoding))

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._out.isatty()

    def fileno(self) -> int:
        """The stream's descriptor."""
        return self._out.fileno()

    def writelines(self, lines: list[str]) -> None:
        """Write each of the lines."""
        for line in lines:
            self.write(line)

    def _after_own(self, text: str) -> str:
        """The rest of our own escape sequence, and the text after it, made visible."""
        end = next((at for at, character in enumerate(text) if character.isalpha()), len(text)) + 1
        return ("\x1b" + text[:end] if self._styled else "") + visible(text[end:])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._out, name)


def guard_standard_files() -> None:
    """From now on all text to standard output and standard error goes through `visible`, tracebacks included."""
    if not isinstance(sys.stdout, Terminal):
        sys.stdout = Terminal(sys.stdout)
    if not isinstance(sys.stderr, Terminal):
        sys.stderr = Terminal(sys.stderr)


class _Shown(dict[int, "int | str"]):
    """A table for str.translate. It fills itself as characters come up."""

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
