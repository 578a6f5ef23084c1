"""How an error reaches the user: its sentences on standard error, and the exit status that goes with it."""

from __future__ import annotations

import sys

from supervisor.model.errors import BadSettings, StateInUse, SupervisorError
from supervisor.model.sysexits import EXIT_FAILED, EXIT_IN_USE, EXIT_USAGE


def say(error: SupervisorError) -> int:
    """Print an error. Returns the exit status: 2 for wrong usage, 4 for a second supervisor, 1 for everything else."""
    if not isinstance(error, BadSettings):
        print(f"supervisor: {error}", file=sys.stderr)
        return EXIT_IN_USE if isinstance(error, StateInUse) else EXIT_FAILED
    for problem in error.problems:
        print(f"supervisor: {problem}", file=sys.stderr)
    return EXIT_USAGE
