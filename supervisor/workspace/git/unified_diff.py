"""A patch as git prints it, taken apart: the files, and their hunks as the Go library sourcegraph/go-diff has them.

Every line of a hunk's body begins with "-", "+", " " or a backslash, so no line of a file is taken for a header.
Patches may have millions of lines: nothing here looks at lines one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_HEADER = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@(.*)\n")
_BEHIND_BODY = re.compile(rb"^(?:@@ |diff --git )", re.MULTILINE)
_MARK = re.compile(rb"^\\.*\n", re.MULTILINE)
"""The line that says: the line above has no newline at its end."""
_NOT_NEW = re.compile(rb"^(?:-.*(?:\n|\Z)|[ +])", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Hunk:
    """One hunk. Lines are counted from 1; a side without lines has the number of the line before it."""

    original_start: int
    original_lines: int
    new_start: int
    new_lines: int
    section: bytes
    """What git prints after the header: mostly the function's first line."""
    body: bytes
    """The lines, each with its sign before it. The last one has no newline if the new file has none there."""
    original_no_newline_at: int
    """The offset in the body behind the original's last line if that has no newline there, else 0."""


@dataclass(frozen=True, slots=True)
class FilePatch:
    """What a patch says about one file."""

    hunks: tuple[Hunk, ...]
    is_binary: bool
    """git does not show it line by line."""


def file_patches(patch: bytes) -> list[FilePatch]:
    """The files of a patch, in its order. Raises ValueError if this is no patch of git's."""
    found, at = [], 0
    while at < len(patch):
        if not patch.startswith(b"diff --git ", at):
            raise ValueError(f"expected a file's header, found {patch[at : at + 80]!r}")
        header_end = _next_header(patch, at + 1)
        is_binary = b"\nBinary files " in patch[at:header_end]
        at, hunks = header_end, []
        while patch.startswith(b"@@ ", at):
            at, hunk = _hunk(patch, at)
            hunks.append(hunk)
        found.append(FilePatch(tuple(hunks), is_binary))
    return found


def start_positions(hunks: Sequence[Hunk]) -> Iterator[int]:
    """For each hunk, the place of its body's first line among the headers and bodies of all hunks, counted from 0."""
    position = 0
    for hunk in hunks:
        yield position + 1
        position += 1 + hunk.body.count(b"\n") + (not hunk.body.endswith(b"\n"))


def new_side(hunk: Hunk) -> bytes:
    """The lines of the new file that a hunk shows."""
    return _NOT_NEW.sub(b"", hunk.body)


def _next_header(patch: bytes, at: int) -> int:
    """Where the next header begins, of a hunk or a file, or the end."""
    found = _BEHIND_BODY.search(patch, at)
    return found.start() if found else len(patch)


def _hunk(patch: bytes, at: int) -> tuple[int, Hunk]:
    """The hunk that begins here, and where it ends."""
    header = _HEADER.match(patch, at)
    if header is None:
        raise ValueError(f"expected a hunk's header, found {patch[at : at + 80]!r}")
    original_start, original, new_start, new = (1 if n is None else int(n) for n in header.groups()[:4])
    end = _next_header(patch, header.end())
    body, original_end = _body(patch[header.end() : end])
    return end, Hunk(original_start, original, new_start, new, header[5].strip(), body, original_end)


def _body(lines: bytes) -> tuple[bytes, int]:
    """The body without the marks for missing newlines, and `original_no_newline_at`."""
    pieces, original_end, length, at = [], 0, 0, 0
    for mark in _MARK.finditer(lines):
        piece, at = lines[at : mark.start()], mark.end()
        if piece[piece.rfind(b"\n", 0, -1) + 1 :].startswith(b"-"):
            original_end = length + len(piece)
        else:
            piece = piece[:-1]
        pieces.append(piece)
        length += len(piece)
    return b"".join([*pieces, lines[at:]]), original_end
