"""The folder that this program was started in; relative paths start there.

A supervisor leaves it for "/", so that the user can remove it, make it again, or unmount its file system. Relative
paths keep their meaning.
"""

from __future__ import annotations

import os

from supervisor.model.errors import BadSettings

REMOVED = "the current folder was removed; change to one that exists"
"""The end of a sentence."""

_left: list[str] = []
"""The folder that was left, if one was; an empty text if it had been removed by then."""


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
    """The folder's path; empty if it was removed."""
    try:
        return current("tell")
    except BadSettings:
        return ""


def absolute(path: str) -> str:
    """The absolute path. Raises ValueError, with the end of a sentence, if the folder was removed."""
    if os.path.isabs(path):
        return path
    try:
        return os.path.join(current("tell"), path)
    except BadSettings:
        raise ValueError(REMOVED) from None


def remember() -> None:
    """Store the current folder's path, before it is left."""
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
    """Go back to the folder, if it exists (again)."""
    try:
        os.chdir(_left[0])
    except OSError:
        pass  # the first use of a relative path reports it
