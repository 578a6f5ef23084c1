"""inotify: whether another file can be watched, and how many in all."""

from __future__ import annotations

import ctypes
import errno
import os
import tempfile
from pathlib import Path

from supervisor.doctor.finding import State, Verdict

FEW_WATCHES = 8192
"""The kernel's default on small machines, which an editor alone uses up."""
_LIMITS = Path("/proc/sys/fs/inotify")
_IN_MODIFY = 2  # linux/inotify.h


def inotify() -> Verdict:
    """The verdict on inotify: a watch is really made, since the limits count for all processes of the user."""
    watches, instances = _limit("max_user_watches"), _limit("max_user_instances")
    failed = _trial()
    if failed == errno.EMFILE:
        return _exhausted("instances", "max_user_instances", instances)
    if failed == errno.ENOSPC:
        return _exhausted("watches", "max_user_watches", watches)
    if failed:
        return Verdict(
            State.WARNING,
            f"{os.strerror(failed).lower()}: edits of the automations file are found by polling",
        )
    said = f"{watches} watches, {instances} instances"
    if watches < FEW_WATCHES:
        return Verdict(State.WARNING, f"{said}: few; raise fs.inotify.max_user_watches with sysctl")
    return Verdict(State.OK, said)


def _exhausted(what: str, setting: str, limit: int) -> Verdict:
    return Verdict(
        State.WARNING,
        f"all {limit} {what} are in use: edits of the automations file are found by polling; "
        f"raise fs.inotify.{setting} with sysctl",
    )


def _trial() -> int:
    """The errno of making one more watch; 0: it can be made. EMFILE is also a full table of descriptors."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.inotify_init1(os.O_CLOEXEC)
    if fd < 0:
        return ctypes.get_errno()
    try:
        folder = os.fsencode(tempfile.gettempdir())
        return 0 if libc.inotify_add_watch(fd, folder, _IN_MODIFY) >= 0 else ctypes.get_errno()
    finally:
        os.close(fd)


def _limit(name: str) -> int:
    try:
        return int((_LIMITS / name).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
