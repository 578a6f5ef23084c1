"""One terminal: a shell on a pty, what it prints, what waits to be read by it, and who reads.

    starting -> open -> hung up -> ended -> forgotten

What the shell prints goes to live readers first, then into `TerminalOutput`, which knows the screen. That takes longer,
so it is done in pieces, between which other terminals have their turn; a shell that prints faster than that waits.
"""

from __future__ import annotations

import math
import os
import time

from supervisor.lean.typing import Any
from supervisor.terminals.holder_connection import HolderConnection
from supervisor.terminals.holder_protocol import INPUT_BYTES, NewShell
from supervisor.terminals.live_output import LiveOutput
from supervisor.terminals.poller import READABLE, WRITABLE, Poller
from supervisor.terminals.pty_process import PtyProcess
from supervisor.terminals.terminal_output import TerminalOutput
from supervisor.terminals.terminal_reader import TerminalReader

KILL_S = 5.0
"""How long after a hangup a shell is killed."""
CLOSED_S = 0.5
"""How long after a hangup who asked for it is answered, if the shell has not ended by then."""
_LEAVE_S = 0.1
_READ = 1 << 16
_TURN_BYTES = 1 << 16
"""How much is read in a turn, before others have theirs."""
_FEED_BYTES = 16 << 10
_UNFED_BYTES = 256 << 10
"""How far the screen may be behind before the shell has to wait."""
_LAST_BYTES = 4 << 20
"""How much is read of what the shell has left behind; another process may go on printing."""


