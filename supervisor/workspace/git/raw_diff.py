"""What `git diff --raw -z` prints: which paths differ, and what they were on both sides."""

from __future__ import annotations

from dataclasses import dataclass

LINK, SUBMODULE = 0o120000, 0o160000
"""Modes of what is no ordinary file."""


@dataclass(frozen=True, slots=True)
class RawEntry:
    """One path that differs."""

    status: str
    """A letter of git's: A, M, T, D, R or U."""
    path: bytes
    """Of a rename: the new one."""
    old_path: bytes
    """Empty but for a rename."""
    old_mode: int
    """0: not there."""
    new_mode: int
    old_id: str
    """The object id of the old side, zeros if it is not there."""


def entries(output: bytes) -> tuple[list[RawEntry], bytes]:
    """The entries, in git's order, and what follows them: a patch, if one was asked for.

    Raises ValueError if this is no such output.
    """
    found, at = [], 0
    while output[at : at + 1] == b":":
        header, at = _field(output, at + 1)
        old_mode, new_mode, old_id, _, status = header.decode("ascii").split(" ")
        path, at = _field(output, at)
        old_path = b""
        if status[0] in "RC":
            old_path = path
            path, at = _field(output, at)
        found.append(RawEntry(status[0], path, old_path, int(old_mode, 8), int(new_mode, 8), old_id))
    if at < len(output):  # an empty field stands between the entries and the patch
        at += output[at : at + 1] == b"\0"
    return found, output[at:]


def _field(output: bytes, start: int) -> tuple[bytes, int]:
    """The text up to the next NUL, and where the one after it begins."""
    end = output.index(b"\0", start)
    return output[start:end], end + 1
