"""The errors of the project: one hierarchy, with a class only where a caller acts on the difference.

Messages are sentences in lower case: "cannot <verb> <thing>: <why>".
"""

from __future__ import annotations

import errno
from collections.abc import Sequence

from supervisor.lean.typing import Protocol

TRANSIENT_ERRNOS = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
"""How OSError says that the machine is short of something: it may be over in a moment."""


class SupervisorError(Exception):
    """The supervisor refuses or fails to do something. The message is for people."""


class NotFound(SupervisorError):
    """A command names something that does not exist."""


class AlreadyExists(SupervisorError):
    """A command would create a second item with the same reference."""


class Precondition(SupervisorError):
    """A command cannot be carried out in the present state."""


class Draining(Precondition):
    """Nothing is started any more: everything is being stopped."""


class Exhausted(SupervisorError):
    """A command would exceed a limit. Later it may not."""


class StateInUse(SupervisorError):
    """Another supervisor holds the state directory."""


class MachineError(SupervisorError):
    """The machine refused something that the supervisor needs."""


class StoreError(MachineError):
    """The database cannot be read or written."""


class InvalidActivity(SupervisorError):
    """Activity is reported under an invalid name, or for an invalid process."""


class BadSettings(SupervisorError):
    """The settings cannot be used, and nothing was started. `problems` holds a sentence for each reason."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class ProblemSink(Protocol):
    """Takes what the machine refuses for a while: `boot.conditions` is one."""

    def on_problem(self, kind: str, reason: str) -> None:
        """`kind`: "commands", "disk", "logs" or "threads". An empty reason: there is no such problem, or no longer."""
