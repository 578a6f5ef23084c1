"""Starts a shell on a pty, in a session of its own whose controlling terminal the pty is.

The child is forked, since nothing else makes a terminal the controlling one. It reports through a pipe, which its exec
closes: a folder on a dead filesystem holds up its own terminal and no other.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import termios

from supervisor.lean.typing import NoReturn
from supervisor.shim.cgroup_move import enter, join
from supervisor.shim.descriptors import DescriptorLimit, close_others
from supervisor.shim.execute import become_user, reset_signals
from supervisor.shim.oom_score import OomScore
from supervisor.shim.protocol import UserIds, decode_user
from supervisor.shim.syscalls import leave_inherited_keyring
from supervisor.terminals.holder_protocol import NewShell

_SIZE = struct.Struct("4H")
"""`struct winsize` of ioctl_tty(2)."""


class StartFailed(OSError):
    """A shell was not started. `stage`: pty, fork, user, chdir or exec."""

    def __init__(self, stage: str, number: int) -> None:
        super().__init__(number, os.strerror(number))
        self.stage = stage


class PtyProcess:
    """A process that starts, or runs, on a pty. `master` and `slave` are closed by who has made it."""

    __slots__ = ("_told", "master", "pid", "report", "slave")

    def __init__(self, pid: int, master: int, slave: int, report: int) -> None:
        self.pid = pid
        self.master = master
        self.slave = slave
        """Kept open, so that the pty never looks as if it were over while the shell lives."""
        self.report = report
        """Readable when there is more to be known about the start; -1: all is known."""
        self._told = b""

    def started(self) -> str | None:
        """The program that was started; None: that is not known yet. Raises StartFailed."""
        try:
            data = os.read(self.report, 1 << 16)
        except BlockingIOError:
            return None
        self._told += data
        if data:
            return None
        program, _, failure = self._told.rpartition(b"\0")
        if not failure and program:
            return os.fsdecode(program)
        words = failure.split()
        if len(words) == 2:
            raise StartFailed(words[0].decode(), int(words[1]))
        raise StartFailed("fork", errno.EINTR)  # somebody killed it

    def close_report(self) -> None:
        """All is known about the start."""
        os.close(self.report)
        self.report = -1

    def resize(self, cols: int, rows: int) -> None:
        """Set the size; programs on the terminal are told by SIGWINCH."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, _SIZE.pack(rows, cols, 0, 0))

    def close(self) -> None:
        """Let go of the pty: a hangup for those who still have it."""
        for fd in (self.master, self.slave, self.report):
            if fd >= 0:
                os.close(fd)
        self.master = self.slave = self.report = -1


class PtyStarter:
    """Starts shells. It may change what a child inherits: no other thread of the process starts any."""

    def __init__(self) -> None:
        self._oom_score = OomScore()
        self._descriptors = DescriptorLimit()
        self._has_own_keyring = False

    def start(self, new: NewShell) -> PtyProcess:
        """Fork the shell; `PtyProcess.started` says what becomes of it. Raises StartFailed, ProtocolError."""
        user = decode_user(new.id, new.user.get("as"))
        fds: list[int] = []
        stage = "pty"
        try:
            master, slave = os.openpty()
            fds += [master, slave]
            fcntl.ioctl(master, termios.TIOCSWINSZ, _SIZE.pack(new.rows, new.cols, 0, 0))
            os.set_blocking(master, False)
            if user:
                os.fchown(slave, user.uid, -1)
                self._leave_keyring()
            stage = "fork"
            readable, writable = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            fds += [readable, writable]
            pid = self._fork(new, user, slave, writable)
            os.close(writable)
            return PtyProcess(pid, master, slave, readable)
        except OSError as error:
            for fd in fds:
                os.close(fd)
            raise StartFailed(stage, error.errno or errno.EIO) from error

    def _fork(self, new: NewShell, user: UserIds | None, slave: int, report: int) -> int:
        group = enter(new.cgroup)
        self._oom_score.raise_()
        self._descriptors.lower()
        try:
            pid = os.fork()
            if pid == 0:
                _be_the_shell(new, user, slave, report)
            return pid
        finally:
            self._oom_score.lower()
            self._descriptors.raise_()
            if group:
                join(os.path.dirname(os.path.dirname(group)))

    def _leave_keyring(self) -> None:
        if not self._has_own_keyring:
            leave_inherited_keyring()
            self._has_own_keyring = True


def _be_the_shell(new: NewShell, user: UserIds | None, slave: int, report: int) -> NoReturn:
    """The forked child: take the terminal, become the user, enter the folder, find the program and exec, as the user.

    Writes `PROGRAM NUL` into the pipe, and behind it `STAGE ERRNO` if it comes to no exec.
    """
    stage, number = "user", errno.EIO
    try:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for target in range(3):
            os.dup2(slave, target)
        close_others({0, 1, 2, report})
        reset_signals()
        if user:
            become_user(user)
        stage = "chdir"
        os.chdir(new.cwd)
        stage = "exec"
        program = _program(new.shell, new.env.get("PATH", os.defpath))
        os.write(report, os.fsencode(program) + b"\0")
        os.execve(program, [program], new.env)
    except OSError as error:
        number = error.errno or errno.EIO
    except ValueError:  # a NUL in a name
        number = errno.EINVAL
    finally:
        try:
            os.write(report, f"{stage} {number}".encode())
        finally:
            # Whatever happens: an exception would lead back into a copy of the holder's own code.
            os._exit(127)


def _program(shell: str, path: str) -> str:
    """The program of a name, or of a path. Raises OSError."""
    if "/" in shell:
        return os.path.join(os.getcwd(), shell)
    found = 0
    for folder in path.split(":"):
        program = os.path.join(folder or os.getcwd(), shell)
        if os.path.isfile(program):
            if os.access(program, os.X_OK):
                return program
            found = errno.EACCES
    raise OSError(found or errno.ENOENT, os.strerror(found or errno.ENOENT))
