"""Looks at files with another user's rights, in a child that becomes that user for good.

A path that a user can change is only ever followed as that user. File modes alone do not say what the user may do
(access control lists, security modules, network filesystems), opening a device has effects, and the way in which an
attempt fails reveals whether a path exists. The child has no descriptor of ours, so /proc/self/fd gives it nothing.

Files in /proc are refused: there the child, as itself, would find a copy of our data.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from supervisor.config.document.source import Unreadable
from supervisor.config.lookup import Found, Presence, find_file
from supervisor.lean.typing import TYPE_CHECKING, NoReturn
from supervisor.model.errors import MachineError
from supervisor.shim.descriptors import close_others

if TYPE_CHECKING:
    from supervisor.host.users.account import Account

ANSWER_S = 5.0
"""How long a filesystem may take to answer."""
_DONE, _FAILED, _CANNOT_BECOME = b"d", b"f", b"c"
_MOST_BYTES = 8192
_NO_GROUP = 65534
"""The group of a user that is not in the database."""

_Work = Callable[[], tuple[bytes, Sequence[int]]]
"""What the child does. Returns an answer, and descriptors to pass to us."""


def open_as(account: Account, path: str | os.PathLike[str]) -> int:
    """Open a file for reading as that user. Returns the descriptor. Raises OSError as open(2) does, Unreadable."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    _, descriptors = _ask(account, lambda: (b"", (os.open(path, flags),)))
    try:
        if _filesystem(descriptors[0]) == "proc":
            raise Unreadable("it leads into /proc")
    except BaseException:
        os.close(descriptors[0])
        raise
    return descriptors[0]


def find_file_as(account: Account, workspace: Path) -> Found:
    """Call `find_file` as that user."""

    def look() -> tuple[bytes, Sequence[int]]:
        found = find_file(workspace).path
        return os.fsencode(found) if found else b"", ()

    path, _ = _ask(account, look)
    return Found(Path(os.fsdecode(path)), Presence.DISCOVERED) if path else Found(None, Presence.ABSENT)


def can_enter(account: Account, folder: str | os.PathLike[str]) -> bool:
    """Whether that user can enter a folder. Raises MachineError if we may not become that user, OSError."""
    answer, _ = _ask(account, lambda: (b"y" if os.access(folder, os.X_OK) else b"", ()))
    return bool(answer)


def executable_as(account: Account, paths: Sequence[str]) -> set[str]:
    """Those of the paths that lead to a program which that user can execute. Raises MachineError, OSError."""
    found: set[str] = set()
    for first in range(0, len(paths), _MOST_BYTES // 2):
        part = paths[first : first + _MOST_BYTES // 2]

        def look(part: Sequence[str] = part) -> tuple[bytes, Sequence[int]]:
            usable = (os.path.isfile(path) and os.access(path, os.X_OK) for path in part)
            return b"".join(b"y" if can else b"n" for can in usable), ()

        answer, _ = _ask(account, look)
        found.update(path for path, can in zip(part, answer, strict=True) if can == ord("y"))
    return found


def _ask(account: Account, work: _Work) -> tuple[bytes, list[int]]:
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, its:
        # The child shares our handlers and their wake-up descriptor: its signals must not count as ours.
        mask = signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                _answer(account, work, its.fileno())
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        its.close()
        ours.settimeout(ANSWER_S)
        try:
            data, descriptors, _, _ = socket.recv_fds(ours, _MOST_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
        except TimeoutError:
            why = f"its filesystem does not answer for {ANSWER_S:g} s"
            raise OSError(errno.ETIMEDOUT, why) from None
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    match data[:1]:
        case b"d":
            return data[1:], descriptors
        case b"f":
            raise OSError(int(data[1:]), os.strerror(int(data[1:])))
        case b"c":
            raise MachineError(
                f'cannot act as user "{account.name}": we may not change our user (CAP_SETUID, CAP_SETGID)'
            )
        case _:  # the user may have killed the child
            raise OSError(errno.EINTR, os.strerror(errno.EINTR))


def _answer(account: Account, work: _Work, descriptor: int) -> NoReturn:
    """In the child: become the user, do the work, and send the answer."""
    answer, descriptors = _CANNOT_BECOME, tuple[int, ...]()
    try:
        os.dup2(descriptor, 3)
        close_others(range(4))
        gid = account.gid if account.gid >= 0 else _NO_GROUP
        os.setgroups(account.groups)
        os.setresgid(gid, gid, gid)
        os.setresuid(account.uid, account.uid, account.uid)
        if os.getresuid() != (account.uid,) * 3:  # to the kernel, -1 means: do not change
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        try:
            found, opened = work()
            answer, descriptors = _DONE + found, tuple(opened)
        except OSError as error:
            answer = b"%b%d" % (_FAILED, error.errno or errno.EIO)
    finally:
        try:
            with socket.socket(fileno=3) as parent:
                socket.send_fds(parent, [answer], descriptors)
        finally:
            # Also if the supervisor is gone and nothing can be sent: an exception would lead back into a copy of the
            # supervisor's own code, which would wait for ever and hold its outputs open.
            os._exit(0)


def _filesystem(descriptor: int) -> str:
    """The type of the filesystem that holds a file, as in proc_pid_mountinfo(5); empty: we do not see that mount."""
    with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as info:
        mount = next((line.split()[1] for line in info if line.startswith("mnt_id:")), "")
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
        for line in mounts:
            if line.partition(" ")[0] == mount:
                return line.rpartition(" - ")[2].split(" ", 1)[0]
    return ""
