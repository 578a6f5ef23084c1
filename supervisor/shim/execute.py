"""How the shim makes a process: with posix_spawn, or with fork where the command runs as another user."""

from __future__ import annotations

import errno
import os
import signal
import time

from supervisor.lean.typing import NoReturn
from supervisor.shim.probe_protocol import ProbeRequest
from supervisor.shim.protocol import SpawnRequest, UserIds

_CATCHABLE = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
_ATTEMPTS = 5


class ExecFailed(OSError):
    """A forked child did not reach its exec. `stage`: as in `SpawnFailed`."""

    def __init__(self, stage: str, number: int) -> None:
        super().__init__(number, os.strerror(number))
        self.stage = stage


def stage_of(error: OSError) -> str:
    """What failed in the attempt to make a process, as `SpawnFailed` has it."""
    if isinstance(error, ExecFailed):
        return error.stage
    return "fork" if error.errno in (errno.EAGAIN, errno.ENOMEM) else "exec"


def execute(request: SpawnRequest | ProbeRequest, null: int, out: int, err: int) -> int:
    """Start a process in a session of its own that inherits nothing else; returns its pid. Raises OSError.

    The descriptors become its standard input, output and error.
    """
    fds = (null, out, err)
    if request.program:
        try:
            return _execute(request, request.program, list(request.words), fds)
        except OSError as error:
            if not _is_refusal(error):
                raise
    return _execute(request, request.argv[0], list(request.argv), fds)


def _is_refusal(error: OSError) -> bool:
    """Whether the kernel does not execute this program. A shell does more with it: it runs a script without `#!`."""
    return stage_of(error) == "exec"


def _execute(
    request: SpawnRequest | ProbeRequest, program: str, argv: list[str], fds: tuple[int, int, int]
) -> int:
    for attempt in range(_ATTEMPTS):
        try:
            if request.user:
                return _fork(program, argv, request.env, fds, request.cwd, request.user)
            return _posix_spawn(program, argv, request.env, fds)
        except OSError as error:
            # Another process has the program open for writing: a copy in progress, or a fork before its exec.
            if error.errno != errno.ETXTBSY or attempt == _ATTEMPTS - 1:
                raise
            time.sleep(0.01)
    raise AssertionError


def _posix_spawn(program: str, argv: list[str], env: dict[str, str], fds: tuple[int, int, int]) -> int:
    actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(fds)]
    return os.posix_spawn(
        program, argv, env, file_actions=actions, setsid=True, setsigmask=[], setsigdef=_CATCHABLE
    )


def _fork(
    program: str,
    argv: list[str],
    env: dict[str, str],
    fds: tuple[int, int, int],
    cwd: str,
    user: UserIds,
) -> int:
    """Start a process as another user, which posix_spawn cannot: 0.9 ms instead of 0.1.

    Changing our own user for the moment of a posix_spawn would be as quick, but in that moment the user could kill us.
    The child reports the stage at which it failed through a pipe, which its exec closes. Raises ExecFailed.
    """
    readable, writable = os.pipe2(os.O_CLOEXEC)
    try:
        pid = os.fork()
        if pid == 0:
            _become(program, argv, env, fds, cwd, user, writable)
        os.close(writable)
        writable = -1
        report = os.read(readable, 64).split()
        if not report:
            return pid
        os.waitpid(pid, 0)
        raise ExecFailed(report[0].decode(), int(report[1]))
    finally:
        os.close(readable)
        if writable >= 0:
            os.close(writable)


def _become(
    program: str,
    argv: list[str],
    env: dict[str, str],
    fds: tuple[int, int, int],
    cwd: str,
    user: UserIds,
    report: int,
) -> NoReturn:
    """The forked child: do what posix_spawn does, become the user, enter the folder as that user, and exec."""
    stage, number = "user", errno.EIO
    try:
        os.setsid()
        for target, fd in enumerate(fds):
            os.dup2(fd, target)
        reset_signals()
        become_user(user)
        stage = "chdir"
        os.chdir(cwd)
        stage = "exec"
        os.execve(program, argv, env)
    except OSError as error:
        number = error.errno or errno.EIO
    finally:
        try:
            os.write(report, f"{stage} {number}".encode())
        finally:
            # Also if the shim is gone: an exception would lead back into a copy of the shim's own code.
            os._exit(127)


def reset_signals() -> None:
    """In a forked child: what the parent ignores, handles or blocks, the program that comes does not."""
    for signum in _CATCHABLE:
        signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def become_user(user: UserIds) -> None:
    """In a forked child: become the user, for good. Raises OSError."""
    os.setgroups(user.groups)
    os.setresgid(*[user.gid] * 3)
    os.setresuid(*[user.uid] * 3)
    if os.getresuid() != (user.uid,) * 3:  # to the kernel, -1 means: change nothing
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))
