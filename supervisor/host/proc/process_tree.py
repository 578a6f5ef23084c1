"""The processes of a run, found in /proc, and signals that cannot hit a stranger.

Every command is started as the leader of a session. A process belongs to its run if

- it is in that session, or
- it carries the run's marker in its environment: it made a session of its own (daemons do), or
- its parent belongs to the run: programs that show a title overwrite their environment, or
- it is in the run's control group, where there is one (`cgroups`).

A process that left the session, wiped its environment and lost its parent is a child of the shim (a subreaper): it
belongs to some run of the supervisor, but nothing says to which. The sweep at the end finds it.

Zombies do not count: they need a parent's wait, not a signal. A process is identified by pid and start time, since the
kernel uses pids again; a pidfd identifies it for good, once the start time was compared after opening it.

When we are out of descriptors or memory, a process cannot be looked at, which does not mean that it is gone: `census`
and `strays` raise OSError then, and a question about one process is answered as if it lived.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from supervisor.host.proc import cgroups
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
_LISTINGS = 20
"""The most passes over /proc, for a machine where processes come and go all the time."""
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
class _Stat:
    ref: ProcRef
    parent: int
    session: int
    alive: bool
    environment: tuple[int, int] | None
    """The addresses of its environment: others after each exec, (0, 0) in the middle of one, None at its end."""


Members = dict[str, list[ProcRef]]
NO_GROUPS: Mapping[str, str] = MappingProxyType({})


_SIGNAL_S, _SIGNAL_PAUSE_S = 2.0, 0.02
"""How long a signal waits for a descriptor."""


def census(runs: Mapping[str, ProcRef | None], groups: Mapping[str, str] = NO_GROUPS) -> Members:
    """The live processes of each run, in one pass.

    `runs` is `{run id: its main process, if known}`, `groups` `{run id: the folder of its control group}`.
    Raises OSError.
    """
    sessions = {main.pid: run_id for run_id, main in runs.items() if main is not None}
    # No process is older than its run. So most environments need not be read.
    since = min((main.start_ticks if main else 0 for main in runs.values()), default=0)
    table = _processes(since)
    for main in filter(None, runs.values()):
        leader = table.get(main.pid)
        if leader and leader.ref != main:
            del sessions[main.pid]  # the run's session is empty, and its number is in use again
    owner: dict[int, str] = {}
    for run_id, group in groups.items():
        owner.update(dict.fromkeys(_grouped(table, group), run_id))
    for pid, process in table.items():
        if pid in owner:
            continue
        found = sessions.get(process.session) or _variable(process, RUN_MARKER)
        if found is not None and found in runs:
            owner[pid] = found
    return _gathered(table, owner, runs)


def strays(runs_folder: str, groups: Iterable[str] = (), shims: Sequence[int] = ()) -> list[ProcRef]:
    """All live processes of all runs, past runs too, of the supervisor whose run directories are in `runs_folder`.

    `groups`: the control groups of its runs. `shims`: the pids of its shims, which adopt orphans: a process below a
    shim belongs to some run, even if it left its group and removed its marker. Raises OSError.
    """
    table = _processes(0)
    owner = {
        pid: runs_folder for pid, process in table.items() if _variable(process, RUNS_MARKER) == runs_folder
    }
    for group in groups:
        owner.update(dict.fromkeys(_grouped(table, group), runs_folder))
    owner |= {pid: runs_folder for pid, process in table.items() if process.parent in shims}
    return _gathered(table, owner, (runs_folder,))[runs_folder]


def alive(ref: ProcRef) -> bool:
    """Whether the process lives. A zombie does not."""
    try:
        process = _stat(ref.pid)
    except OSError:
        return True
    return process is not None and process.ref == ref and process.alive


def find(pid: int) -> ProcRef | None:
    """The live process that has this pid now; None: there is none. Raises OSError."""
    process = _stat(pid)
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
    process = _stat(pid)
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
        process = _stat(ref.pid)
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
        process = _stat(ref.pid)
    except OSError as error:
        os.close(fd)
        raise PidfdMissing from error
    if process is None or process.ref != ref:
        os.close(fd)
        return None
    return fd


def terminate(refs: Iterable[ProcRef]) -> None:
    """Send SIGTERM, and SIGCONT so that stopped processes act on it. Session leaders and older processes come first.

    A shell with `-e` ends when its command is killed; if its own signal comes later, its trap does not run. Pids are
    not in the order of start times once they have wrapped around.
    """
    for ref in sorted(refs, key=_seniority):
        _send(ref, signal.SIGTERM, signal.SIGCONT)


def _seniority(ref: ProcRef) -> tuple[bool, int]:
    return ref.pid != ref.session, ref.start_ticks


def kill(refs: Iterable[ProcRef]) -> None:
    """Send SIGKILL to processes and to their process groups.

    A process that forks and exits at once is gone before its signal comes, but its children are in its group.
    """
    refs = list(refs)
    for group, session in {(ref.group, ref.session) for ref in refs if ref.session}:
        _kill_group(group, session)
    for ref in refs:
        _send(ref, signal.SIGKILL)


def _kill_group(group: int, session: int) -> None:
    if group <= 1 or session == os.getsid(0):
        return
    try:
        # No process gets the number as its pid while the group has a member. So a process that has it is the group's
        # leader, or the group is gone.
        if os.getsid(group) == session:
            os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        _each(lambda number: os.killpg(group, number), (signal.SIGKILL,))


def _send(ref: ProcRef, *signals: signal.Signals) -> None:
    give_up_at = time.monotonic() + _SIGNAL_S
    while True:
        try:
            return _send_now(ref, *signals)
        except OSError:  # no descriptor is free
            if time.monotonic() > give_up_at:
                return
            time.sleep(_SIGNAL_PAUSE_S)


def _send_now(ref: ProcRef, *signals: signal.Signals) -> None:
    try:
        fd = pidfd(ref)
    except PidfdMissing:
        process = _stat(ref.pid)
        if process is not None and process.ref == ref and process.alive:
            _each(lambda number: os.kill(ref.pid, number), signals)
        return
    if fd is None:
        return
    try:
        _each(lambda number: signal.pidfd_send_signal(fd, number), signals)
    finally:
        os.close(fd)


def _each(send: Callable[[int], None], signals: Iterable[int]) -> None:
    try:
        for number in signals:
            send(number)
    except (ProcessLookupError, PermissionError):
        pass  # gone, or another user's (sudo): the next census shows


def _processes(since_ticks: int) -> dict[int, _Stat]:
    """The processes that started at `since_ticks` or later.

    /proc is listed until a pass finds nothing new: a process that forks and exits while we read shows in its child.
    """
    table: dict[int, _Stat] = {}
    listed = {os.getpid()}  # we may belong to another supervisor's run, never to our own
    for _ in range(_LISTINGS):
        new = set(map(int, filter(str.isdigit, os.listdir("/proc")))) - listed
        if not new:
            break
        listed |= new
        for pid in new:
            process = _stat(pid)
            if process is not None and process.ref.start_ticks >= since_ticks:
                table[pid] = process
    return table


def _grouped(table: dict[int, _Stat], group: str) -> Iterable[int]:
    """The processes of a control group. Adds those to the table that started after it was made."""
    for pid in cgroups.processes(group):
        process = table.get(pid) or _stat(pid)
        if process is not None and pid != os.getpid():
            table[pid] = process
            yield pid


def _stat(pid: int) -> _Stat | None:
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
        return _Stat(ref, int(fields[1]), ref.session, alive, environment)
    except OSError as error:
        if error.errno in TRANSIENT_ERRNOS:
            raise
        return None
    except (IndexError, ValueError):
        return None


def _variable(process: _Stat, name: str) -> str | None:
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
        now = _stat(process.ref.pid)
        if now is None or now.environment is None or now.environment == process.environment != (0, 0):
            return None
        process = now
        time.sleep(_EXEC_PAUSE_S)
    return None


def _gathered(table: Mapping[int, _Stat], owner: dict[int, str], runs: Iterable[str]) -> Members:
    """Assign children to the runs of their parents, and list the live ones."""
    members: Members = {run_id: [] for run_id in runs}
    for pid, process in table.items():
        line, ancestor = [], pid
        while ancestor in table and ancestor not in owner and ancestor not in line:
            line.append(ancestor)
            ancestor = table[ancestor].parent
        if ancestor in owner:
            owner.update(dict.fromkeys(line, owner[ancestor]))
            if process.alive:
                members[owner[pid]].append(process.ref)
    return members


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
