"""The record of an operation: a command that a client has run, under an id that the client chose, and its result.

| state | phase | what lives |
|---|---|---|
| `OperationLive` | LIVE | the run |
| `OperationEnding` | STOPPING | the run, until SIGTERM or SIGKILL ends it |
| `OperationEnded` | ENDED | nothing that it waits for |

A result is kept for a while. That the id was used is known for longer: `ForgottenOperation`, which is no record.
Deadlines are on the monotonic clock. The first command of a new environment does not wait for this module, so the
commands that concern operations are here, too.
"""

from __future__ import annotations

from supervisor.lean.frozen import dataclass
from supervisor.model.exit import Exit, ExitUnknown, NotStarted, shell_status
from supervisor.model.ids import OperationId, RunId, derived
from supervisor.model.phase import RunPhase

KEPT_STREAM_BYTES = 128 << 20
"""Of each stream: its first and its last 64 MiB are kept."""
SHOWN_COMMAND_CHARACTERS = 200
"""So much of the command is kept once it has ended."""


_NAME_CHARACTERS = 60
EXIT_LIMIT, EXIT_CANCELLED = 124, 130


class EndReason:
    """Why the supervisor ended an operation, as its record has it; empty: it did not."""

    LIMIT = "limit"
    """It took longer than its caller allows."""
    CANCEL = "cancel"
    """A client wanted it stopped."""
    DRAIN = "drain"
    """Everything is being stopped."""


@dataclass(frozen=True, slots=True)
class OperationLive:
    """The command is to run, or runs."""

    limit_at: float | None = None
    """When it has taken too long; None: it has all the time it needs."""
    phase = RunPhase.LIVE


@dataclass(frozen=True, slots=True)
class OperationEnding:
    """SIGTERM was sent."""

    why: str
    """One of `EndReason`."""
    kill_at: float | None
    """None once SIGKILL was sent."""
    phase = RunPhase.STOPPING


@dataclass(frozen=True, slots=True)
class OperationEnded:
    """It is over: its shell has ended or, if the supervisor ended it, its whole process tree."""

    exit: Exit
    ended_s: float
    """Wall clock."""
    why: str = ""
    """One of `EndReason`; empty: it ended by itself."""
    written: tuple[int, int] = (0, 0)
    """How many bytes it had written to stdout and to stderr, without what processes that it left behind write."""
    lost: tuple[int, int] = (0, 0)
    """Of these, how many the disk had no room for, as far as the files do not say so."""
    phase = RunPhase.ENDED


OperationState = OperationLive | OperationEnding | OperationEnded
RUNS = OperationLive()


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation. Its record's id is that of its run, made when it is accepted: clients know `operation_id`."""

    id: RunId
    operation_id: OperationId
    command: str
    """Once it has ended only its beginning, of `SHOWN_COMMAND_CHARACTERS`."""
    digest: str
    """Of command and working directory; it tells whether somebody else uses the id for something else."""
    working_directory: str
    """Absolute, or below the workspace; empty: the workspace."""
    limit_s: float
    """0: none."""
    created_s: float
    state: OperationState = RUNS
    born: int = 0
    revision: int = 0

    @property
    def name(self) -> str:
        """What a client calls it, as a part of a line: without what cannot be printed, cut if it is long."""
        text = "".join(filter(str.isprintable, self.operation_id))
        return text if len(text) <= _NAME_CHARACTERS else f"{text[:_NAME_CHARACTERS]}..."

    @property
    def phase(self) -> RunPhase:
        """Where it stands."""
        return self.state.phase

    @property
    def exit(self) -> Exit | None:
        """How its command ended; None: it has not."""
        return self.state.exit if isinstance(self.state, OperationEnded) else None

    @property
    def status(self) -> int | None:
        """The exit code that its callers get: the command's, 128 + N for signal N, 124 if its limit was over, 130 if it
        was cancelled. None: nobody knows how it ended, or it has not.
        """
        match self.state:
            case OperationEnded(why=EndReason.LIMIT):
                return EXIT_LIMIT
            case OperationEnded(why=EndReason.CANCEL):
                return EXIT_CANCELLED
            case OperationEnded(exit=ExitUnknown()):
                return None
            case OperationEnded(exit=end):
                return shell_status(end)
            case _:
                return None

    @property
    def uses_up_id(self) -> bool:
        """Whether its command is never run again: it began, or somebody wanted no more of it before it could."""
        if not isinstance(self.state, OperationEnded):
            return True
        return not isinstance(self.state.exit, NotStarted) or self.state.why in (
            EndReason.LIMIT,
            EndReason.CANCEL,
        )


@dataclass(frozen=True, slots=True)
class ForgottenOperation:
    """An operation whose result is no longer kept."""

    operation_id: OperationId
    status: int | None
    """The exit code that its callers got; None: nobody knows how it ended."""
    ended_s: float
    """Wall clock."""


def digest_of(command: str, working_directory: str) -> str:
    """What tells one command in one place from others."""
    return derived(_NIL, working_directory, command)


_NIL = "00000000-0000-0000-0000-000000000000"


# Commands -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunOperation:
    """Run a command under an id that is not used. Look first for the operation, which may run or have ended.

    `limit_s`: it is ended after so long; 0: never. The stamp becomes the id of its run and of its record.
    """

    operation_id: OperationId
    command: str
    working_directory: str
    limit_s: float
    stamp: str

    def __repr__(self) -> str:
        """Without the command, which never reaches a log of ours."""
        return f"RunOperation({self.operation_id!r}, ..., limit_s={self.limit_s!r}, stamp={self.stamp!r})"


@dataclass(frozen=True, slots=True)
class CancelOperation:
    """End an operation; no effect on one that has ended, or that nobody knows."""

    operation_id: OperationId


@dataclass(frozen=True, slots=True)
class ForgetOperations:
    """Forget the results of operations that ended before `before_s`, wall clock."""

    before_s: float


OperationCommand = RunOperation | CancelOperation | ForgetOperations
