"""Observations: what was seen to have happened. Never refused; a fact of a run that is not current is ignored."""

from __future__ import annotations

from collections.abc import Mapping

from supervisor.lean.frozen import dataclass
from supervisor.model.exit import Exit
from supervisor.model.spec import Trigger


@dataclass(frozen=True, slots=True)
class Started:
    """A run's process exists."""

    run_id: str
    pid: int


@dataclass(frozen=True, slots=True)
class MainExited:
    """A run's main process has ended, but others of its process tree live on."""

    run_id: str
    exit: Exit
    tail: str = ""


@dataclass(frozen=True, slots=True)
class Survivor:
    """A process that even SIGKILL did not end. `state`: its letter in proc_pid_stat(5), D for uninterruptible sleep."""

    pid: int
    name: str
    state: str

    def __str__(self) -> str:
        return f"{self.pid} ({self.name}, state {self.state})"


@dataclass(frozen=True, slots=True)
class Exited:
    """A run is over: it never started, or its main process ended and, as far as the run must answer for them, so did
    the others of its tree. `tail` holds the last lines of its log if it did not succeed. `survivors` are processes
    that even SIGKILL did not end.
    """

    run_id: str
    exit: Exit
    tail: str = ""
    output: Mapping[str, str] | None = None
    survivors: tuple[Survivor, ...] = ()


@dataclass(frozen=True, slots=True)
class OutputRead:
    """The `GITPOD_OUTPUT` file of a live run was read: the whole map as it is now."""

    run_id: str
    output: Mapping[str, str]


RunFact = Started | MainExited | Exited | OutputRead
"""What happened to a run."""


@dataclass(frozen=True, slots=True)
class EnvironmentStarted:
    """The supervisor of an environment began its work. `begins`: so does the environment, it does not go on."""

    environment_id: str
    trigger_filter: tuple[Trigger, ...] = ()
    begins: bool = False


@dataclass(frozen=True, slots=True)
class FileRead:
    """The automations file was looked for and, where there is one, read."""

    presence: str
    path: str
    session: str
    failure: str = ""
    warning: str = ""


@dataclass(frozen=True, slots=True)
class ActivitySeen:
    """Somebody or something was active in the environment."""

    source: str
    at_s: float


@dataclass(frozen=True, slots=True)
class MachineRestarted:
    """The machine was restarted since the records were made: nothing that they say lives does."""


Fact = RunFact | EnvironmentStarted | FileRead | ActivitySeen | MachineRestarted
