"""Applies hunks as sourcegraph/go-diff has them, strictly: every line must be where the hunk says."""

from __future__ import annotations

import re
from collections.abc import Iterable

from platform_wire.environmentopts_pb2 import GitHunk


def lines(content: str) -> list[str]:
    """The lines of a text, each with its newline."""
    return re.findall(r"[^\n]*\n|[^\n]+", content)


def patched(original: str, hunks: Iterable[GitHunk]) -> str:
    """The new content that hunks make of an original."""
    old, new, at = lines(original), list[str](), 0
    for hunk in hunks:
        start = hunk.original_start_line - (hunk.original_lines > 0)
        new += old[at:start]
        at = max(start, at)
        assert len(new) == hunk.new_start_line - (hunk.new_lines > 0)
        before, after = sides(hunk)
        assert (len(before), len(after)) == (hunk.original_lines, hunk.new_lines)
        assert old[at : at + len(before)] == before
        new += after
        at += len(before)
    return "".join(new + old[at:])


def sides(hunk: GitHunk) -> tuple[list[str], list[str]]:
    """The original's lines and the new ones."""
    before, after, offset = list[str](), list[str](), 0
    for line in lines(hunk.body):
        offset += len(line.encode())
        sign, text = line[0], line[1:]
        assert sign in "+- "
        if sign != "+":
            before.append(text.removesuffix("\n") if offset == hunk.original_no_newline_at else text)
        if sign != "-":
            after.append(text)
    return before, after
