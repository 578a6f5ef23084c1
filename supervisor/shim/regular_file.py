"""Opens regular files at paths that a command can reach, whatever the command put there.

| at the path | then |
|---|---|
| a regular file | it is opened |
| nothing | FileNotFoundError, unless it is to be made |
| a link, a folder, a FIFO, a socket, a device | Replaced; opening the last three does not block (O_NONBLOCK) |
| a file on which a process holds a lease | BlockingIOError at once, where open(2) would wait for up to 45 s |

The shim uses it too: the standard library only.
"""

from __future__ import annotations

import errno
import os
import stat

_NOT_REGULAR = {
    errno.ELOOP: "it is a symbolic link",
    errno.EISDIR: "it is a folder",
    errno.ENXIO: "it is a FIFO, a socket or a device",
}
_LEASED = "a process holds a lease on it"


class Replaced(OSError):
    """Something else stands where a regular file belongs. `strerror` says what."""


def open_regular(
    path: str | os.PathLike[str], flags: int, mode: int = 0o600, folder: int | None = None
) -> int:
    """Open a regular file, and never wait for it. Returns a descriptor.

    `flags`: as of open(2); `folder`: the descriptor of the folder that `path` is relative to. Raises Replaced, OSError.
    """
    flags |= os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, mode, dir_fd=folder)
    except BlockingIOError as error:
        raise BlockingIOError(error.errno, _LEASED, os.fspath(path)) from error
    except OSError as error:
        if why := _NOT_REGULAR.get(error.errno or 0):
            raise Replaced(error.errno, why, os.fspath(path)) from error
        raise
    kind = os.fstat(fd).st_mode
    if not stat.S_ISREG(kind):
        os.close(fd)
        number = errno.EISDIR if stat.S_ISDIR(kind) else errno.ENXIO
        raise Replaced(number, _NOT_REGULAR[number], os.fspath(path))
    return fd


def make_regular(path: str | os.PathLike[str], mode: int = 0o600, folder: int | None = None) -> int:
    """Make a new file for writing, in the place of whatever has its name in a folder of ours. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        return open_regular(path, flags, mode, folder)
    except FileExistsError:
        os.unlink(path, dir_fd=folder)
        return open_regular(path, flags, mode, folder)


def atomic_write(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file that appears whole or not at all, in the place of whatever has its name. Raises OSError.

    It is written beside its place as `<path>.new` and renamed; a crash in between leaves that file, which the next
    write replaces. There is no fsync(2): the file survives the end of any process, not that of the machine. open() does
    more, and would take twice as long.
    """
    aside = f"{os.fspath(path)}.new"
    fd = make_regular(aside)
    try:
        try:
            while data:  # a full disk takes a part, and refuses the next
                data = data[os.write(fd, data) :]
        finally:
            os.close(fd)
        os.replace(aside, path)
    except OSError:
        try:
            os.unlink(aside)
        except OSError:
            pass
        raise


def read_regular(path: str | os.PathLike[str], most_bytes: int) -> bytes:
    """The first bytes of a regular file. Raises Replaced, OSError."""
    fd = open_regular(path, os.O_RDONLY)
    try:
        with open(fd, "rb", closefd=False) as file:
            return file.read(most_bytes)
    finally:
        os.close(fd)


def why_replaced(status: os.stat_result) -> str:
    """What stands where a regular file belongs, by its lstat(2); empty: a regular file."""
    if stat.S_ISREG(status.st_mode):
        return ""
    kinds = {stat.S_IFLNK: errno.ELOOP, stat.S_IFDIR: errno.EISDIR}
    return _NOT_REGULAR[kinds.get(stat.S_IFMT(status.st_mode), errno.ENXIO)]
