"""The errors of the project: one hierarchy, a class only where a caller acts on the difference.

Messages are sentences in lower case: "cannot <verb> <thing>: <why>".
"""

from __future__ import annotations


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


class InvalidActivity(SupervisorError):
    """Activity is reported under a name, or of a process, that cannot be."""
