"""Ctrl-C at a command that follows something in the supervisor: the first one stops that, the second one returns.

The signal handler makes its call on a connection of its own, so the stream of the output, which it interrupts, can go
on.
"""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Protocol, Self

from supervisor.cli.remote.discovery import NotRunning
from supervisor.model.errors import SupervisorError


class Stoppable(Protocol):
    """What is followed."""

    what: str
    """As in "stopping the task"."""

    def stop(self) -> None:
        """Have it stopped; its end is followed all the same. Raises SupervisorError, NotRunning."""


class Interrupts:
    """Handles SIGINT and SIGTERM inside the block: the first stops what began, the next raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.any = self._asked = False
        self._followed: Stoppable | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_error: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]  # what signal() gave

    def began(self, followed: Stoppable) -> None:
        """It has begun. A signal that came before stops it now."""
        self._followed = followed
        if self.any:
            self._stop(followed)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        if not self.any and self._followed is not None:
            self.any = True
            self._stop(self._followed)
        self.any = True

    def _stop(self, followed: Stoppable) -> None:
        """Have it stopped. A signal that arrives meanwhile does not interrupt the call."""
        try:
            followed.stop()
        except (SupervisorError, NotRunning):
            pass  # it or the supervisor has ended: the reader of the output finds out
        self._asked = True
        _say(f"supervisor: stopping the {followed.what}; Ctrl-C again leaves that to the supervisor")


def _say(text: str) -> None:
    """Print from a signal handler, which may have interrupted a print."""
    try:
        os.write(2, f"{text}\n".encode())
    except OSError:
        pass  # standard error is gone
