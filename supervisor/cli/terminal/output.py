"""Output whose reader may stall or go away with no effect on what is supervised; errors and their exit statuses."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import signal
import sys
import time

from supervisor.cli.terminal.visible import Terminal
from supervisor.lean.typing import TYPE_CHECKING, TextIO
from supervisor.model.errors import BadSettings, StateInUse, SupervisorError
from supervisor.model.sysexits import EXIT_FAILED, EXIT_IN_USE, EXIT_READER_GONE, EXIT_USAGE

if TYPE_CHECKING:
    from queue import SimpleQueue
    from threading import Thread

    from supervisor.cli.terminal.screen import OutputLine, Screen

    Item = str | bytes | OutputLine

BEHIND_ITEMS = 1000
"""With so many items unprinted, more output should stay in the log files for now."""
MOST_ITEMS = 100_000
"""With so many items unprinted, more are dropped, and a line says so."""
SETTLE_S = 0.1
"""How long unfinished lines may be out of sight while others are printed without a pause."""
LAST_WORDS_S = 5.0
"""How long a reader may stall at the end, while a service manager waits for our exit."""
PAUSE_S = 1.0
"""How long a reader that stalls may hold up an upgrade."""

OUTPUT_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
"""The errors of a write to a full disk, or to a terminal that is gone."""


class Outlet:
    """Prints in a thread of its own: a reader that stalls (a pager, Ctrl-S) or goes away stalls nothing but this."""

    def __init__(self, out: TextIO) -> None:
        """Print to `out`; without colours if that is not a terminal, or if NO_COLOR is set."""
        self._out = out if isinstance(out, Terminal) else Terminal(out)
        self._printing: tuple[SimpleQueue[Item | None], Thread] | None = None
        self._screen: Screen | None = None
        self._settled_at = 0.0
        self._dropped = 0
        self._printed = self._printed_before = 0
        self._stalled_since = 0.0
        self._patience_s: float | None = None

    @property
    def terminal(self) -> Terminal:
        """Where it prints to."""
        return self._out

    def divide(self, screen: Screen) -> None:
        """From now on the output of runs is printed as well, where `screen` says."""
        self._screen = screen

    @property
    def behind(self) -> bool:
        """Whether the reader is slower than what is printed."""
        return self._printing is not None and self._printing[0].qsize() > BEHIND_ITEMS

    def hurry(self) -> None:
        """Stop waiting for a reader that stalls: a service manager kills a process that does not end in time."""
        self._patience_s, self._stalled_since = LAST_WORDS_S, time.monotonic()

    @property
    def given_up(self) -> bool:
        """Whether there is hurry, and the reader has stalled for so long that nobody waits for it any more."""
        if self._printed != self._printed_before:
            self._printed_before, self._stalled_since = self._printed, time.monotonic()
        return self._patience_s is not None and time.monotonic() - self._stalled_since > self._patience_s

    def put(self, item: Item) -> None:
        """Print a line of text, a line of a run's output, or bytes as they are. Never blocks."""
        queue, thread = self._printing = self._printing or self._begun()
        _ = thread.ident or _started(thread)
        if queue.qsize() > MOST_ITEMS:
            self._dropped += 1
            return
        if self._dropped:
            queue.put(f"[{self._dropped} lines are not shown: nobody read them in time]")
            self._dropped = 0
        queue.put(item)

    def close(self) -> None:
        """Wait until all is printed. Only for the time when nothing is supervised any more."""
        if self._printing is not None:
            signals_end_us()
            thread = self._printing[1]
            self._finish(None)
            if thread.is_alive():
                # A write holds the file and does not return. At its end Python would wait for that file.
                sys.stdout = sys.__stdout__ = open(os.devnull, "w")  # type: ignore[misc]  # noqa: SIM115

    def pause(self) -> None:
        """Wait for a moment until all is printed: another program will go on in this process."""
        if self._printing is not None:
            self._finish(PAUSE_S)

    def _finish(self, patience_s: float | None) -> None:
        assert self._printing is not None
        queue, thread = self._printing
        queue.put(None)
        if thread.ident is None and not _started(thread):
            self._print(queue)
        until = math.inf if patience_s is None else time.monotonic() + patience_s
        while thread.is_alive() and not self.given_up and time.monotonic() < until:
            thread.join(0.05)
        self._printing = None

    def _begun(self) -> tuple[SimpleQueue[Item | None], Thread]:
        # Not at the top: the first command does not wait for these imports.
        from queue import SimpleQueue
        from threading import Thread

        queue: SimpleQueue[Item | None] = SimpleQueue()
        # A daemon, so that Ctrl-C ends the process although a stalled reader blocks the thread.
        return queue, Thread(target=self._print, args=(queue,), name="output", daemon=True)

    def _print(self, queue: SimpleQueue[Item | None]) -> None:
        while (item := queue.get()) is not None:
            try:
                self._write(item, last=queue.empty())
            except Exception:  # whatever it is: the queue must go on emptying, or it keeps everything
                self._give_up()
            self._printed += 1
        if self._screen is not None:
            try:
                self._put(self._screen.leave())
            except Exception:  # as above
                self._give_up()

    def _give_up(self) -> None:
        with contextlib.suppress(Exception):
            abandon(self._out)

    def _write(self, item: Item, last: bool) -> None:
        if isinstance(item, bytes):
            self._out.buffer.write(item)
            self._out.buffer.flush()
        elif self._screen is None:
            assert isinstance(item, str)
            self._put(f"{self._out.shown(item)}\n")
        else:
            screen = self._screen
            printed = screen.line(self._out.shown(item)) if isinstance(item, str) else screen.output(item)
            if last or time.monotonic() - self._settled_at > SETTLE_S:
                printed += screen.settle()
                self._settled_at = time.monotonic()
            self._put(printed)

    def _put(self, shown: str) -> None:
        if shown:
            self._out.put(shown)
            self._out.flush()


def _started(thread: Thread) -> bool:
    """Start a thread. Returns False if the machine has no thread left: then the queue waits."""
    try:
        thread.start()
    except RuntimeError:
        return False
    return True


def signals_end_us() -> None:
    """From now on Ctrl-C and SIGTERM end this process at once: all it still does may be to wait for its reader."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def write_bytes(data: bytes) -> None:
    """Write bytes to standard output at once: a person who follows a log wants to see them now."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def print_error(error: SupervisorError) -> int:
    """Print an error. Returns the exit status: 2 for wrong usage, 4 for a second supervisor, 1 for everything else."""
    if not isinstance(error, BadSettings):
        print(f"supervisor: {error}", file=sys.stderr)
        return EXIT_IN_USE if isinstance(error, StateInUse) else EXIT_FAILED
    for problem in error.problems:
        print(f"supervisor: {problem}", file=sys.stderr)
    return EXIT_USAGE


def unwritten(error: OSError) -> int:
    """Give up standard output, which takes no more, and say why, once. Returns the exit status."""
    abandon(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return EXIT_READER_GONE
    why = (error.strerror or str(error)).lower()
    print(f"supervisor: cannot write the output: {why}", file=sys.stderr)
    return EXIT_FAILED


def abandon(out: TextIO | Terminal) -> None:
    """Send what is still written to `out` to /dev/null. Else Python reports at exit what it cannot flush."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, out.fileno())
    finally:
        os.close(nowhere)
