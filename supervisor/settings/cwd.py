"""The folder that this program was started in, from which relative paths are meant.

A supervisor leaves it for "/": it is the user's, who may remove it and make it again, and nobody could unmount what it
is on. Until then it is the current folder; afterwards relative paths go on meaning what they meant.
"""

from __future__ import annotations

import os

from supervisor.model.errors import BadSettings

REMOVED = "the current folder was removed; change to one that exists"
"""The end of a sentence."""

_left: list[str] = []
"""The folder that was left, if one was; empty text: it was gone by then."""


def current(purpose: str) -> str:
    """The folder's path. Raises BadSettings if it was removed: "cannot <purpose>: the current folder was removed"."""
    try:
        folder = _left[0] if _left else os.getcwd()
    except FileNotFoundError:
        folder = ""
    if not folder:
        raise BadSettings([f"cannot {purpose}: {REMOVED}"])
    return folder


def started_in() -> str:
    """The same; empty if it was removed."""
    try:
        return current("tell")
    except BadSettings:
        return ""


def absolute(path: str) -> str:
    """A path from the root on. Raises ValueError with the end of a sentence if that cannot be told."""
    if os.path.isabs(path):
        return path
    try:
        return os.path.join(current("tell"), path)
    except BadSettings:
        raise ValueError(REMOVED) from None


def remember() -> None:
    """Keep in mind which folder this is, for whoever leaves it."""
    if not _left:
        try:
            _left.append(os.getcwd())
        except FileNotFoundError:
            _left.append("")


def leave() -> None:
    """Go to "/"."""
    remember()
    os.chdir("/")


def enter_again() -> None:
    """Go back, if the folder is there, or is there again."""
    try:
        os.chdir(_left[0])
    except OSError:
        pass  # who needs it says so
