"""The room of one turn: an empty folder, a control group, and the FIFO in which the commands mark what they do."""

from __future__ import annotations

import fcntl
import os
import pty
import resource
import select
import signal
import struct
import subprocess
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import environment, pss_bytes
from benchmarks.peers.groups import Group
from benchmarks.peers.machine import Others

TIMEOUT_S = 60.0
_LOOK_S = 0.005
"""How often the marks are read. They say themselves when they were made, so nothing has to wake up for each."""
_PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031
_ROWS_AND_COLUMNS = struct.pack("HHHH", 50, 160, 0, 0)


@dataclass(frozen=True, slots=True)
class Program:
    """How a contestant is started for a work, and asked to end."""

    argv: Sequence[str]
    stop: signal.Signals | bytes = signal.SIGTERM
    """A signal, or a key on its terminal."""
    terminal: bool = False
    """Whether it draws on a terminal, and does not run without one."""
    output: str = "output"
    """The file in the room that its standard output goes to."""
    log: str = "output"
    """The file in the room that has the output of its only command, or a pattern for it."""
    variables: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """What a command wrote: its number, negative when it was asked to end, and when."""

    number: int
    at_s: float


class Room:
    """One turn of one contestant. `now()` and the marks are on the same clock."""

    def __init__(self, place: Path, programs: Path) -> None:
        """`place`: where its folder is made; `programs`: the folder with the commands."""
        self.folder = Path(tempfile.mkdtemp(prefix="turn-", dir=place))
        for name in ("home", "tmp", "logs"):
            (self.folder / name).mkdir()
        os.mkfifo(self.folder / "marks")
        os.mkfifo(self.folder / "go")
        # For reading and writing: so that it can be opened before there is a writer.
        self._fifo = os.open(self.folder / "marks", os.O_RDWR | os.O_NONBLOCK)
        fcntl.fcntl(self._fifo, _F_SETPIPE_SZ, _PIPE_BYTES)
        self._rest = b""
        self._programs = programs
        self._group = Group(f"bench-{os.getpid()}-{self.folder.name}")
        self._entered_s: float | None = None
        self._inside_s = 0.0
        self._processes: list[subprocess.Popen[bytes]] = []
        self._keyboard = -1
        self.others = Others(self.cpu_s)

    def environment(self) -> dict[str, str]:
        """What everybody is started with."""
        own = environment(self.folder)
        return own | {"PATH": f"{self._programs}:{own['PATH']}", "BENCH_ROOM": str(self.folder)}

    def start(self, program: Program) -> tuple[subprocess.Popen[bytes], float]:
        """Start it in the folder and the group. Returns it, and when that was."""
        self.enter()
        variables = self.environment() | dict(program.variables)
        with open(self.folder / program.output, "ab") as output, self._terminal(program) as stdio:
            began = now()
            process = subprocess.Popen(
                program.argv,
                cwd=self.folder,
                env=variables,
                stdin=subprocess.DEVNULL if stdio is None else stdio,
                stdout=output if stdio is None else stdio,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes.append(process)
        return process, began

    def stop(self, program: Program, process: subprocess.Popen[bytes]) -> float:
        """Ask it to end. Returns when that was."""
        asked = now()
        if isinstance(program.stop, bytes):
            os.write(self._keyboard, program.stop)
        else:
            process.send_signal(program.stop)
        return asked

    def enter(self) -> None:
        """Take this process into the group. Not while something is measured."""
        if self._entered_s is None:
            self._group.enter()
            self._entered_s = _own_s()

    def leave(self) -> None:
        """Take this process out of the group: what it computes is not counted. Not while something is measured."""
        if self._entered_s is not None:
            self._group.leave()
            self._inside_s += _own_s() - self._entered_s
            self._entered_s = None

    def cpu_s(self) -> float:
        """Processor time of all that were started here so far, with those that have ended."""
        inside = self._inside_s + (0.0 if self._entered_s is None else _own_s() - self._entered_s)
        return self._group.cpu_s() - inside

    def marks(self) -> list[Mark]:
        """Those that were made since the last call."""
        with suppress(BlockingIOError):
            while piece := os.read(self._fifo, _PIPE_BYTES):
                self._rest += piece
        whole, newline, self._rest = self._rest.rpartition(b"\n")
        return [
            Mark(int(number), int(at) / 1e9)
            for number, at in map(bytes.split, (whole + newline).splitlines())
        ]

    def await_marks(self, count: int) -> list[Mark]:
        """So many of them, in order of time. Raises TimeoutError, RuntimeError if there are more."""
        found: list[Mark] = []
        deadline = now() + TIMEOUT_S
        while len(found) < count:
            if now() > deadline:
                raise TimeoutError(f"{len(found)} of {count} were marked within {TIMEOUT_S:g} s")
            time.sleep(_LOOK_S)
            found += self.marks()
        if len(found) > count:
            raise RuntimeError(f"{len(found)} were marked, and not {count}")
        return sorted(found, key=lambda mark: mark.at_s)

    def services(self) -> list[int]:
        """The pids of the services that live here."""
        return [pid for pid in self._group.pids() if _is_service(pid)]

    def supervisors(self) -> list[int]:
        """The pids of all others: of the contestant, and of shells that stand between it and the services."""
        return [pid for pid in self._group.pids() if not _is_service(pid)]

    def pss_bytes(self) -> int:
        """Their memory, with their part of what they share."""
        return pss_bytes([pid for pid in self.supervisors() if os.path.exists(f"/proc/{pid}/exe")])

    def close(self) -> None:
        """End everything. The folder stays: to remove it would cost the next turn time."""
        self.leave()
        self._group.close()
        os.close(self._fifo)
        for process in self._processes:
            process.wait(TIMEOUT_S)

    @contextmanager
    def _terminal(self, program: Program) -> Iterator[int | None]:
        """The terminal's end for the program; what it draws is read and dropped."""
        if not program.terminal:
            yield None
            return
        ours, its = pty.openpty()
        self._keyboard = ours
        fcntl.ioctl(its, termios.TIOCSWINSZ, _ROWS_AND_COLUMNS)
        threading.Thread(target=_drained, args=(ours,), daemon=True).start()
        try:
            yield its
        finally:
            os.close(its)


def _drained(terminal: int) -> None:
    with suppress(OSError):  # EIO: all that had it open have ended
        while os.read(terminal, 1 << 16):
            pass
    os.close(terminal)


def now() -> float:
    """The clock of the marks."""
    return time.monotonic()


def await_end(process: subprocess.Popen[bytes]) -> float:
    """When a process ended, seen at once. Raises TimeoutError."""
    fd = os.pidfd_open(process.pid)
    try:
        if not select.select([fd], [], [], TIMEOUT_S)[0]:
            raise TimeoutError(f"it did not end within {TIMEOUT_S:g} s")
        return now()
    finally:
        os.close(fd)


def until(condition: Callable[[], bool], what: str, every_s: float = 0.01) -> None:
    """Wait for a condition. Raises TimeoutError, which says `what` did not come."""
    deadline = now() + TIMEOUT_S
    while not condition():
        if now() > deadline:
            raise TimeoutError(f"{what} within {TIMEOUT_S:g} s")
        time.sleep(every_s)


def _own_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _is_service(pid: int) -> bool:
    with suppress(OSError):  # it has ended
        return Path(f"/proc/{pid}/comm").read_bytes() in (b"server\n", b"flood\n")
    return False
