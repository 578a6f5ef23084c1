"""A file that appears whole or not at all, for its owner alone, and never in the place of another."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from supervisor.model.errors import SupervisorError

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What filesystems without hard links answer: FAT, some FUSE."""


@contextmanager
def whole_file(path: Path) -> Generator[IO[bytes]]:
    """What is written appears at `path` when the block ends without an error. Raises SupervisorError."""
    if os.path.lexists(path):
        raise SupervisorError(f'cannot write "{path}": it exists already; name another file')
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with os.fdopen(fd, "wb") as out:
            yield out
            out.flush()
            os.fsync(fd)
        _move(aside, path)
    except FileExistsError:
        raise SupervisorError(f'cannot write "{path}": it exists already; name another file') from None
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        if os.path.lexists(aside):
            os.unlink(aside)


def _move(aside: Path, path: Path) -> None:
    """Give the file its name, which nobody has. Raises OSError."""
    try:
        os.link(aside, path)  # unlike a rename it takes no other file's place
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        os.rename(aside, path)


def _unwritable(path: Path, error: OSError) -> SupervisorError:
    why = (error.strerror or str(error)).lower()
    return SupervisorError(
        f'cannot write "{path}": {why}; name a file elsewhere, or "-" to send it through a pipe'
    )
