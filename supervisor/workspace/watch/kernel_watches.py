"""Watches on folders, as inotify(7) has them.

The package watchfiles, which the supervisor has for the automations file, does not serve here. Its set of folders
stands when it is made, so an ignored folder could not be left out of a tree that grows. It follows links, fails at a
name that is not UTF-8, and does not tell that the kernel's queue has overflowed.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
import termios
from collections.abc import Iterator
from dataclasses import dataclass

_libc = ctypes.CDLL(None, use_errno=True)
_EVENT = struct.Struct("iIII")
"""Watch, what happened, what belongs together, length of the name."""
_READ_BYTES = 1 << 18

MODIFIED, ATTRIBUTES, WRITTEN = 0x2, 0x4, 0x8
"""IN_MODIFY, IN_ATTRIB, IN_CLOSE_WRITE: the last one also where nothing was written."""
MOVED_FROM, MOVED_TO, CREATED, DELETED = 0x40, 0x80, 0x100, 0x200
DELETED_ITSELF, MOVED_ITSELF, UNMOUNTED = 0x400, 0x800, 0x2000
OVERFLOWED, REMOVED = 0x4000, 0x8000
"""The kernel has dropped events; a watch is gone."""
IS_FOLDER = 0x40000000
_ONLY_FOLDERS, _NO_LINKS, _NOT_UNLINKED = 0x01000000, 0x02000000, 0x04000000
_WANTED = (
    *(MODIFIED, ATTRIBUTES, WRITTEN, MOVED_FROM, MOVED_TO, CREATED, DELETED, DELETED_ITSELF, MOVED_ITSELF),
    *(_ONLY_FOLDERS, _NO_LINKS, _NOT_UNLINKED),
)
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG, errno.EPERM)


class TooFewWatches(Exception):
    """The machine gives no more; the text is a part of a sentence that says of what."""


@dataclass(frozen=True, slots=True)
class FolderEvent:
    """Something happened in a watched folder, or to it."""

    watch: int
    mask: int
    name: bytes
    """Of the entry; empty: it is the folder itself."""


class KernelWatches:
    """A set of watches. Not for several threads."""

    def __init__(self) -> None:
        """Raises TooFewWatches if there can be no set."""
        self._fd: int = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise TooFewWatches(
                "no inotify instance: raise fs.inotify.max_user_instances, or the limit of open files"
            )

    def fileno(self) -> int:
        """Can be read when there are events."""
        return self._fd

    def add(self, folder: bytes) -> int | None:
        """Watch a folder, not what is below it; the same folder has one watch, by whatever path.

        None: there is no such folder, or it may not be looked into. Raises TooFewWatches.
        """
        watch: int = _libc.inotify_add_watch(self._fd, folder, sum(_WANTED))
        if watch >= 0:
            return watch
        number = ctypes.get_errno()
        if number in (errno.ENOSPC, errno.ENOMEM):
            raise TooFewWatches("too few inotify watches: raise fs.inotify.max_user_watches")
        if number in _GONE:
            return None
        raise OSError(number, os.strerror(number), folder)

    def remove(self, watch: int) -> None:
        """Watch a folder no more; events of it that are on their way still come. The watch may be gone already."""
        _libc.inotify_rm_watch(self._fd, watch)

    def waiting_bytes(self) -> int:
        """How many bytes of events have not been read."""
        return int(struct.unpack("i", fcntl.ioctl(self._fd, termios.FIONREAD, bytes(4)))[0])

    def read(self) -> Iterator[FolderEvent]:
        """Events that are there, in their order; not always all of them."""
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return
        at = 0
        while at < len(data):
            watch, mask, _, length = _EVENT.unpack_from(data, at)
            at += _EVENT.size + length
            yield FolderEvent(watch, mask, data[at - length : at].rstrip(b"\0"))

    def close(self) -> None:
        """End all watches."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
