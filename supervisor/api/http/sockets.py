"""The sockets that a supervisor listens on: a Unix socket in its state directory, and TCP.

Bound before anything is served, so that URLs can be written. A rename puts the Unix socket in place: its path leads to
a socket that listens, or to none.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from pathlib import Path

from supervisor.host.proc.inheritance import raise_descriptors
from supervisor.lean.frozen import dataclass
from supervisor.lean.typing import TYPE_CHECKING
from supervisor.model.errors import MachineError
from supervisor.settings.values import Address
from supervisor.shim.unix_socket import bind, connect

if TYPE_CHECKING:
    from connect_server.http.listeners import Rebinding

_BACKLOG = 2048
_RESERVED_FDS = 256  # for what a supervisor needs beside its clients
_MOST_FDS = 65536


@dataclass(frozen=True, slots=True)
class ListeningFds:
    """Descriptors of listening sockets."""

    unix: int | None = None
    tcp: int | None = None
    address: str = ""
    """What the TCP socket was to listen on, as `repr` shows it."""


_KEEP_ALIVE = ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3))
"""A client whose machine is gone is noticed after a minute: a stream may have nothing to say for days. Connections get
it from the socket that listens; that a connection is kept alive at all is aiohttp's default."""


class Sockets:
    """Listening sockets. `close` removes the Unix socket's file, if it is still ours."""

    def __init__(
        self,
        path: Path | None,
        address: Address | None,
        owner: int | None = None,
        carried: ListeningFds = ListeningFds(),  # noqa: B008 - frozen
    ) -> None:
        """Bind. A default TCP port that is taken is replaced by a free one, see `notice`. Raises MachineError.

        `owner`: the user who may connect to the Unix socket, beside root; None: our own. `carried`: sockets that listen
        already, used instead.
        """
        self.path = path
        self._owner = owner
        self._server: Rebinding | None = None
        """Serves the sockets; None: nothing is served at the moment."""
        self.listening: list[socket.socket] = []
        self.address: tuple[str, int] | None = None
        """The TCP socket's own."""
        self.notice = ""
        """What people should know of the addresses; empty: nothing."""
        self._inode = (0, 0)
        # An unused socket must not stay open: clients that connect to it would wait for ever.
        unix = _taken_over(carried.unix, use=path is not None and path.is_socket())
        tcp = _taken_over(carried.tcp, use=address is not None and carried.address == repr(address))
        try:
            if path is not None:
                self.listening.append(unix or _unix(path, owner))
                self._inode = _inode(path)
            if address is not None:
                if tcp is None:
                    tcp, self.notice = _tcp(address)
                self.listening.append(tcp)
                for option, value in _KEEP_ALIVE:
                    tcp.setsockopt(socket.IPPROTO_TCP, option, value)
                self.address = self.listening[-1].getsockname()[:2]
        except BaseException:
            self.close()
            raise

    def attach(self, server: Rebinding) -> None:
        """They are served from now on; the server gets a Unix socket that is bound anew."""
        self._server = server

    def detach(self) -> None:
        """They are not served any more."""
        self._server = None

    def is_bound(self) -> bool:
        """Whether clients that connect to the Unix socket's path reach us. Raises OSError."""
        try:
            return self.path is None or self._server is None or _inode(self.path) == self._inode
        except FileNotFoundError:
            return False

    async def rebind(self) -> None:
        """Bind the Unix socket anew where its file is gone, or nobody answers on it. Raises MachineError."""
        if self.path is None or self._server is None:
            return
        before = self.listening[0]
        self.listening[0] = _unix(self.path, self._owner)
        self._inode = _inode(self.path)
        await self._server.rebind(self.listening[0])
        before.close()

    @property
    def url(self) -> str:
        """The base of the TCP address's URLs, without a final slash; empty if there is none."""
        if self.address is None:
            return ""
        host, port = self.address
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def keep(self) -> ListeningFds:
        """Have the sockets listen on after `close`, for a program that takes over: clients that connect wait."""
        self._inode = (0, 0)
        by_family = {
            listening.family == socket.AF_UNIX: os.dup(listening.fileno()) for listening in self.listening
        }
        return ListeningFds(by_family.get(True), by_family.get(False))

    def close(self) -> None:
        """Stop listening."""
        for listening in self.listening:
            listening.close()
        self.listening.clear()
        # Before another supervisor can bind there it needs the state directory's lock, which we still hold.
        if self.path is not None and self._inode != (0, 0):
            with contextlib.suppress(OSError):
                if _inode(self.path) == self._inode:
                    self.path.unlink()


def room_for_clients() -> int:
    """How many clients there is room for, at two descriptors each. Raises the soft limit as far as allowed."""
    return max(16, (raise_descriptors(_MOST_FDS) - _RESERVED_FDS) // 2)


def _taken_over(fd: int | None, use: bool) -> socket.socket | None:
    if fd is None:
        return None
    if not use:
        os.close(fd)
        return None
    listening = socket.socket(fileno=fd)
    listening.setblocking(False)
    return listening


def _unix(path: Path, owner: int | None) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    aside = path.with_name(f"{path.name}.new")
    try:
        _check_free(path)
        with contextlib.suppress(FileNotFoundError):
            aside.unlink()
        # On Linux the file gets the mode of the socket: there is no moment in which others may connect.
        os.fchmod(listening.fileno(), 0o600)
        bind(listening, aside)
        if owner is not None:
            os.chown(aside, owner, -1, follow_symlinks=False)
        listening.listen(_BACKLOG)
        os.replace(aside, path)
    except OSError as error:
        listening.close()
        raise MachineError(f"cannot listen on the socket {path}: {error.strerror or error}") from error
    except BaseException:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


def _check_free(path: Path) -> None:
    """See that nobody answers at the path: then it may be replaced. Raises MachineError, OSError."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise MachineError(f"cannot listen on the socket {path}: there is a file that is not a socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            connect(probe, path)
        except (ConnectionRefusedError, FileNotFoundError):
            return
    raise MachineError(f"cannot listen on the socket {path}: another process answers there")


def _tcp(address: Address) -> tuple[socket.socket, str]:
    """A socket, and a notice if it has another port."""
    try:
        return _bound(address.host, address.port), ""
    except OSError as error:
        if error.errno != errno.EADDRINUSE or address.fixed:
            raise _unlistenable(address, error) from error
    try:
        listening = _bound(address.host, 0)
    except OSError as error:
        raise _unlistenable(address, error) from error
    port = listening.getsockname()[1]
    notice = f"port {address.port} is taken, by another supervisor perhaps: this one listens on port {port}"
    return listening, notice


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, name = socket.getaddrinfo(
        # Text would be encoded as IDNA, whose import costs 2 ms before the first command.
        host.encode() if host.isascii() else host,
        port,
        type=socket.SOCK_STREAM,
        flags=socket.AI_PASSIVE,
    )[0]
    listening = socket.socket(family, kind, protocol)
    try:
        # A supervisor that has just ended may have connections that linger: its port is free all the same.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(name)
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening


def _unlistenable(address: Address, error: OSError) -> MachineError:
    why = {errno.EADDRINUSE: "the port is taken", errno.EACCES: "ports below 1024 are root's"}.get(
        error.errno or 0, error.strerror or str(error)
    )
    host = f"[{address.host}]" if ":" in address.host else address.host
    return MachineError(
        f"cannot listen on {host}:{address.port}: {why}; choose another with --listen HOST:PORT, or --listen none"
    )


def _inode(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_dev, status.st_ino
