"""The first process: pid 1 of a container or a machine, above the supervisor itself.

The kernel gives pid 1 duties that no other process has, and they do not go together with supervising:

- A process that loses its parent becomes a child of pid 1, and stays a zombie until pid 1 waits for it. waitpid(-1)
  does that, but takes statuses away from other code of the same process that waits. Here there is no such code: the
  supervisor is a child.
- When pid 1 ends, everything ends. So as little as possible runs here. The supervisor may fail or be killed, and is
  started again; the commands go on, and it adopts them (`host/runs/adoption`).
- It has no default dispositions, and only it gets signals from outside. It passes them on.

| the supervisor | then |
|---|---|
| exited, whatever the status | SIGTERM to all that is left, SIGKILL after 2 s, exit with its status |
| exited 70, a bug; or a signal ended it | started again after 1, 2, 4 ... 60 s; 1 s again once it has lived 60 s |
| the same, after a signal that asks for the end | as if it had exited, with 128 + the number of what ended it |
| cannot be started: no process or memory is free | tried again, after the same pauses |
| exited 75: it has detached | started again at once: the commands that it left would not outlive us |

All signals are blocked here and taken one by one, so none can arrive at a bad moment. Call this in a process that has
imported next to nothing: its fork then takes a millisecond, and the two processes share most of their memory.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable

from supervisor.host.proc.signals import HANDLED, MEANINGS, Meaning
from supervisor.model.sysexits import EXIT_BUG, EXIT_DETACHED
from supervisor.settings import cwd

FIRST_DELAY_S, LONGEST_DELAY_S = 1.0, 60.0
LEFT_GRACE_S = 2.0
"""How long the processes that are left at the end may take after SIGTERM."""

_ENDING = {number for number in HANDLED if MEANINGS[number] in (Meaning.DRAIN, Meaning.KILL)}


def watch_over(supervise: Callable[[], int]) -> int:
    """Run `supervise` in a child, again if it fails. Returns the exit status for pid 1.

    Returns in the child as well, with the status that `supervise` returned: the caller exits with it in both cases.
    """
    assert os.getpid() == 1, "the end of pid 1 is the end of all"
    init = Init()
    while True:
        try:
            pid = init.start()
        except OSError as error:  # EAGAIN, ENOMEM
            status = init.wait_for_a_process(error)
        else:
            if pid == 0:
                return _guarded(supervise)
            status = init.attend(pid)
        if status is not None:
            return status


class Init:
    """The state of pid 1: whether a signal asked for the end, and how often the supervisor has failed of late."""

    def __init__(self) -> None:
        """Block all signals, so that none is lost."""
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        self._end_asked = 0
        self._delay_s = FIRST_DELAY_S
        self._started_at = 0.0

    def start(self) -> int:
        """Fork. Returns the pid of the supervisor, and 0 in the supervisor, where signals stay blocked until `hold`.

        The supervisor begins in the folder that we were started in, if that exists; we keep no folder busy.
        """
        self._started_at = time.monotonic()
        cwd.remember()
        pid = os.fork()
        if pid == 0:
            cwd.enter_again()
            # Ctrl-C goes to the terminal's foreground group. The supervisor must get it once, through us.
            os.setpgid(0, 0)
            return 0
        cwd.leave()
        if self._end_asked:
            os.kill(pid, self._end_asked)  # the signal came while there was no supervisor
        return pid

    def attend(self, supervisor: int) -> int | None:
        """Reap and pass signals on until the supervisor has ended. Returns the exit status; None: start it again."""
        while True:
            for pid, wait_status in _reaped():
                if pid == supervisor:
                    return self._after(wait_status)
            number = signal.sigwait(signal.valid_signals())
            if number in MEANINGS:
                self._note(number)
                os.kill(supervisor, number)

    def wait_for_a_process(self, error: OSError) -> int | None:
        """Wait before the next attempt to fork. Returns the exit status if a signal asks for the end; None: try again.

        Without a supervisor the commands are ended here.
        """
        if not self._end_asked:
            self._pause(f"it cannot be started now: {error.strerror}")
        if self._end_asked:
            _end_the_rest()
            return 128 + self._end_asked
        return None

    def _note(self, number: int) -> None:
        if number in _ENDING:
            self._end_asked = number

    def _after(self, wait_status: int) -> int | None:
        status = os.waitstatus_to_exitcode(wait_status)
        if status == EXIT_DETACHED:
            return None
        failed = status < 0 or status == EXIT_BUG
        if not failed or self._end_asked:
            _end_the_rest()
            return status if status >= 0 else 128 - status
        self._pause("it met a bug" if status == EXIT_BUG else f"signal {-status} ended it")
        return None

    def _pause(self, why: str) -> None:
        """Reap for a while before the next attempt. A signal that asks for the end cuts the pause short."""
        if time.monotonic() - self._started_at >= LONGEST_DELAY_S:
            self._delay_s = FIRST_DELAY_S
        _say(f"the supervisor is started again in {self._delay_s:g} s, since {why}; what it ran goes on")
        until = time.monotonic() + self._delay_s
        self._delay_s = min(2 * self._delay_s, LONGEST_DELAY_S)
        while not self._end_asked and (patience_s := until - time.monotonic()) > 0:
            _reaped()
            if (came := signal.sigtimedwait(signal.valid_signals(), patience_s)) is not None:
                self._note(came.si_signo)


def _guarded(supervise: Callable[[], int]) -> int:
    """Run it, and turn an exception into the exit status of a bug."""
    try:
        return supervise()
    except Exception:
        sys.excepthook(*sys.exc_info())
        return EXIT_BUG


def _reaped() -> list[tuple[int, int]]:
    """Reap every child that has ended: `(pid, wait status)`. SIGCHLD coalesces, so one may stand for many."""
    found: list[tuple[int, int]] = []
    while True:
        try:
            pid, wait_status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        found.append((pid, wait_status))


def _end_the_rest() -> None:
    """End the processes that the supervisor did not start: the shells of `docker exec` and what they left behind.

    The supervisor's own have ended by now. At the end of pid 1 the kernel would kill the rest without SIGTERM.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        left = _signal_all(number) and _signal_all(signal.SIGCONT)
        until = time.monotonic() + LEFT_GRACE_S
        while left and time.monotonic() < until:
            signal.sigtimedwait([signal.SIGCHLD], 0.05)
            _reaped()
            left = _signal_all(0)


def _signal_all(number: int) -> bool:
    """Send a signal to every process except ourselves. Returns whether there was one."""
    try:
        os.kill(-1, number)
    except ProcessLookupError:
        return False
    return True


def _say(text: str) -> None:
    """Print to standard error, unless that would block."""
    poll = select.poll()
    poll.register(2, select.POLLOUT)
    if any(event == select.POLLOUT for _, event in poll.poll(0)):
        os.write(2, f"supervisor: {text}\n".encode())
