"""How a command ended."""

from __future__ import annotations

import signal

from supervisor.lean.frozen import dataclass
from supervisor.lean.typing import assert_never
from supervisor.model.sysexits import EXIT_NOT_STARTED, EXIT_UNKNOWN


@dataclass(frozen=True, slots=True)
class ExitCode:
    """It called exit with `code`, 0 to 255."""

    code: int
    out_of_memory: bool = False
    """Whether the code reports the end of a process that the kernel killed because memory had run out."""


@dataclass(frozen=True, slots=True)
class ExitSignal:
    """It was killed by signal `number`."""

    number: int
    out_of_memory: bool = False
    """Whether the kernel killed it because memory had run out."""


@dataclass(frozen=True, slots=True)
class NotStarted:
    """It never ran. `why` is a phrase in lower case without a full stop."""

    why: str
    errno: int = 0
    """What the kernel refused: the working directory (ENOENT, ENOTDIR, EACCES), room on the disk (ENOSPC, EDQUOT), or
    what may be there in a moment (`TRANSIENT_ERRNOS`). ESRCH: there is no shim. 0: another reason."""


@dataclass(frozen=True, slots=True)
class ExitUnknown:
    """It ended while no process could collect its exit status."""

    why: str = ""
    """What is known about its end, as the rest of a sentence that begins with the command's name."""


Exit = ExitCode | ExitSignal | NotStarted | ExitUnknown

SUCCESS = ExitCode(0)
_OUT_OF_MEMORY = " (out of memory)"


def signal_name(number: int) -> str:
    """`SIGTERM` for 15; `signal 40` for one without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def exit_text(end: Exit) -> str:
    """How it ended, as the rest of a sentence that begins with the command's name."""
    match end:
        case ExitCode(code, out_of_memory):
            return f"exited {code}{_OUT_OF_MEMORY if out_of_memory else ''}"
        case ExitSignal(number, out_of_memory):
            return f"was killed by {signal_name(number)}{_OUT_OF_MEMORY if out_of_memory else ''}"
        case NotStarted(why):
            return f"could not start: {why}"
        case ExitUnknown(why):
            return why or "ended, exit status unknown"
        case _:
            assert_never(end)


def shell_status(end: Exit) -> int:
    """The status that a shell would report in `$?`: the code, 128 + the signal, 126 if it could not start."""
    match end:
        case ExitCode(code):
            return code
        case ExitSignal(number):
            return 128 + number
        case NotStarted():
            return EXIT_NOT_STARTED
        case ExitUnknown():
            return EXIT_UNKNOWN
        case _:
            assert_never(end)
