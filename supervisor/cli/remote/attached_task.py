"""Runs a task in the running supervisor as if it ran here: with its output on this terminal, and its exit code.

The first Ctrl-C stops the execution, and its last output is still printed. A second one returns at once.
"""

from __future__ import annotations

import sys

from supervisor.cli.remote import references
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.discovery import NotRunning
from supervisor.cli.remote.interrupts import Interrupts
from supervisor.cli.remote.responses import ConnectionLost, Json
from supervisor.cli.remote.wait import execution_ended
from supervisor.cli.terminal.escapes import filter_for
from supervisor.cli.terminal.output import abandon, write_bytes
from supervisor.model.sysexits import EXIT_INTERRUPTED


def run_task(client: Client, reference: str) -> tuple[int, Json]:
    """Start a task and print its log. Returns the exit status, and the end as the supervisor reports it.

    Raises NotFound, ConnectionLost, NotRunning.
    """
    task = references.task(client, reference)
    with Interrupts() as interrupts:
        id_ = client.call("StartTask", id=task["id"])["taskExecution"]["id"]
        interrupts.began(_Execution(client, id_))
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


class _Execution:
    """The execution that is followed."""

    what = "task"

    def __init__(self, client: Client, id_: str) -> None:
        self._client = client
        self._id = id_

    def stop(self) -> None:
        self._client.call("StopTaskExecution", id=self._id)
