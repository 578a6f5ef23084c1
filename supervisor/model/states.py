"""Where services and task runs stand: one value for each state, with the fields that it needs and no others.

| state of a service | phase | what lives |
|---|---|---|
| `AtRest` | STOPPED; FAILED if `failure` says why | nothing |
| `Starting` | STARTING | start, and its probes |
| `Running` | RUNNING | start |
| `Stopping` | STOPPING | start, its probes, the stop command: at least one of them |
| `Deleted` | DELETED | nothing |

| state of a task run | phase | what lives |
|---|---|---|
| `RunLive` | LIVE | the run, which an execution needs |
| `RunStopping` | STOPPING | the run, until SIGTERM or SIGKILL ends it |
| `RunEnded` | ENDED | nothing |

Deadlines are on the monotonic clock.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from supervisor.lean.frozen import dataclass, field
from supervisor.model.exit import Exit
from supervisor.model.ids import RunId
from supervisor.model.phase import RunPhase, ServicePhase
from supervisor.model.spec import ServiceSpec

_EMPTY: Mapping[str, str] = MappingProxyType({})


def _empty() -> Mapping[str, str]:
    return _EMPTY


class StopStage(enum.Enum):
    """How far the stopping of a service has gone."""

    COMMAND = "command"
    """The stop command runs."""
    TERMINATED = "terminated"
    """SIGTERM was sent."""
    KILLED = "killed"
    """SIGKILL was sent."""


@dataclass(frozen=True, slots=True)
class ServiceSession:
    """A session of a service: one run of its start command."""

    id: str
    spec: ServiceSpec
    """As it was when the session began."""
    run: RunId
    """The id of the run of the start command. Its log is the service's log."""
    output: Mapping[str, str] = field(default_factory=_empty)


@dataclass(frozen=True, slots=True)
class ProbeRun:
    """The probes of a session, one after the other, until one exits 0."""

    id: RunId
    """The run id that they have in common."""


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """How the last probe ended."""

    reason: str = ""
    """Why the service is not ready; empty before the first probe has ended."""
    tail: str = ""
    """Its last lines of output."""
    noted: str = ""
    """The last reason that the service's log has, or that came without output."""
    noted_at: float | None = None
    """When the log got it."""


_NO_REPORT = ProbeReport()


@dataclass(frozen=True, slots=True)
class AtRest:
    """Nothing lives."""

    session: ServiceSession | None = None
    """The last one; None before the first."""
    failure: str = ""
    """Why the session failed; empty: the service is STOPPED."""
    note: str = ""
    """What else there is to say of a session that did not fail."""
    tail: str = ""
    """The last lines of output, if `failure` or `note` is set."""
    exit: Exit | None = None
    """How the start command ended."""

    @property
    def phase(self) -> ServicePhase:
        """STOPPED or FAILED."""
        return ServicePhase.FAILED if self.failure else ServicePhase.STOPPED


@dataclass(frozen=True, slots=True)
class Starting:
    """The start command is to run, or runs; the service is not ready."""

    session: ServiceSession
    ready_by: float | None = None
    """When the service fails unless it is ready; None: it has all the time it needs."""
    probe: ProbeRun | None = None
    """None until the process of the start command is known to run."""
    report: ProbeReport = _NO_REPORT
    phase = ServicePhase.STARTING


@dataclass(frozen=True, slots=True)
class Running:
    """The start command runs, and the service is ready."""

    session: ServiceSession
    phase = ServicePhase.RUNNING


@dataclass(frozen=True, slots=True)
class Stopping:
    """The session is being stopped, or its start command has ended and something of it lives."""

    session: ServiceSession
    kill_at: float | None
    """None once SIGKILL was sent."""
    start_lives: bool = True
    probe: RunId | None = None
    """The run id of probes that are still to end. The one that ran was killed."""
    stop: RunId | None = None
    """The run id of the stop command, while it lives."""
    failure: str = ""
    """Why the session will end FAILED; empty: it will end STOPPED."""
    tail: str = ""
    exit: Exit | None = None
    """How the main process of the start command ended, once it has."""
    ready: bool = False
    """Whether the service was RUNNING."""
    phase = ServicePhase.STOPPING

    @property
    def stage(self) -> StopStage:
        """How far the stopping has gone."""
        if self.kill_at is None:
            return StopStage.KILLED
        return StopStage.TERMINATED if self.stop is None else StopStage.COMMAND


@dataclass(frozen=True, slots=True)
class Deleted:
    """The service exists no more. This state is published once."""

    last: AtRest
    """How it ended."""
    phase = ServicePhase.DELETED

    @property
    def session(self) -> ServiceSession | None:
        """The last one; None if there was none."""
        return self.last.session


ServiceState = AtRest | Starting | Running | Stopping | Deleted


# Task runs ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunLive:
    """The command is to run, or runs, and an execution needs it."""

    phase = RunPhase.LIVE


@dataclass(frozen=True, slots=True)
class RunStopping:
    """SIGTERM was sent: no execution needs it any more."""

    kill_at: float | None
    """On the monotonic clock; None once SIGKILL was sent."""
    phase = RunPhase.STOPPING


@dataclass(frozen=True, slots=True)
class RunEnded:
    """It is over."""

    exit: Exit
    tail: str = ""
    stopped: bool = False
    """Whether SIGTERM was sent: no execution that comes later can use its result then."""
    killed: bool = False
    """Whether it had to be killed: it did not end within its grace period."""
    phase = RunPhase.ENDED


RunState = RunLive | RunStopping | RunEnded
LIVE = RunLive()
