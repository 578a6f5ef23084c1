"""An execution's end as the exit status of a program that stands for it."""

from __future__ import annotations

from typing import assert_never

from supervisor.model.exit import shell_status
from supervisor.model.phase import ExecutionPhase
from supervisor.model.record import Execution
from supervisor.model.sysexits import EXIT_FAILED, EXIT_INTERRUPTED


def exit_status(execution: Execution) -> int | None:
    """0 if it succeeded, the failing step's exit code if it failed (1 where there is none), 130 if it was stopped; None
    while it is not over.
    """
    match execution.phase:
        case ExecutionPhase.PENDING | ExecutionPhase.RUNNING:
            return None
        case ExecutionPhase.SUCCEEDED:
            return 0
        case ExecutionPhase.STOPPED:
            return EXIT_INTERRUPTED
        case ExecutionPhase.FAILED:
            return (
                shell_status(execution.exit) if execution.exit is not None else EXIT_FAILED
            ) or EXIT_FAILED
        case _:
            assert_never(execution.phase)
