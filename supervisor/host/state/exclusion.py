"""A name in the kernel that says: a supervisor holds this state directory, even if the folder was removed.

flock(2) locks an inode. When the directory is removed, the next supervisor would make and lock a new one beside the
first. So the holder of the lock also listens, without ever answering, on a socket in the abstract namespace, unix(7):
the name goes with the process, and nobody can remove it. The name consists of

- a digest of the directory's path, the root folder and the filesystem of that path: containers may share a network
  namespace, and with it these names, but not their files;
- random characters, so that no other user can take the name first. Names are found by their beginning in
  /proc/net/unix.

A name counts only if a process of our own user listens there (SO_PEERCRED): other users cannot keep us out. It does not
show in another network namespace, nor where there are no such sockets; there the lock alone holds.
"""

from __future__ import annotations

import os
import socket

from supervisor.lean.digest import sha256
from supervisor.shim.unix_socket import peer_credentials

_BACKLOG = 4096


class Exclusion:
    """Holds the name of a state directory until `close`, or the end of the process."""

    __slots__ = ("_prefix", "_socket")

    def __init__(self, folder: str | os.PathLike[str], given: int | None = None) -> None:
        """`folder`: an absolute path that exists; `given`: a descriptor that holds the name already."""
        root, here = os.stat("/"), os.stat(folder)
        path = os.fsencode(os.path.realpath(folder))
        identity = b"%b\0%d %d %d" % (path, root.st_dev, root.st_ino, here.st_dev)
        self._prefix = f"supervisor-{sha256(identity).hex()[:32]}-".encode()
        self._socket = socket.socket(fileno=given) if given is not None else self._bound()
        if self._socket is not None:
            self._socket.setblocking(False)

    def other(self) -> int | None:
        """The pid of another supervisor that holds the same folder; None: none shows."""
        try:
            with open("/proc/net/unix", "rb") as file:
                names = {line.rpartition(b" @")[2].strip() for line in file if b" @" + self._prefix in line}
        except OSError:
            return None
        if self._socket is not None:
            names.discard(self._socket.getsockname()[1:])
        pids = (_own_listener(b"\0" + name) for name in names)
        return next((pid for pid in pids if pid is not None), None)

    def drain(self) -> None:
        """Close the connections that others have made: with a full queue nobody could ask who listens."""
        try:
            while self._socket is not None:
                self._socket.accept()[0].close()
        except OSError:
            pass  # the queue is empty

    def keep(self) -> int | None:
        """A descriptor that still holds the name after `close`; None: there is no name."""
        return None if self._socket is None else os.dup(self._socket.fileno())

    def close(self) -> None:
        """Release the name."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _bound(self) -> socket.socket | None:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            listening.bind(b"\0" + self._prefix + os.urandom(8).hex().encode())
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            return None
        return listening


def _own_listener(name: bytes) -> int | None:
    """The pid of the process of our own user that listens there; 0: our PID namespace does not show it; None: none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as asking:
        try:
            asking.connect(name)
            pid, uid = peer_credentials(asking)
        except OSError:
            return None
    return pid if uid == os.geteuid() else None