class HeldTerminal:
    """A terminal from its start until it is forgotten."""

    def __init__(self, new: NewShell, process: PtyProcess, poller: Poller) -> None:
        """`process`: the shell, which has just been forked."""
        self.id = new.id
        self.shell = new.shell
        self.annotations = new.annotations
        self.cols, self.rows = new.cols, new.rows
        self.created_s = time.time()
        self.process = process
        self.live = LiveOutput()
        self.exit_code: int | None = None
        """None: it has not ended. 128 + N: signal N."""
        self.is_closed = False
        """Whether it was hung up."""
        self.is_drained = False
        """Whether it ends because all do."""
        self.kill_at = math.inf
        self.answer_at = math.inf
        self.forget_at = math.inf
        self.leave_at = math.inf
        """When its control group may be removed: the kernel holds it for a moment after the last process."""
        self.closers: list[HolderConnection] = []
        """Who asked for a hangup and waits for its effect."""
        self.readers: dict[HolderConnection, TerminalReader] = {}
        self._cwd = new.cwd
        self._group = new.cgroup
        self._poller = poller
        self._input = bytearray()
        self._unfed = bytearray()
        self._output = TerminalOutput(new.cols, new.rows)

    @property
    def is_open(self) -> bool:
        """Whether it is listed, and takes input."""
        return self.exit_code is None and not self.is_closed

    def begin(self, program: str) -> None:
        """The shell runs."""
        self.shell = program
        self._poller.watch(self.process.master, READABLE, self._happened)

    def described(self) -> dict[str, Any]:
        """What a list has of it."""
        return {
            "id": self.id,
            "pid": self.process.pid,
            "shell": self.shell,
            "cwd": self._folder(),
            "cols": self.cols,
            "rows": self.rows,
            "created_s": self.created_s,
            "annotations": self.annotations,
        }

    # Readers ---------------------------------------------------------------------------------------------------------

    def read(self, connection: HolderConnection, history: bool) -> None:
        """Send a connection what is kept, if that is wished, and what comes."""
        self._feed_all()
        connection.send({"begun": True})
        self._add_reader(connection, TerminalReader(self, self._output.history() if history else b""))

    def attach(self, connection: HolderConnection) -> None:
        """Send a connection what the screen shows, and what comes."""
        self._feed_all()
        connection.send({"begun": True, "cols": self.cols, "rows": self.rows}, self._output.replay())
        self._add_reader(connection, TerminalReader(self))

    def leave(self, connection: HolderConnection) -> None:
        """A connection is closed."""
        if self.readers.pop(connection, None) is not None:
            self._trim()

    def _add_reader(self, connection: HolderConnection, reader: TerminalReader) -> None:
        connection.reader = self.readers[connection] = reader
        connection.pump()

    def _pump(self) -> None:
        """Send readers what they take; keep what they do not."""
        for connection in list(self.readers):
            connection.pump()
        self._trim()

    def _trim(self) -> None:
        self.live.drop_before(min((reader.offset for reader in self.readers.values()), default=self.live.end))

    # Output ----------------------------------------------------------------------------------------------------------

    @property
    def is_behind(self) -> bool:
        """Whether the screen does not show yet all that was printed."""
        return bool(self._unfed)

    def feed(self) -> None:
        """Have the screen show a piece more."""
        piece = bytes(self._unfed[:_FEED_BYTES])
        del self._unfed[:_FEED_BYTES]
        self._output.feed(piece)
        if not self._unfed:
            self._watch()

    def _feed_all(self) -> None:
        if self._unfed:
            data, self._unfed = bytes(self._unfed), bytearray()
            self._output.feed(data)
            self._watch()

    def _happened(self, bits: int) -> None:
        if bits & WRITABLE:
            self._write()
        if bits & ~WRITABLE:
            self._take(_TURN_BYTES)
        self._watch()

    def _watch(self) -> None:
        if self.process.master < 0 or self.process.report >= 0:
            return
        bits = (READABLE if len(self._unfed) < _UNFED_BYTES else 0) | (WRITABLE if self._input else 0)
        self._poller.watch(self.process.master, bits, self._happened)

    def _take(self, most_bytes: int) -> None:
        """Read what was printed, and pass it on."""
        taken = 0
        while taken < most_bytes:
            try:
                data = os.read(self.process.master, _READ)
            except OSError:  # nothing now
                break
            if not data:
                break
            taken += len(data)
            self.live.add(data)
            self._unfed += data
        if taken:
            self._pump()

    # Input -----------------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> bool:
        """Take input over; False: too much waits already, and nothing of it was taken."""
        if len(self._input) + len(data) > INPUT_BYTES:
            return False
        self._input += data
        self._write()
        self._watch()
        return True

    def _write(self) -> None:
        try:
            while self._input:
                with memoryview(self._input) as view:
                    written = os.write(self.process.master, view[:_READ])
                del self._input[:written]
        except OSError:
            pass  # it is not read now

    def resize(self, cols: int, rows: int) -> None:
        """Set the size; 0 keeps that side. Without effect once the shell has ended."""
        cols, rows = cols or self.cols, rows or self.rows
        if not self.is_open or (cols, rows) == (self.cols, self.rows):
            return
        self._feed_all()  # what was printed before was printed for the old size
        self.process.resize(cols, rows)
        self.cols, self.rows = cols, rows
        self._output.resize(cols, rows)

    # The end ---------------------------------------------------------------------------------------------------------

    def hang_up(self, now: float) -> None:
        """As if a window closed. The shell is killed later if that does not end it."""
        if not self.is_open:
            return
        self.is_closed = True
        self.kill_at, self.answer_at = now + KILL_S, now + CLOSED_S
        self._take(_LAST_BYTES)
        self._let_go()

    def end(self, exit_code: int, now: float, kept_s: float) -> None:
        """The shell has ended."""
        self._take(_LAST_BYTES)
        self._let_go()
        self.exit_code = exit_code
        self.kill_at, self.forget_at, self.leave_at = math.inf, now + kept_s, now + _LEAVE_S
        self._pump()

    def leave_group(self) -> None:
        """Remove its control group, unless something lives on in it: then the supervisor does at its end."""
        self.leave_at = math.inf
        if self._group:
            try:
                os.rmdir(self._group)
                self._group = ""
            except OSError:
                pass

    def _let_go(self) -> None:
        self._cwd = self._folder()
        if self.process.master >= 0:
            self._poller.forget(self.process.master)
        self.process.close()
        self._input.clear()

    def _folder(self) -> str:
        """Where the shell is now, as far as it can be seen; else where it was last."""
        try:
            folder = os.readlink(f"/proc/{self.process.pid}/cwd")
        except OSError:
            return self._cwd
        return folder.removesuffix(" (deleted)") if not os.path.isdir(folder) else folder
