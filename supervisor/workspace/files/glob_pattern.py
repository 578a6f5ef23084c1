"""Globs: `*`, `?`, `[...]`, `{a,b}`, and `**` for any number of folders.

A glob without "/" is for names, one with "/" for paths. Braces are opened first, then every alternative becomes a
regular expression whose work grows with the length of the path alone: what follows a `*` or `**` has a fixed length, so
the first place where it fits is as good as any, and no other is tried (an atomic group). A client's pattern must not
keep the interpreter for ever: it could not be interrupted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from supervisor.workspace.ops_error import OpsError

_MOST_ALTERNATIVES = 1000
_MOST_CHARACTERS = 4096
"""Of a pattern, and so of each alternative."""
_MOST_OPENED = 100_000
"""Characters of all alternatives together: to read them takes half a second."""
_ANY_FOLDERS = "(?:[^/]+/)*"


class GlobPattern:
    """A glob that names and paths are held against."""

    def __init__(self, pattern: str) -> None:
        """Raises OpsError if it is broken. An empty one matches everything."""
        names: list[str] = []
        paths: list[str] = []
        for alternative in _opened(pattern) if pattern else ["*"]:
            text = alternative.removeprefix("./")
            into = paths if "/" in text else names
            into.append(_translated(text, pattern))
        self._name = re.compile("|".join(names), re.DOTALL).fullmatch if names else None
        self._path = re.compile("|".join(paths), re.DOTALL).fullmatch if paths else None

        self._all = "[^/]*" in names

    def matching(self, names: list[str], above: str) -> Iterable[int]:
        """The indices of the names that match. `above`: the path of their folder, with a slash at its end, or empty."""
        if self._all:
            return range(len(names))
        by_name, by_path = self._name, self._path
        if by_path is None:
            return [index for index, name in enumerate(names) if by_name and by_name(name)]
        return [
            index for index, name in enumerate(names) if by_path(above + name) or (by_name and by_name(name))
        ]


def _opened(pattern: str) -> list[str]:
    """The alternatives that a pattern's braces mean."""
    if len(pattern) > _MOST_CHARACTERS:
        raise _broken(pattern, f"it has {len(pattern)} characters, of {_MOST_CHARACTERS} at most")
    done, left, opened = [], [pattern], len(pattern)
    while left:
        text = left.pop()
        braces = _first_braces(text, pattern)
        if braces is None:
            done.append(text)
        else:
            start, end, parts = braces
            if len(done) + len(left) + len(parts) > _MOST_ALTERNATIVES:
                raise _broken(pattern, f"its braces mean more than {_MOST_ALTERNATIVES} alternatives")
            opened += (start + len(text) - end) * len(parts) + sum(map(len, parts)) - len(text)
            if opened > _MOST_OPENED:
                raise _broken(
                    pattern, f"its braces mean alternatives of over {_MOST_OPENED} characters together"
                )
            left += [text[:start] + part + text[end:] for part in reversed(parts)]
    return done


def _first_braces(text: str, pattern: str) -> tuple[int, int, list[str]] | None:
    """Where the first braces begin and end (behind "}"), and what is between their commas; None: there are none."""
    start, depth, at, cuts = -1, 0, 0, []
    while at < len(text):
        match text[at]:
            case "\\":
                at += 1
            case "[":
                at = _end_of_set(text, at, pattern) - 1
            case "{":
                depth += 1
                if depth == 1:
                    start = at
                    cuts = [at]
            case "," if depth == 1:
                cuts.append(at)
            case "}" if depth:
                depth -= 1
                if not depth:
                    cuts.append(at)
                    parts = [text[a + 1 : b] for a, b in pairwise(cuts)]
                    return start, at + 1, parts
        at += 1
    if depth:
        raise _broken(pattern, 'a "{" has no "}"')
    return None


def _translated(text: str, pattern: str) -> str:
    """The regular expression of a glob without braces."""
    segments = _segments(text.removeprefix("/"), pattern)
    if len(segments) > 1 and segments[-1] == "":  # "folder/" means the folder
        segments.pop()
    if len(segments) == 1 and (segments[0] != "**" or "/" not in text):
        return _segment(segments[0], pattern)
    chunks: list[list[str]] = [[]]
    for segment in segments:
        if segment == "**":
            chunks.append([])
        else:
            chunks[-1].append(_segment(segment, pattern))
    first, *rest = ["/".join(chunk) for chunk in chunks]
    if not rest:
        return first
    head = f"{first}/" if first else ""
    middle = "".join(f"(?>(?:[^/]+/)*?{chunk}/)" for chunk in rest[:-1] if chunk)
    # At the end `**` is everything below.
    return head + middle + _ANY_FOLDERS + (rest[-1] or "[^/]+")


def _segments(text: str, pattern: str) -> list[str]:
    """The parts between slashes, of which those in sets are none."""
    parts, begin, at = [], 0, 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == "[":
            at = _end_of_set(text, at, pattern) - 1
        elif text[at] == "/":
            parts.append(text[begin:at])
            begin = at + 1
        at += 1
    return [*parts, text[begin:]]


def _segment(text: str, pattern: str) -> str:
    """The regular expression of one part of a path."""
    chunks: list[list[str]] = [[]]
    at = 0
    while at < len(text):
        match text[at]:
            case "*":
                if chunks[-1] or len(chunks) == 1:
                    chunks.append([])
                at += 1
            case "?":
                chunks[-1].append("[^/]")
                at += 1
            case "[":
                end = _end_of_set(text, at, pattern)
                chunks[-1].append(_set(text[at + 1 : end - 1], pattern))
                at = end
            case "\\":
                if at + 1 == len(text):
                    raise _broken(pattern, "nothing follows its last backslash")
                chunks[-1].append(re.escape(text[at + 1]))
                at += 2
            case other:
                chunks[-1].append(re.escape(other))
                at += 1
    first, *rest = ["".join(chunk) for chunk in chunks]
    if not rest:
        return first
    middle = "".join(f"(?>[^/]*?{chunk})" for chunk in rest[:-1] if chunk)
    return f"{first}{middle}[^/]*{rest[-1]}"


def _end_of_set(text: str, start: int, pattern: str) -> int:
    """Behind the "]" of the set that begins at `start`."""
    at = start + 1
    if text[at : at + 1] in ("!", "^"):
        at += 1
    at += 1  # a "]" that comes first is one of the set
    while at < len(text) and text[at] != "]":
        at += 2 if text[at] == "\\" else 1
    if at >= len(text):
        raise _broken(pattern, 'a "[" has no "]"')
    return at + 1


def _set(inner: str, pattern: str) -> str:
    """The regular expression of what stands between "[" and "]"."""
    negated = inner[:1] in ("!", "^")
    items, at, ranges = [], 0, inner[1:] if negated else inner
    while at < len(ranges):
        low, at = _member(ranges, at)
        if ranges[at : at + 1] == "-" and at + 1 < len(ranges):
            high, at = _member(ranges, at + 1)
            if low > high:
                raise _broken(pattern, f'in "[{inner}]" a range ends before it begins')
            items.append(f"{re.escape(low)}-{re.escape(high)}")
        else:
            items.append(re.escape(low))
    return f"(?!/)[{'^' if negated else ''}{''.join(items)}]"


def _member(ranges: str, at: int) -> tuple[str, int]:
    if ranges[at] == "\\" and at + 1 < len(ranges):
        at += 1
    return ranges[at], at + 1


def _broken(pattern: str, why: str) -> OpsError:
    return OpsError("invalid_argument", f'cannot find "{pattern[:200]}": {why}')
