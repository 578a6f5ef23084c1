"""How the shim answers a spawn request: the log, the control group, the process, and when it began."""

from __future__ import annotations

import errno
import os
import time

from supervisor.shim.cgroup_move import enter, leave
from supervisor.shim.descriptors import DescriptorLimit
from supervisor.shim.execute import ExecFailed, execute, stage_of
from supervisor.shim.logs.log_keeper import KeeperLink
from supervisor.shim.logs.log_pump import LogPump
from supervisor.shim.logs.standard_streams import StandardStreams
from supervisor.shim.oom_score import OomScore
from supervisor.shim.probe_protocol import ProbeRequest
from supervisor.shim.protocol import CommandStarted, SpawnFailed, SpawnRequest
from supervisor.shim.syscalls import leave_inherited_keyring

_NS_PER_TICK = 10**9 // os.sysconf("SC_CLK_TCK")


class CommandStarter:
    """Starts commands. It may change folder, and what a child inherits: no other thread of the shim starts any."""

    def __init__(self, pump: LogPump) -> None:
        self._pump = pump
        self._oom_score = OomScore()
        self._descriptors = DescriptorLimit()
        self._null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        self._has_own_keyring = False

    def start(self, request: SpawnRequest, keeper: KeeperLink) -> CommandStarted | SpawnFailed:
        """Start a command. Never raises."""
        run_id, user, group = request.run_id, request.user, ""
        stage, streams = "chdir", None
        try:
            if not user:
                os.chdir(request.cwd)
            stage = "log"
            streams = StandardStreams(request)
            stage = "exec"
            if time.monotonic() > request.before:
                # The supervisor has given it up, and has reported that it did not start.
                streams.discard(keeper)
                return SpawnFailed(run_id, "late", errno.ETIMEDOUT)
            if user:
                self._leave_keyring()
            if request.fifo:
                self._pump.start()
                streams.hold(keeper)
            group = enter(request.cgroup)
            self._oom_score.raise_()
            self._descriptors.lower()
            earliest = _now_ticks()
            pid = execute(request, self._null, streams.out, streams.err)
            latest = _now_ticks()
            streams.keep(self._pump)
        except OSError as error:
            if stage == "exec":
                stage = stage_of(error)
            if streams is not None:
                streams.discard(keeper)
            return SpawnFailed(run_id, stage, error.errno or errno.EIO)
        except Exception as error:  # a type that the protocol does not check, in argv or env, say
            if streams is not None:
                streams.discard(keeper)
            return SpawnFailed(run_id, "request", errno.EINVAL, repr(error))
        finally:
            self._oom_score.lower()
            self._descriptors.raise_()
            if group and not leave(group):
                group = ""  # we are in it still: to kill the group would kill us
            if streams is not None:
                streams.close()
            os.chdir("/")  # keep no filesystem busy
        ticks = earliest if earliest == latest else _start_ticks(pid)
        return CommandStarted(run_id, pid, ticks, group, streams.inode)

    def probe(self, request: ProbeRequest, out: int) -> int:
        """Start a probe whose output goes into the pipe `out`; returns its pid. Raises OSError."""
        try:
            if user := request.user:
                self._leave_keyring()
                # A command that writes to /dev/stderr opens the pipe anew, as itself.
                os.fchown(out, user.uid, user.gid)
            else:
                _enter(request.cwd)
            self._oom_score.raise_()
            self._descriptors.lower()
            return execute(request, self._null, out, out)
        finally:
            self._oom_score.lower()
            self._descriptors.raise_()
            os.chdir("/")  # keep no filesystem busy

    def _leave_keyring(self) -> None:
        if not self._has_own_keyring:
            leave_inherited_keyring()
            self._has_own_keyring = True


def _enter(folder: str) -> None:
    try:
        os.chdir(folder)
    except OSError as error:
        raise ExecFailed("chdir", error.errno or errno.EIO) from error


def _now_ticks() -> int:
    """Now, as the kernel notes when a process begins: in clock ticks of 10 ms since boot."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // _NS_PER_TICK


def _start_ticks(pid: int) -> int:
    """When a process began, in clock ticks since boot: field 22 of proc_pid_stat(5). 0: it cannot be read.

    Reading it waits until the process is through with its exec, and after that often for a turn on the processor: for a
    short command that is its end. So it is read only if the clock ticked during the spawn.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            # The second field, the name in parentheses, may hold blanks and parentheses itself.
            return int(file.readline().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0
