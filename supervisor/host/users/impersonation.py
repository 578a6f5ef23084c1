"""Looking at files with another user's rights: in a child that becomes that user for good.

What stands at a path that a user can change is only ever looked for as that user. Modes alone do not tell what the user
may do (access control lists, security modules, filesystems over the network), to open a device has effects, and whether
a path exists is told by how it fails. The child has no descriptor of ours, so nothing is to be had below /proc/self/fd.

Nothing in /proc is a user's file, though: there the child would find, as itself, a copy of what is ours.
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

if TYPE_CHECKING:
    from supervisor.host.users.account import Account

ANSWER_S = 5.0
"""How long a filesystem may take to answer."""
_DONE, _FAILED, _CANNOT_BECOME = b"d", b"f", b"c"
_MOST_BYTES = 8192
_NO_GROUP = 65534
"""Of a user that is in no database."""

_Work = Callable[[], tuple[bytes, Sequence[int]]]
"""What the child does: gives an answer, and descriptors to hand over."""


def open_as(account: Account, path: str | os.PathLike[str]) -> int:
    """A descriptor of the file at `path`, for reading. Raises OSError as open(2) does for that user, Unreadable."""
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
    """What `find_file` finds for that user."""

    def look() -> tuple[bytes, Sequence[int]]:
        found = find_file(workspace).path
        return os.fsencode(found) if found else b"", ()

    path, _ = _ask(account, look)
    return Found(Path(os.fsdecode(path)), Presence.DISCOVERED) if path else Found(None, Presence.ABSENT)


def can_enter(account: Account, folder: str | os.PathLike[str]) -> bool:
    """Whether that user can reach a folder. Raises MachineError if we may not act as this user, OSError."""
    answer, _ = _ask(account, lambda: (b"y" if os.access(folder, os.X_OK) else b"", ()))
    return bool(answer)


def _ask(account: Account, work: _Work) -> tuple[bytes, list[int]]:
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, its:
        # A signal that comes to the child is not to be taken for ours: handlers, and what wakes them, are shared.
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
        case _:  # the user may have killed it
            raise OSError(errno.EINTR, os.strerror(errno.EINTR))


def _answer(account: Account, work: _Work, descriptor: int) -> NoReturn:
    """The child: becomes the user, does the work, and tells."""
    answer, descriptors = _CANNOT_BECOME, tuple[int, ...]()
    try:
        os.dup2(descriptor, 3)
        _close_but(3)
        gid = account.gid if account.gid >= 0 else _NO_GROUP
        os.setgroups(account.groups)
        os.setresgid(gid, gid, gid)
        os.setresuid(account.uid, account.uid, account.uid)
        if os.getresuid() != (account.uid,) * 3:  # to the kernel, -1 means to change nothing
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        try:
            told, opened = work()
            answer, descriptors = _DONE + told, tuple(opened)
        except OSError as error:
            answer = b"%b%d" % (_FAILED, error.errno or errno.EIO)
    finally:
        with socket.socket(fileno=3) as parent:
            socket.send_fds(parent, [answer], descriptors)
        os._exit(0)


def _close_but(last: int) -> None:
    """Close all above. Not by closerange: where the C library lacks close_range(2) that tries each of a billion."""
    for number in map(int, os.listdir("/proc/self/fd")):
        if number > last:
            try:
                os.close(number)
            except OSError:
                pass  # it listed the folder, and is closed already


def _filesystem(descriptor: int) -> str:
    """The type of the filesystem that holds a file, as in mountinfo of proc_pid_mountinfo(5); empty: none of ours."""
    with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as info:
        mount = next((line.split()[1] for line in info if line.startswith("mnt_id:")), "")
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
        for line in mounts:
            if line.partition(" ")[0] == mount:
                return line.rpartition(" - ")[2].split(" ", 1)[0]
    return ""
