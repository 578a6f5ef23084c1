"""Whether a filesystem has room. A used-up quota does not show here."""

from __future__ import annotations

import os


def room_of(path: str | os.PathLike[str]) -> os.statvfs_result | None:
    """What statvfs(3) says of the filesystem that holds `path`; None if it cannot be asked."""
    try:
        return os.statvfs(path)
    except OSError:
        return None


def why_full(room: os.statvfs_result | None, as_root: bool) -> str:
    """Why nothing can be written on a filesystem; empty: there is room, or that is not known.

    `as_root`: root may use blocks that a filesystem keeps back from others.
    """
    if room is None:
        return ""
    if (room.f_bfree if as_root else room.f_bavail) == 0 and room.f_blocks:
        return "no space left on it"
    if room.f_ffree == 0 and room.f_files:
        return "no room for more files on it"
    return ""
