"""Facts: what was observed. The core never refuses one; it ignores a fact about a run that is not current."""

from __future__ import annotations

from collections.abc import Mapping

from supervisor.lean.frozen import dataclass
from supervisor.model.exit import Exit
from supervisor.model.ids import EnvironmentId, RunId
from supervisor.model.spec import Trigger


@dataclass(frozen=True, slots=True)
class Started:
    """The process of a run exists."""

    run_id: RunId
    pid: int


@dataclass(frozen=True, slots=True)
class MainExited:
    """A run's main process has ended, but others of its process tree live on."""

    run_id: RunId
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
    """A run is over: it never started, or its main process has ended, and so have those others of its tree that belong
    to the run. `tail` holds the last lines of its log if it did not succeed. `survivors` are processes that even
    SIGKILL did not end.
    """

    run_id: RunId
    exit: Exit
    tail: str = ""
    output: Mapping[str, str] | None = None
    survivors: tuple[Survivor, ...] = ()
    written: tuple[int, int] = (0, 0)
    """Of an operation: how many bytes it wrote to stdout and to stderr until now."""
    lost: tuple[int, int] = (0, 0)
    """Besides, how many bytes of each the disk had no room for, as far as the files do not say so."""
    unasked: bool = False
    """Of an operation: whether its shell had ended before it was asked to, while its last output was waited for."""


@dataclass(frozen=True, slots=True)
class ProbeEnded:
    """A probe has ended in another way than the one before, or in the same way as all for a while.

    There will be another one, unless `Exited` says that the probes are over: one has exited 0, or they were to end.
    """

    run_id: RunId
    """Of all probes of a session."""
    exit: Exit
    tail: str = ""
    """The last lines of what it printed."""
    output: str = ""
    """The end of what it printed; bytes that are not UTF-8 are lone surrogates."""
    count: int = 1
    """How many have ended since the last fact of this kind."""
    took_s: float = 0.0
    is_late: bool = False
    """Whether it was killed because it took too long."""


@dataclass(frozen=True, slots=True)
class OutputRead:
    """The `GITPOD_OUTPUT` file of a live run was read; `output` is its whole content."""

    run_id: RunId
    output: Mapping[str, str]


RunFact = Started | MainExited | Exited | ProbeEnded | OutputRead
"""A fact about a run."""


@dataclass(frozen=True, slots=True)
class EnvironmentStarted:
    """A supervisor has taken over an environment. `begins`: a new session of the environment begins, none continues."""

    environment_id: EnvironmentId
    trigger_filter: tuple[Trigger, ...] = ()
    begins: bool = False


@dataclass(frozen=True, slots=True)
class FileRead:
    """The automations file was looked up and, if there is one, read."""

    presence: str
    path: str
    session: str
    failure: str = ""
    warning: str = ""


@dataclass(frozen=True, slots=True)
class ActivitySeen:
    """A person or a program was active in the environment."""

    source: str
    at_s: float


@dataclass(frozen=True, slots=True)
class MachineRestarted:
    """The machine was restarted after the records were made: none of their live processes lives any more."""


Fact = RunFact | EnvironmentStarted | FileRead | ActivitySeen | MachineRestarted
