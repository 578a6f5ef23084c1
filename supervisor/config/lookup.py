"""Where the automations file of a workspace is."""

from __future__ import annotations

import enum
import os
from pathlib import Path

from supervisor.lean.frozen import dataclass

PLACES = (
    ".ona/automations.yaml",
    ".ona/automations.yml",
    ".gitpod/automations.yaml",
    ".gitpod/automations.yml",
    "automations.yaml",
)
"""Below the workspace root; the first that exists is read."""


class Presence(enum.Enum):
    """How the file was found; the values are those of the environment's status."""

    ABSENT = "ABSENT"
    DISCOVERED = "DISCOVERED"
    SPECIFIED = "SPECIFIED"


@dataclass(frozen=True, slots=True)
class Found:
    """The file to read. `path` is None only if it is ABSENT; a SPECIFIED file may be missing."""

    path: Path | None
    presence: Presence


def find_file(workspace: Path, specified: Path | str | None = None) -> Found:
    """The specified file, relative to the workspace, or the first that exists at the known places."""
    if specified is not None:
        return Found(workspace / specified, Presence.SPECIFIED)
    for place in PLACES:
        if is_there(workspace / place):
            return Found(workspace / place, Presence.DISCOVERED)
    return Found(None, Presence.ABSENT)


def is_there(path: Path) -> bool:
    """Whether a path holds a file. A dangling link counts: an error about it is better than to ignore it."""
    return os.path.lexists(path) and not os.path.isdir(path)


def workspace_of_place(path: Path) -> tuple[Path, str] | None:
    """The workspace in which `find_file` finds this file, and the place there; None if it is at none of the places."""
    parts = path.absolute().parts
    for place in PLACES:
        tail = Path(place).parts
        if parts[-len(tail) :] == tail:
            return Path(*parts[: -len(tail)]), place
    return None
