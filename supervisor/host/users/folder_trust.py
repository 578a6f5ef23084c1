"""Whether others can exchange what stands on the way to a folder, and so have us work in another one.

Root that makes, chowns or removes below a folder of somebody else can be led to any file of the machine: whoever owns a
folder may put a link into it between two of our steps. So each folder on the way, and each that a link on the way leads
through, must be root's or our own. Others may write it only where that gives them no say over what is not theirs: with
the sticky bit, as in /tmp. Where that holds, nobody but root and we can change where a path leads.
"""

from __future__ import annotations

import os
import stat

from supervisor.lean.frozen import dataclass

_MOST_LINKS = 40
"""As path_resolution(7) has it."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something on the way to a folder that somebody else can exchange."""

    path: str
    why: str


def doubt(path: str | os.PathLike[str]) -> Doubt | None:
    """The first thing on the way to an absolute path, itself included, that others can exchange; None: nothing is.

    What is not there is no doubt, nor is what follows it. Raises OSError.
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
    """Have a folder of ours be of a group, and have a mode. Raises OSError: for what is a link or no folder, too."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchown(fd, -1, gid)
        os.fchmod(fd, mode)
    finally:
        os.close(fd)


def _doubt(path: str, status: os.stat_result) -> Doubt | None:
    if status.st_uid not in (0, os.geteuid()) and not is_of_outside(status.st_uid):
        return Doubt(path, f"belongs to user {status.st_uid}")
    # Of a user's own folders, those of a group are common: with the umask 002 each is of a group that has one member.
    others = 0o022 if os.geteuid() == 0 else 0o002
    if stat.S_ISDIR(status.st_mode) and status.st_mode & others and not status.st_mode & stat.S_ISVTX:
        return Doubt(path, "can be written by others")
    return None


def is_of_outside(uid: int) -> bool:
    """Whether a uid stands for users who do not exist in our user namespace: root outside of it, above all."""
    try:
        with open("/proc/sys/fs/overflowuid", encoding="ascii") as file:
            if uid != int(file.read()):
                return False
        with open("/proc/self/uid_map", encoding="ascii") as file:
            ranges = [tuple(map(int, line.split())) for line in file]
    except (OSError, ValueError):
        return False
    return not any(first <= uid < first + count for first, _, count in ranges)
