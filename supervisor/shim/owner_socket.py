"""A listening Unix socket for root and our own user.

By `shim.sock` the next supervisor finds the shim, by `keeper.sock` the next shim finds the keeper.
"""

from __future__ import annotations

import os
import socket

from supervisor.shim.unix_socket import bind, peer_credentials

_BACKLOG = 4


class OwnerSocket:
    """Listens at one path at a time, or at none."""

    def __init__(self, kind: socket.SocketKind = socket.SOCK_STREAM, backlog: int = _BACKLOG) -> None:
        """`kind`: SOCK_STREAM, or SOCK_SEQPACKET for packets; `backlog`: how many may wait to be accepted."""
        self._kind = kind
        self._backlog = backlog
        self._socket: socket.socket | None = None
        self._bound: tuple[str, int] | None = None
        """The path and the inode of the socket's file."""

    def fileno(self) -> int:
        """The listening descriptor; -1: none."""
        return -1 if self._socket is None else self._socket.fileno()

    def listen(self, path: str) -> None:
        """Bind a socket at `path`, in place of one that an earlier process left there. Raises OSError.

        It is bound beside its place and renamed once it listens: whoever connects meanwhile is not refused.
        """
        aside = f"{path}.{os.getpid()}"
        listener = socket.socket(socket.AF_UNIX, self._kind | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        umask = os.umask(0o177)
        try:
            _unlink(aside)
            bind(listener, aside)
            listener.listen(self._backlog)
            inode = os.stat(aside).st_ino
            os.rename(aside, path)
        except BaseException:
            listener.close()
            _unlink(aside)
            raise
        finally:
            os.umask(umask)
        self.close()
        self._socket, self._bound = listener, (path, inode)

    def accept(self) -> socket.socket | None:
        """The next connection; None: there is none, or the peer is another user, who is refused."""
        if self._socket is None:
            return None
        try:
            sock, _ = self._socket.accept()
        except OSError:
            return None
        if peer_credentials(sock)[1] not in (0, os.geteuid()):
            sock.close()
            return None
        return sock

    def close(self) -> None:
        """Stop listening, and remove the socket's file."""
        if self._socket is None or self._bound is None:
            return
        path, inode = self._bound
        self._socket.close()
        self._socket = self._bound = None
        try:
            # By now the file at the path may be another process's.
            if os.stat(path, follow_symlinks=False).st_ino == inode:
                os.unlink(path)
        except OSError:
            pass


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
