"""An exception that nobody expected: written down, so that it is known after the process has gone.

It ends the supervisor, not what runs: the next one finds that. At an edge that can be begun again it ends that edge
only. Beside the traceback the file holds what the engine noted of the last inputs. The newest few files are kept; the
next supervisor says where the last one is.
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
from supervisor.lean.typing import Any
from supervisor.model.errors import SupervisorError
from supervisor.shim.regular_file import make_regular

KEPT_FILES = 5
LEAST_PAUSE_S, MOST_PAUSE_S = 1.0, 60.0
"""How long a task that failed is left alone: longer each time, until it has gone on for that long."""
Edge = Callable[[], Coroutine[Any, Any, None]]
"""A task at the edge that runs until it is cancelled."""


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


def restarted(edge: Edge, folder: Path, report: Report) -> Edge:
    """A task at the edge that is begun again when it ends with an exception: it must not end what is supervised.

    The exception is written into a file in `folder`. A SupervisorError is meant to end everything, and does.
    """

    async def run() -> None:
        import anyio

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
        with suppress(OSError):  # nobody reads it
            sys.stderr.write(text)
        return f"it cannot be written into {folder}: {failure.strerror}"
    return f"the traceback and the last inputs are in {path}"
