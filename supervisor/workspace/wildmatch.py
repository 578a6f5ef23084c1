"""git's patterns for names and paths, as regular expressions over bytes.

The package pathspec reads such patterns as well. It knows no classes (`[[:alpha:]]`), takes a backslash in brackets for
itself, and matches all that is below a folder: git judges each entry by itself, so that the last pattern decides.

The work of a regular expression grows with the length of the path alone: of what stands between two stars the first
place where it fits is as good as any, and no other is tried (an atomic group). Anybody may write a file of patterns,
and a search cannot be interrupted.

Source: gitignore(5); git's wildmatch.c and dir.c for what that leaves open. Random patterns hold both together.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from dataclasses import dataclass

_SLASH = ord("/")
_NOT_SLASH = rb"[^/]"
_STAR = rb"[^/]*"
_ANY_FOLDERS = rb"(?:.*/)?"
_CLASSES = {
    b"alnum": string.ascii_letters + string.digits,
    b"alpha": string.ascii_letters,
    b"blank": " \t",
    b"cntrl": "".join(map(chr, (*range(32), 127))),
    b"digit": string.digits,
    b"graph": string.ascii_letters + string.digits + string.punctuation,
    b"lower": string.ascii_lowercase,
    b"print": string.ascii_letters + string.digits + string.punctuation + " ",
    b"punct": string.punctuation,
    b"space": string.whitespace,
    b"upper": string.ascii_uppercase,
    b"xdigit": string.hexdigits,
}


@dataclass(frozen=True, slots=True)
class IgnorePattern:
    """One line of a file of patterns."""

    regex: bytes
    """Matches the whole name of an entry or, with `by_path`, its path from the file's folder."""
    by_path: bool
    folders_only: bool
    ignores: bool
    """False: it takes back what an earlier pattern has said."""


def ignore_pattern(line: bytes) -> IgnorePattern | None:
    """What a line means; None: nothing, or it can match nothing."""
    text = _without_blanks(line.removesuffix(b"\r"))
    if text.startswith(b"#"):
        return None
    ignores = not text.startswith(b"!")
    text = text if ignores else text[1:]
    folders_only = text.endswith(b"/")
    text = text.removesuffix(b"/")
    by_path = b"/" in text
    regex = translated(text.removeprefix(b"/") if by_path else text)
    return IgnorePattern(regex, by_path, folders_only, ignores) if text and regex is not None else None


def translated(pattern: bytes) -> bytes | None:
    """A regular expression for what a pattern matches as a whole; None: nothing. `*` and `?` do not match a slash."""
    parts, at = [], 0
    while at < len(pattern):
        match pattern[at : at + 1]:
            case b"*":
                part, at = _stars(pattern, at)
            case b"?":
                part, at = _NOT_SLASH, at + 1
            case b"[":
                found = _brackets(pattern, at + 1)
                if found is None:
                    return None
                part, at = found
            case b"\\" if at + 1 == len(pattern):
                return None
            case b"\\":
                part, at = re.escape(pattern[at + 1 : at + 2]), at + 2
            case character:
                part, at = re.escape(character), at + 1
        parts.append(part)
    first, *rest = [_chunk(chunk) for chunk in _split(parts, _ANY_FOLDERS)]
    if not rest:
        return first
    middle = b"".join(b"(?>(?:[^/]*/)*?%b)" % chunk for chunk in rest[:-1] if chunk)
    return first + middle + _ANY_FOLDERS + rest[-1]


def _chunk(parts: list[bytes]) -> bytes:
    """Parts of a path, of which there is a fixed number."""
    return b"/".join(map(_segment, _split(parts, b"/")))


def _segment(parts: list[bytes]) -> bytes:
    """One part of a path."""
    first, *rest = map(b"".join, _split(parts, _STAR))
    if not rest:
        return first
    middle = b"".join(b"(?>[^/]*?%b)" % chunk for chunk in rest[:-1] if chunk)
    return first + middle + _STAR + rest[-1]


def _split(parts: list[bytes], separator: bytes) -> list[list[bytes]]:
    found: list[list[bytes]] = [[]]
    for part in parts:
        if part == separator:
            found.append([])
        else:
            found[-1].append(part)
    return found


def _stars(pattern: bytes, at: int) -> tuple[bytes, int]:
    """What stars mean, and where they end. Two or more that are a whole part of a path match any number of parts."""
    end = at
    while pattern[end : end + 1] == b"*":
        end += 1
    begins = at == 0 or pattern[at - 1] == _SLASH
    if end - at == 1 or not begins or pattern[end : end + 1] not in (b"", b"/"):
        return _STAR, end
    if end == len(pattern):
        return rb".*", end
    return _ANY_FOLDERS, end + 1


def _brackets(pattern: bytes, at: int) -> tuple[bytes, int] | None:
    """One of a set of characters, and where the set ends; None: it does not end. `at`: behind the opening bracket."""
    negated = pattern[at : at + 1] in (b"!", b"^")
    at += negated
    found: set[int] = set()
    before: int | None = None
    first = True
    while first or pattern[at : at + 1] != b"]":
        first = False
        read = _member(pattern, at, before)
        if read is None:
            return None
        members, before, at = read
        found.update(members)
    kept = (set(range(256)) - found if negated else found) - {_SLASH}
    return (b"[%b]" % b"".join(b"\\x%02x" % each for each in sorted(kept)) if kept else rb"(?!)"), at + 1


def _member(pattern: bytes, at: int, before: int | None) -> tuple[Iterable[int], int | None, int] | None:
    """One member of a set: its characters, the one that a range may begin with, and where it ends."""
    if at >= len(pattern):
        return None
    character = pattern[at]
    if character == ord("-") and before is not None and pattern[at + 1 : at + 2] not in (b"", b"]"):
        end = at + 1 + (pattern[at + 1] == ord("\\"))
        return (range(before, pattern[end] + 1), None, end + 1) if end < len(pattern) else None
    if pattern[at : at + 2] == b"[:":
        end = pattern.find(b"]", at + 2)
        if end < 0:
            return None
        if pattern[end - 1 : end] == b":" and end - 1 >= at + 2:
            named = _CLASSES.get(pattern[at + 2 : end - 1])
            return (named.encode(), None, end + 1) if named is not None else None
    at += character == ord("\\")
    return ((pattern[at],), pattern[at], at + 1) if at < len(pattern) else None


def _without_blanks(line: bytes) -> bytes:
    """A line without the blanks at its end, but for one that a backslash protects."""
    stripped = line.rstrip(b" ")
    backslashes = len(stripped) - len(stripped.rstrip(b"\\"))
    return stripped + b" " if backslashes % 2 and len(stripped) < len(line) else stripped
