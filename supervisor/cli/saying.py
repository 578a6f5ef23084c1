"""How an error reaches the user: its sentences on standard error, and the exit status that goes with it."""

from __future__ import annotations

import sys

from supervisor.model.errors import BadSettings, StateInUse, SupervisorError

WRONG_USAGE = 2
OTHER_SUPERVISOR = 4
"""Another supervisor holds the workspace, and goes on: whoever starts entrypoints has started one too many."""


def say(error: SupervisorError) -> int:
    """Print an error. Returns the exit status: 2 for wrong usage, 4 for a second supervisor, 1 for everything else."""
    if not isinstance(error, BadSettings):
        print(f"supervisor: {error}", file=sys.stderr)
        return OTHER_SUPERVISOR if isinstance(error, StateInUse) else 1
    for problem in error.problems:
        print(f"supervisor: {problem}", file=sys.stderr)
    return WRONG_USAGE
