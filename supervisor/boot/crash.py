"""An exception that nobody expected: written down, so that it is known after the process has gone.

It ends the supervisor, not what runs: the next one finds that. Beside the traceback the file holds what the engine
noted of the last inputs. The newest few files are kept; the next supervisor says where the last one is.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from supervisor import __version__
from supervisor.host.regular import make_regular
from supervisor.model.errors import SupervisorError

KEPT_FILES = 5


class Bug(SupervisorError):
    """Something is wrong with the supervisor itself. The message says where it is written down."""


@contextmanager
def noted(folder: Path) -> Iterator[None]:
    """Write an exception that is no SupervisorError into a file in `folder`, and raise Bug in its place."""
    try:
        yield
    except SupervisorError:
        raise
    except Exception as error:
        expected = _expected(error)
        if expected is not None:
            raise expected from None
        raise Bug(
            f"it met a bug, {_short(error)}; {_write(folder, error)}; what runs goes on, and the next supervisor of "
            "this workspace takes it over"
        ) from error


def files(folder: Path) -> list[Path]:
    """What was written down, the oldest first."""
    return sorted(folder.glob("crash-*.txt"))


def _expected(error: Exception) -> SupervisorError | None:
    """The one error that a group of tasks ended with, if it is one that was expected."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error if isinstance(error, SupervisorError) else None


def _short(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


def _write(folder: Path, error: Exception) -> str:
    """Write it down. Returns a part of a sentence that says where it is."""
    import traceback

    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    path = folder / f"crash-{stamp}-{os.getpid()}.txt"
    text = "".join(traceback.format_exception(error))
    try:
        with open(make_regular(path), "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(
                f"supervisor {__version__}, Python {sys.version}, pid {os.getpid()}, {stamp}\n\n{text}"
            )
        for old in files(folder)[:-KEPT_FILES]:
            old.unlink(missing_ok=True)
    except OSError as failure:
        sys.stderr.write(text)
        return f"it cannot be written into {folder}: {failure.strerror}"
    return f"the traceback and the last inputs are in {path}"
