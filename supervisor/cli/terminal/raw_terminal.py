"""The user's own terminal, while something else draws on it and reads its keys."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from typing import Any, Self

from supervisor.model.errors import SupervisorError

READ_BYTES = 64 * 1024
MOST = 1000
"""Columns and rows that a terminal may have at most."""
ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
_WATCHED = (*ENDING, signal.SIGWINCH, signal.SIGCONT)


class NoTerminal(SupervisorError):
    """Standard input and output are no terminal."""


class RawTerminal:
    """Standard input and output, in raw mode inside the block: every key is passed on as it is.

    Signals are told by `wait`. The mode that the terminal had is back when the block ends, however it ends; what
    programs switched on by printing is for the caller to undo.
    """

    def __init__(self) -> None:
        """Raises NoTerminal."""
        self.input = sys.stdin.fileno()
        self.output = sys.stdout.fileno()
        if not (os.isatty(self.input) and os.isatty(self.output)):
            raise NoTerminal(
                "cannot attach to a terminal here: standard input and output have to be a terminal; "
                '"supervisor terminal new --detach" needs none'
            )
        self._before: list[Any] = []
        self._handlers: dict[int, object] = {}
        self._signals = self._signalled = self._wakeup_before = -1

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(self.input)
        self._signals, self._signalled = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakeup_before = signal.set_wakeup_fd(self._signalled, warn_on_full_buffer=False)
        for number in _WATCHED:
            self._handlers[number] = signal.signal(number, lambda _number, _frame: None)
        self.make_raw()
        return self

    def __exit__(self, *_error: object) -> None:
        with contextlib.suppress(termios.error):  # it may be gone
            # A stopped output (Ctrl-S) would hold up a change that waits for it.
            termios.tcsetattr(self.input, termios.TCSANOW, self._before)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() gave
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._signals)
        os.close(self._signalled)

    def make_raw(self) -> None:
        """Enter raw mode: at first, and after the process was stopped and went on."""
        tty.setraw(self.input, termios.TCSANOW)

    def size(self) -> tuple[int, int]:
        """Columns and rows, as the API takes them."""
        cols, rows = os.get_terminal_size(self.output)
        return min(max(cols, 1), MOST), min(max(rows, 1), MOST)

    def wait(self, other: int, wait_s: float | None, *, keys: bool) -> Iterator[int]:
        """Wait for keys (if wanted), for another descriptor or a signal.

        Yields:
            The descriptor that can be read (`input`, `other`), and signals as negative numbers. Nothing: the time is
            over.
        """
        poll = select.poll()
        for descriptor in (self._signals, other, *([self.input] if keys else [])):
            poll.register(descriptor, select.POLLIN)
        for descriptor, _ in poll.poll(None if wait_s is None else max(0, wait_s * 1000)):
            if descriptor == self._signals:
                yield from (-number for number in os.read(self._signals, 64))
            else:
                yield descriptor

    def read(self) -> bytes:
        """What was typed; empty: the terminal is gone."""
        try:
            return os.read(self.input, READ_BYTES)
        except OSError:
            return b""

    def write(self, data: bytes) -> None:
        """Print as it is."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self.output, rest) :]
