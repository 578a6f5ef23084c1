"""A file that appears whole or not at all, for its owner alone, and never in the place of another."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from supervisor.model.errors import SupervisorError


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
        os.link(aside, path)  # unlike a rename it takes no other file's place
    except FileExistsError:
        raise SupervisorError(f'cannot write "{path}": it exists already; name another file') from None
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        os.unlink(aside)


def _unwritable(path: Path, error: OSError) -> SupervisorError:
    why = (error.strerror or str(error)).lower()
    return SupervisorError(
        f'cannot write "{path}": {why}; name a file elsewhere, or "-" to send it through a pipe'
    )
