"""Crash files: an unexpected exception is written down, so that it is known after the process has ended.

It ends the supervisor, not what runs: the next supervisor adopts that. In a task that can begin again it ends only that
task. Beside the traceback the file holds the engine's note of the last inputs. The newest few files are kept; the next
supervisor says where the last one is.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from supervisor import __version__
from supervisor.boot.report import Report
from supervisor.lean.late import anyio
from supervisor.lean.typing import Any
from supervisor.model.errors import SupervisorError
from supervisor.shim.regular_file import make_regular

KEPT_FILES = 5
LEAST_PAUSE_S, MOST_PAUSE_S = 1.0, 60.0
"""How long a task that failed waits before it begins again: longer each time, until it has run for the longest."""
Edge = Callable[[], Coroutine[Any, Any, None]]
"""A task at the edge that runs until it is cancelled."""


class Bug(SupervisorError):
    """Something is wrong with the supervisor itself. The message names the crash file."""


@contextmanager
def noted(folder: Path) -> Iterator[None]:
    """Write an exception that is not a SupervisorError into a file in `folder`, and raise Bug in its place."""
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


def restarted(edge: Edge, folder: Path, report: Report) -> Edge:
    """A task at the edge that begins again when it ends with an exception: it must not end what is supervised.

    The exception is written into a file in `folder`. A SupervisorError is meant to end everything, and does.
    """

    async def run() -> None:
        pause_s = LEAST_PAUSE_S
        while True:
            began_s = time.monotonic()
            try:
                await edge()
                return
            except Exception as error:
                if (expected := _expected(error)) is not None:
                    raise expected from None
                if time.monotonic() - began_s > MOST_PAUSE_S:
                    pause_s = LEAST_PAUSE_S
                report.notice(
                    f"a part of it met a bug, {_short(error)}; {_write(folder, error)}; everything else goes on, and "
                    f"that part begins again in {pause_s:.0f} s"
                )
            await anyio.sleep(pause_s)
            pause_s = min(pause_s * 2, MOST_PAUSE_S)

    return run


def files(folder: Path) -> list[Path]:
    """The crash files, the oldest first."""
    return sorted(folder.glob("crash-*.txt"))


def _expected(error: Exception) -> SupervisorError | None:
    """The one error that a group of tasks ended with, if it is an expected one."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error if isinstance(error, SupervisorError) else None


def _short(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


def _write(folder: Path, error: Exception) -> str:
    """Write a crash file. Returns a part of a sentence that says where it is."""
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
        with suppress(OSError):  # standard error may be closed
            sys.stderr.write(text)
        return f"it cannot be written into {folder}: {failure.strerror}"
    return f"the traceback and the last inputs are in {path}"
