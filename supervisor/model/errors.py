"""The errors of the project: one hierarchy, a class only where a caller acts on the difference.

Messages are sentences in lower case: "cannot <verb> <thing>: <why>".
"""

from __future__ import annotations

from collections.abc import Sequence


class SupervisorError(Exception):
    """Anything that the supervisor refuses or fails to do, with a message for people."""


class NotFound(SupervisorError):
    """A command names something that does not exist."""


class AlreadyExists(SupervisorError):
    """A command would make a second item of a reference."""


class Precondition(SupervisorError):
    """A command cannot be followed in the present state."""


class StateInUse(SupervisorError):
    """Another supervisor holds the state directory."""


class MachineError(SupervisorError):
    """The machine refused something that the supervisor cannot do without."""


class StoreError(MachineError):
    """The database cannot be read or written."""


class InvalidActivity(SupervisorError):
    """Activity is reported under a name, or of a process, that cannot be."""


class BadSettings(SupervisorError):
    """The settings cannot be used: wrong usage, of which nothing was started. `problems`: a sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)
