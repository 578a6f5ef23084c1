"""A window: a real pseudo terminal in which a subcommand runs, with keys typed and what is shown."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any, Self

from supervisor.terminals.emulated_screen import EmulatedScreen

PROGRAM = Path(__file__).resolve().parents[2] / "supervisor/__main__.py"
DEADLINE_S = 20.0


class TerminalWindow:
    """Runs `supervisor ARGUMENTS` with this window as its controlling terminal."""

    def __init__(
        self, *arguments: str, cwd: Path, env: dict[str, str], cols: int = 80, rows: int = 24
    ) -> None:
        self._leader, self._follower = pty.openpty()
        self._set_size(cols, rows)
        self.before = self.mode()
        self.screen = EmulatedScreen(cols, rows)
        self.printed = b""
        self.process = subprocess.Popen(
            ["setsid", "--ctty", sys.executable, "-I", PROGRAM, *arguments],
            cwd=cwd, env=env, stdin=self._follower, stdout=self._follower, stderr=self._follower,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.close()

    def close(self) -> None:
        """Close the window: who uses it gets a hangup."""
        for name in ("_leader", "_follower"):
            if (descriptor := getattr(self, name)) >= 0:
                os.close(descriptor)
                setattr(self, name, -1)

    def mode(self) -> list[Any]:
        return termios.tcgetattr(self._follower)

    def set_mode(self, mode: list[Any]) -> None:
        termios.tcsetattr(self._follower, termios.TCSANOW, mode)

    def resize(self, cols: int, rows: int) -> None:
        self.screen.resize(cols, rows)
        self._set_size(cols, rows)

    def _set_size(self, cols: int, rows: int) -> None:
        fcntl.ioctl(self._leader, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def type(self, keys: bytes) -> None:
        while keys:
            keys = keys[os.write(self._leader, keys) :]

    def rows(self) -> list[str]:
        """What the window shows, without blanks at the ends."""
        self.screen.settle()
        return ["".join(row.cells[: row.used()]) for row in self.screen.grid.rows]

    def until(self, shown: str) -> list[str]:
        """Wait until a row is this, and return all."""
        give_up_at = time.monotonic() + DEADLINE_S
        while shown not in self.rows():
            assert time.monotonic() < give_up_at, (shown, self.rows(), self.printed[-1000:])
            self._read(0.1)
        return self.rows()

    def wait(self) -> int:
        """The exit status, once all that was printed has been read."""
        give_up_at = time.monotonic() + DEADLINE_S
        while self.process.poll() is None:
            assert time.monotonic() < give_up_at, (self.rows(), self.printed[-1000:])
            self._read(0.05)
        while self._read(0):
            pass
        return self.process.returncode

    def _read(self, wait_s: float) -> bool:
        if not select.select([self._leader], [], [], wait_s)[0]:
            return False
        piece = os.read(self._leader, 65536)
        self.printed += piece
        self.screen.feed(piece)
        return True

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
