"""The file's bytes as text in which every character has a line and a column."""

from __future__ import annotations

import bisect
import codecs
import re

from supervisor.config.problem import Problem
from supervisor.lean.frozen import dataclass

LIMIT_BYTES = 10_000_000
"""A larger file is refused: nobody writes one, and the supervisor shares its memory with the workspace."""

_LINE_END = re.compile(r"\r\n|\n|\r")
_FOREIGN_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake at an offset of the text."""

    at: int
    message: str
    hint: str = ""
    inside: bool = True
    """Whether it belongs to the value that was being read; False: it belongs to the whole file."""


class Text:
    """Decoded text without byte order mark. Places in it are offsets in characters."""

    def __init__(self, content: str) -> None:
        self.content = content
        self._starts: list[int] | None = None

    def position(self, at: int) -> tuple[int, int]:
        """Line and column of the character at `at`, both from 1; the end of the text counts to its last line.

        Lines are what editors show. libyaml's own line numbers are not used: it counts U+2028 and U+0085 as line ends.
        """
        at = min(at, len(self.content))
        if at and at == len(self.content) and self.content[at - 1] in "\r\n":
            at -= 2 if self.content.endswith("\r\n") else 1
        if self._starts is None:
            self._starts = [0, *(end.end() for end in _LINE_END.finditer(self.content))]
        line = bisect.bisect_right(self._starts, at)
        return line, at - self._starts[line - 1] + 1


def decode_text(data: bytes) -> Text | Problem:
    """The file's text, which must be UTF-8, with or without byte order mark; or why it cannot be decoded."""
    if len(data) > LIMIT_BYTES:
        return Problem(f"the file is larger than {LIMIT_BYTES // 1_000_000} MB")
    for mark, name in _FOREIGN_MARKS.items():
        if data.startswith(mark):
            return Problem(f"the file is {name} text", hint="save it as UTF-8", line=1, column=1)
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = Text(data.decode())
    except UnicodeDecodeError as error:
        line, column = _end(data[: error.start])
        what = f"the file is not UTF-8 text: byte 0x{data[error.start]:02x} cannot stand here"
        return Problem(what, line=line, column=column, hint="save it as UTF-8")
    nul = text.content.find("\0")
    if nul >= 0:
        line, column = text.position(nul)
        return Problem("the file is binary: it holds a NUL byte", line=line, column=column)
    return text


def _end(valid: bytes) -> tuple[int, int]:
    """Where the first character after `valid` stands."""
    text = Text(valid.decode() + "?")
    return text.position(len(text.content) - 1)
