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
"""Below the workspace root; the first that exists is the one."""


class Presence(enum.Enum):
    """How the file was found, in the words of the environment's status."""

    ABSENT = "ABSENT"
    DISCOVERED = "DISCOVERED"
    SPECIFIED = "SPECIFIED"


@dataclass(frozen=True, slots=True)
class Found:
    """The file to read; `path` is None if and only if it is ABSENT. A SPECIFIED file may not exist."""

    path: Path | None
    presence: Presence


def find_file(workspace: Path, specified: Path | str | None = None) -> Found:
    """Looks at the known places, or takes the one that is specified (from the workspace if relative)."""
    if specified is not None:
        return Found(workspace / specified, Presence.SPECIFIED)
    for place in PLACES:
        if is_there(workspace / place):
            return Found(workspace / place, Presence.DISCOVERED)
    return Found(None, Presence.ABSENT)


def is_there(path: Path) -> bool:
    """Whether a place holds a file; so does a dangling link: it is better to say that it leads nowhere."""
    return os.path.lexists(path) and not os.path.isdir(path)


def workspace_of_place(path: Path) -> tuple[Path, str] | None:
    """The workspace in which a file would be found by itself, and at which of the places; None if in none."""
    parts = path.absolute().parts
    for place in PLACES:
        tail = Path(place).parts
        if parts[-len(tail) :] == tail:
            return Path(*parts[: -len(tail)]), place
    return None
