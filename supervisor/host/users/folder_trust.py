"""Whether other users can exchange a folder on a path, and so make us work in another folder.

If root makes, chowns or removes files below another user's folder, that user can lead it to any file of the machine: by
a link that takes the place of a folder between two of our steps. So each folder on the path, and each folder that a
link on the path leads through, must belong to root or to us. Other users may write to it only if that does not let them
change the files of others: with the sticky bit, as in /tmp. Then only root and we can change where the path leads.
"""

from __future__ import annotations

import os
import stat

from supervisor.lean.frozen import dataclass

_MOST_LINKS = 40
"""See path_resolution(7)."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something on a path that another user can exchange."""

    path: str
    why: str


def doubt(path: str | os.PathLike[str]) -> Doubt | None:
    """The first part of an absolute path, the last one included, that another user can exchange; None: there is none.

    The check ends at the first part that does not exist. Raises OSError.
    """
    rest = [name for name in reversed(os.fspath(path).split("/")) if name]
    at, links = "/", 0
    found = _doubt(at, os.lstat(at))
    while rest and found is None:
        name = rest.pop()
        if name == "..":
            at = os.path.dirname(at)
        if name in (".", ".."):
            continue
        here = os.path.join(at, name)
        try:
            status = os.lstat(here)
        except FileNotFoundError:
            return None
        found = _doubt(here, status)
        if not stat.S_ISLNK(status.st_mode):
            at = here
        elif (links := links + 1) > _MOST_LINKS:
            return Doubt(here, "there are too many symbolic links")
        else:
            target = os.readlink(here)
            rest.extend(name for name in reversed(target.split("/")) if name)
            at = "/" if target.startswith("/") else at
    return found


def give_folder(path: str | os.PathLike[str], mode: int, gid: int = -1) -> None:
    """Set the group and the mode of a folder of ours. Raises OSError, also if it is a link or not a folder."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchown(fd, -1, gid)
        os.fchmod(fd, mode)
    finally:
        os.close(fd)


def _doubt(path: str, status: os.stat_result) -> Doubt | None:
    if status.st_uid not in (0, os.geteuid()) and not is_of_outside(status.st_uid):
        return Doubt(path, f"belongs to user {status.st_uid}")
    # A user's own folder may be writable by its group: with the umask 002 that group has one member.
    others = 0o022 if os.geteuid() == 0 else 0o002
    if stat.S_ISDIR(status.st_mode) and status.st_mode & others and not status.st_mode & stat.S_ISVTX:
        return Doubt(path, "can be written by others")
    return None


def is_of_outside(uid: int) -> bool:
    """Whether a uid stands for users outside of our user namespace: for root there, above all."""
    try:
        with open("/proc/sys/fs/overflowuid", encoding="ascii") as file:
            if uid != int(file.read()):
                return False
        with open("/proc/self/uid_map", encoding="ascii") as file:
            ranges = [tuple(map(int, line.split())) for line in file]
    except (OSError, ValueError):
        return False
    return not any(first <= uid < first + count for first, _, count in ranges)
