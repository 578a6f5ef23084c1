"""Runs a task in the running supervisor as if it ran here: with its output on this terminal, and its exit code.

The first Ctrl-C stops the execution, and its last output is still printed. A second one returns at once. The signal
handler makes its call on a connection of its own, so the stream of the log, which it interrupts, can go on.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Self

from supervisor.cli.remote import references
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.discovery import NotRunning
from supervisor.cli.remote.responses import ConnectionLost, Json
from supervisor.cli.remote.wait import execution_ended
from supervisor.cli.terminal.escapes import filter_for
from supervisor.cli.terminal.output import abandon, write_bytes
from supervisor.model.errors import SupervisorError
from supervisor.model.sysexits import EXIT_INTERRUPTED


def run_task(client: Client, reference: str) -> tuple[int, Json]:
    """Start a task and print its log. Returns the exit status, and the end as the supervisor reports it.

    Raises NotFound, ConnectionLost, NotRunning.
    """
    task = references.task(client, reference)
    with _Interrupts(client) as interrupts:
        id_ = client.call("StartTask", id=task["id"])["taskExecution"]["id"]
        interrupts.began(id_)
        try:
            _print_log(client, id_)
            ended = execution_ended(client, id_)
        except (ConnectionLost, NotRunning):
            raise ConnectionLost(
                f'the supervisor went away while task "{reference}" ran, so its end is not known here; '
                '"supervisor status" shows whether a supervisor runs again'
            ) from None
        except KeyboardInterrupt:
            return EXIT_INTERRUPTED, {"id": id_, "reference": reference, "phase": "stopping", "reason": ""}
    return (EXIT_INTERRUPTED if interrupts.any else ended["exitStatus"]), ended


def _print_log(client: Client, execution_id: str) -> None:
    """Print all of a log. If the reader of our output goes away, the task goes on."""
    shown = filter_for(sys.stdout)
    with client.log(f"executions/{execution_id}", follow=True) as pieces:
        try:
            for piece in pieces:
                _print(shown.feed(piece))
        finally:
            _print(shown.end())


def _print(data: bytes) -> None:
    try:
        write_bytes(data)
    except OSError:
        abandon(sys.stdout)


class _Interrupts:
    """Handles SIGINT and SIGTERM inside the block: the first stops the execution, the next raises KeyboardInterrupt."""

    def __init__(self, client: Client) -> None:
        self.any = self._asked = False
        self._client = client
        self._execution_id = ""
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_error: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]  # what signal() gave

    def began(self, execution_id: str) -> None:
        """The execution has begun. A signal that came before stops it now."""
        self._execution_id = execution_id
        if self.any:
            self._stop()

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        if not self.any and self._execution_id:
            self.any = True
            self._stop()
        self.any = True

    def _stop(self) -> None:
        """Have the execution stopped. A signal that arrives meanwhile does not interrupt the call."""
        try:
            self._client.call("StopTaskExecution", id=self._execution_id)
        except (SupervisorError, NotRunning):
            pass  # the execution or the supervisor has ended: the reader of the log finds out
        self._asked = True
        _say("supervisor: stopping the task; Ctrl-C again leaves that to the supervisor")


def _say(text: str) -> None:
    """Print from a signal handler, which may have interrupted a print."""
    try:
        os.write(2, f"{text}\n".encode())
    except OSError:
        pass  # standard error is gone
