"""One process, as /proc shows it.

A process is identified by pid and start time, since the kernel uses pids again; a pidfd identifies it for good, once
the start time was compared after opening it. Zombies do not count as live: they need a parent's wait, not a signal.

When we are out of descriptors or memory, a process cannot be looked at, which does not mean that it is gone: `stat_of`
and `variable_of` raise OSError then, and a question about one process is answered as if it lived.
"""

from __future__ import annotations

import errno
import os
import time

from supervisor.lean.frozen import dataclass
from supervisor.model.errors import TRANSIENT_ERRNOS
from supervisor.model.fact import Survivor

RUN_MARKER = "SUPERVISOR_RUN_ID"
"""The environment variable by which a process that left its session is still known to belong to a run."""
RUNS_MARKER = "SUPERVISOR_RUNS"
"""The environment variable that holds the folder of all run directories of its supervisor."""
_KERNEL_THREAD = 0x00200000  # PF_KTHREAD in linux/sched.h
_TICKS_HZ = os.sysconf("SC_CLK_TCK")
_READ = 1 << 16
_EXEC_S, _EXEC_PAUSE_S = 0.25, 0.0005
"""An exec takes much less than this, unless its disk is slow or the machine has much to do."""


class ProcRef:
    """A process: its pid, and its start time in clock ticks since boot, which a later process with this pid has not."""

    __slots__ = ("group", "pid", "session", "start_ticks")

    def __init__(self, pid: int, start_ticks: int, group: int = 0, session: int = 0) -> None:
        """`group` and `session`: the pids of their leaders when the process was last looked at; 0: not known."""
        self.pid = pid
        self.start_ticks = start_ticks
        self.group = group
        self.session = session

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ProcRef):
            return NotImplemented
        return self.pid == other.pid and self.start_ticks == other.start_ticks

    def __hash__(self) -> int:
        return self.pid

    def __repr__(self) -> str:
        return f"ProcRef({self.pid}, {self.start_ticks})"


class PidfdMissing(Exception):
    """The kernel, or a seccomp filter, offers no pidfds."""


@dataclass(frozen=True, slots=True)
class ProcStat:
    """What proc_pid_stat(5) says of a process."""

    ref: ProcRef
    parent: int
    session: int
    alive: bool
    environment: tuple[int, int] | None
    """The addresses of its environment: others after each exec, (0, 0) in the middle of one, None at its end."""


def alive(ref: ProcRef) -> bool:
    """Whether the process lives. A zombie does not."""
    try:
        process = stat_of(ref.pid)
    except OSError:
        return True
    return process is not None and process.ref == ref and process.alive


def find(pid: int) -> ProcRef | None:
    """The live process that has this pid now; None: there is none. Raises OSError."""
    process = stat_of(pid)
    return process.ref if process is not None and process.alive else None


def name_of(ref: ProcRef) -> str:
    """The kernel's name for a process, at most 15 bytes; empty if it is gone.

    Not its command line: reading that blocks for ever if the process's memory is stuck on a dead filesystem.
    """
    try:
        name = _read(f"/proc/{ref.pid}/comm").decode(errors="replace").strip()
    except OSError:
        return ""
    return name if alive(ref) else ""


def started_s(pid: int) -> float | None:
    """When the process with this pid started, in seconds on the clock of `Instant.boot_s`; None: there is none.

    Raises OSError.
    """
    process = stat_of(pid)
    return None if process is None else process.ref.start_ticks / _TICKS_HZ


def survivor(ref: ProcRef) -> Survivor:
    """Describe a process that SIGKILL does not end."""
    try:
        line = _read(f"/proc/{ref.pid}/stat")
        name, state = line[line.index(b"(") + 1 : line.rindex(b")")], line[line.rindex(b")") + 2 :][:1]
    except (OSError, ValueError):
        return Survivor(ref.pid, "", "")  # it has ended after all
    return Survivor(ref.pid, name.decode(errors="replace"), state.decode(errors="replace"))


def is_zombie_of(ref: ProcRef, parent: int) -> bool:
    """Whether the process has ended and waits for `parent` to learn its status."""
    try:
        process = stat_of(ref.pid)
    except OSError:
        return True
    return process is not None and process.ref == ref and not process.alive and process.parent == parent


def pidfd(ref: ProcRef) -> int | None:
    """A descriptor that is readable once the process has ended; None if it is gone. Raises PidfdMissing."""
    try:
        fd = os.pidfd_open(ref.pid)
    except AttributeError:
        raise PidfdMissing from None
    except OSError as error:
        # EINVAL: the process is ending.
        if error.errno in (errno.ESRCH, errno.EINVAL):
            return None
        raise PidfdMissing from error
    try:
        process = stat_of(ref.pid)
    except OSError as error:
        os.close(fd)
        raise PidfdMissing from error
    if process is None or process.ref != ref:
        os.close(fd)
        return None
    return fd


def stat_of(pid: int) -> ProcStat | None:
    """Read proc_pid_stat(5); None: there is no such process, or it is a kernel thread. Raises OSError, see above."""
    try:
        fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        if int(fields[6]) & _KERNEL_THREAD:
            return None
        zombie = fields[0] in (b"Z", b"X")
        environment = None if zombie else (int(fields[47]), int(fields[48]))
        # A leader that has ended while other threads live on looks like a zombie.
        alive = not zombie or int(fields[17]) > 1
        ref = ProcRef(pid, int(fields[19]), int(fields[2]), int(fields[3]))
        return ProcStat(ref, int(fields[1]), ref.session, alive, environment)
    except OSError as error:
        if error.errno in TRANSIENT_ERRNOS:
            raise
        return None
    except (IndexError, ValueError):
        return None


def variable_of(process: ProcStat, name: str) -> str | None:
    """A variable in the environment that the process started with, unless it has overwritten that.

    In the middle of an exec the environment may be empty or torn. That must not hide a daemon that is just starting: a
    variable counts as missing only if the program is the same before and after the read. While bash starts, it replaces
    each `=` by a NUL for a moment.
    """
    wanted, cut = f"\0{name}=".encode(), f"\0{name}\0".encode()
    give_up_at = time.monotonic() + _EXEC_S
    while time.monotonic() < give_up_at:
        try:
            environment = b"\0" + _read(f"/proc/{process.ref.pid}/environ")
        except OSError as error:
            if error.errno in TRANSIENT_ERRNOS:
                raise
            return None  # gone, or it belongs to another user
        _, found, rest = environment.partition(wanted if wanted in environment else cut)
        if found:
            return os.fsdecode(rest.partition(b"\0")[0])
        now = stat_of(process.ref.pid)
        if now is None or now.environment is None or now.environment == process.environment != (0, 0):
            return None
        process = now
        time.sleep(_EXEC_PAUSE_S)
    return None


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = piece = os.read(fd, _READ)
        while len(piece) == _READ:
            piece = os.read(fd, _READ)
            data += piece
        return data
    finally:
        os.close(fd)
