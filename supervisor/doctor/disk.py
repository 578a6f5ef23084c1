"""Disk: room and rights where the supervisor writes."""

from __future__ import annotations

import os
from pathlib import Path

from supervisor.doctor.finding import State, Verdict

LITTLE_BYTES = 1 << 30
TOO_LITTLE_BYTES = 100 << 20
LITTLE_INODES = 10_000
TOO_LITTLE_INODES = 1000


def disk(path: Path) -> Verdict:
    """The verdict on the filesystem that holds `path`, or that would."""
    folder = _existing(path)
    try:
        status = os.statvfs(folder)
    except OSError as error:
        return Verdict(State.FAILED, f"cannot look at {folder}: {(error.strerror or '').lower()}")
    if status.f_flag & os.ST_RDONLY:
        return Verdict(State.FAILED, f"{folder} is on a filesystem that is mounted read-only")
    if not os.access(folder, os.W_OK | os.X_OK):
        return Verdict(State.FAILED, f"{folder} may not be written by this user")
    free_bytes = status.f_bavail * status.f_frsize
    # A filesystem without a table of inodes reports none at all.
    free_inodes = status.f_favail if status.f_files else None
    return room(str(folder), free_bytes, free_inodes)


def room(folder: str, free_bytes: int, free_inodes: int | None) -> Verdict:
    """The verdict on so much room. `free_inodes`: None where they have no limit."""
    said = f"{_size(free_bytes)} free at {folder}"
    if free_inodes is not None and free_inodes < LITTLE_INODES:
        state = State.FAILED if free_inodes < TOO_LITTLE_INODES else State.WARNING
        return Verdict(state, f"{said}, and only {free_inodes} inodes: remove small files")
    if free_bytes < LITTLE_BYTES:
        state = State.FAILED if free_bytes < TOO_LITTLE_BYTES else State.WARNING
        return Verdict(state, f"only {said}: logs and builds need more")
    return Verdict(State.OK, said)


def _existing(path: Path) -> Path:
    """The folder that exists, nearest to `path`."""
    path = Path(os.path.abspath(path))
    return next(folder for folder in (path, *path.parents) if os.path.isdir(folder))


def _size(size_bytes: int) -> str:
    return (
        f"{size_bytes / (1 << 30):.1f} GiB" if size_bytes >= 1 << 30 else f"{size_bytes / (1 << 20):.0f} MiB"
    )
