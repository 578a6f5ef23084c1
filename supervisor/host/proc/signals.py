"""Signals: what each one means to the supervisor.

The first process of a machine or container has no default dispositions: the kernel drops signals that it does not
handle. Any other process ends by a signal that it does not handle. So every signal that may be sent has its row here,
and means the same in both places.

| signal | who sends it | meaning |
|---|---|---|
| SIGINT | Ctrl-C; Ctrl-Alt-Del to a machine's first process | drain; a second one kills what still lives |
| SIGTERM | systemd, docker and podman stop, a runner | drain |
| SIGPWR | lxc stop, an uninterruptible power supply | drain |
| SIGRTMIN+3 to +6 | stop of containers that systemd would run in: halt, power off, reboot, kexec | drain |
| SIGRTMIN+13 to +16 | the same, immediately | drain without grace: kill |
| SIGHUP | `systemctl reload`, a person | read the automations file again |
| SIGUSR1 | a person | print what runs and what is waited for |
| SIGQUIT | a person | write all stacks into the state directory, and go on |
| SIGALRM | our own alarm; a mistake | write the main thread's stack (`loop_lag`), and go on |
| SIGVTALRM | our own timer; a mistake | end a search that takes too long (`api/logs/line_pattern`), or nothing |
| SIGUSR2, SIGPROF, SIGIO, SIGXCPU, SIGSTKFLT, other real-time signals | a mistake | nothing |
| SIGPIPE, SIGXFSZ | the kernel | nothing: the write fails, and its caller handles that (Python ignores both) |
| SIGCHLD | the kernel | a child ended: asyncio handles it |
| SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT | a terminal | as always |
| SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS | a bug; systemd's watchdog | the end; commands live on |

Real-time signals as in systemd(1).
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from enum import Enum


class PendingSignals(list[int]):
    """Signals that arrived and were not acted on yet, in the order of arrival."""

    arrived: Callable[[], object] = staticmethod(int)
    """Is called in the signal's handler, once the number is in the list."""


class Meaning(Enum):
    """What a signal asks for."""

    DRAIN = "drain"
    KILL = "kill"
    RELOAD = "reload"
    STATUS = "status"
    STACKS = "stacks"
    NOTHING = "nothing"


MEANINGS: dict[int, Meaning] = {
    **{number: Meaning.NOTHING for number in range(signal.SIGRTMIN, signal.SIGRTMAX + 1)},
    **{signal.SIGRTMIN + offset: Meaning.DRAIN for offset in (3, 4, 5, 6)},
    **{signal.SIGRTMIN + offset: Meaning.KILL for offset in (13, 14, 15, 16)},
    signal.SIGINT: Meaning.DRAIN,
    signal.SIGTERM: Meaning.DRAIN,
    signal.SIGPWR: Meaning.DRAIN,
    signal.SIGHUP: Meaning.RELOAD,
    signal.SIGUSR1: Meaning.STATUS,
    signal.SIGQUIT: Meaning.STACKS,
    signal.SIGUSR2: Meaning.NOTHING,
    signal.SIGALRM: Meaning.NOTHING,
    signal.SIGVTALRM: Meaning.NOTHING,
    signal.SIGPROF: Meaning.NOTHING,
    signal.SIGIO: Meaning.NOTHING,
    signal.SIGXCPU: Meaning.NOTHING,
    signal.SIGSTKFLT: Meaning.NOTHING,
}
"""`{number: meaning}` of the signals that the supervisor handles itself."""

HANDLED = tuple(number for number, meaning in MEANINGS.items() if meaning is not Meaning.NOTHING)
"""The signals that the supervisor acts on."""


def hold() -> PendingSignals:
    """Collect the signals that the supervisor acts on, instead of dying of them. Returns the list that they appear in.

    Also unblocks all signals, which our parent may have blocked, and stops ignoring SIGCHLD: wait(2) would lose the
    statuses of children.
    """
    seen = PendingSignals()

    def note(received: int, _frame: object) -> None:
        seen.append(received)
        seen.arrived()

    for number in HANDLED:
        signal.signal(number, note)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    return seen


def survive_others() -> None:
    """Survive the other signals. Apart from `hold`, because it takes a while and the first command waits."""
    for number in MEANINGS.keys() - set(HANDLED):
        # Not SIG_IGN: programs that we start would inherit that.
        signal.signal(number, _nothing)


def _nothing(_received: int, _frame: object) -> None:
    """Do nothing: the signal was a mistake."""
