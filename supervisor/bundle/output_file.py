"""A file that appears whole or not at all, readable by its owner only. It never replaces another file.

It has no name while it is written (O_TMPFILE), so nothing stays behind however the writer ends. On a filesystem without
such files it has a temporary name, and a writer that is killed leaves that file behind.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from supervisor.model.errors import SupervisorError

_NO_UNNAMED = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}
"""The errors of open(2) on filesystems without O_TMPFILE."""
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""The errors of filesystems without hard links: FAT, some FUSE."""


@contextmanager
def whole_file(path: Path) -> Generator[IO[bytes]]:
    """A file to write to. It appears at `path` when the block ends without an error. Raises SupervisorError."""
    if os.path.lexists(path):
        raise _exists(path)
    try:
        fd, aside = _begun(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with os.fdopen(fd, "wb") as out:
            yield out
            out.flush()
            os.fsync(fd)
            _name(fd, aside, path)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        if aside is not None and os.path.lexists(aside):
            os.unlink(aside)


def _begun(path: Path) -> tuple[int, Path | None]:
    """A new file in the same folder, and its temporary name if it needs one. Raises OSError."""
    try:
        return os.open(path.parent, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600), None
    except OSError as error:
        if error.errno not in _NO_UNNAMED:
            raise
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    return os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), aside


def _name(fd: int, aside: Path | None, path: Path) -> None:
    """Give the file its name, unless that is taken. Raises OSError."""
    if aside is None:
        # The way of open(2). Python follows the link only if folders are given, although this path needs none.
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.link(
                f"/proc/self/fd/{fd}", path.name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=True
            )
        finally:
            os.close(folder)
        return
    try:
        os.link(aside, path)  # unlike a rename, this does not replace another file
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        os.rename(aside, path)


def _exists(path: Path) -> SupervisorError:
    return SupervisorError(f'cannot write "{path}": it exists already; name another file')


def _unwritable(path: Path, error: OSError) -> SupervisorError:
    why = (error.strerror or str(error)).lower()
    return SupervisorError(
        f'cannot write "{path}": {why}; name a file elsewhere, or "-" to send it through a pipe'
    )
