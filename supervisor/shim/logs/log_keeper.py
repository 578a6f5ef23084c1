"""The keeper: a process that holds a read end of every FIFO, so that nothing in one is lost when the shim is killed.

The kernel drops what is in a FIFO when the last process that has it open closes it, and a command that writes into a
FIFO without a reader gets SIGPIPE. The shim reads, and may be killed; the keeper reads nothing, and is there meanwhile.
While one of the two lives, no byte is lost. The supervisor holds the FIFOs of its live runs as well, for the moment
before there is a keeper, and if both are killed at once. The keeper is a fork of the shim's, so it shares its memory
and needs no file; it ignores the signals that the shim ignores, and is killed as late.

Messages are packets of a SOCK_SEQPACKET socket: `+NAME` with the read end as SCM_RIGHTS, `-NAME` to let it go, where
NAME is that of a stream (`stream_name`). The keeper of a shim before VERSION 7 holds the FIFO, too.
Nothing is answered. A new shim finds the keeper at `keeper.sock` in the state directory. The keeper ends when it has
neither a shim nor a FIFO.
"""

from __future__ import annotations

import os
import select
import socket
import time

from supervisor.lean.typing import NoReturn
from supervisor.shim.descriptors import close_others, unread_bytes
from supervisor.shim.owner_socket import OwnerSocket
from supervisor.shim.stream_name import fifo_of
from supervisor.shim.unix_socket import connect, peer_credentials

_PACKET_BYTES = 4096
_TITLE = b"log-keeper"
_PAUSE_S = 0.2


class KeeperLink:
    """The shim's end. What the keeper does not take at once is sent later: `flush`."""

    def __init__(self) -> None:
        """Nothing is started before the first FIFO."""
        self.path = ""
        """Of the keeper's socket; empty: not known yet."""
        self._socket: socket.socket | None = None
        self._held: dict[str, int] = {}
        """`{stream: read end}`, for a keeper that has to be started."""
        self._unsent: dict[str, bool] = {}
        """`{stream: whether it is to be held}`"""
        self.pid = 0
        """Of the keeper, if this shim started it."""

    def hold(self, name: str, fd: int) -> None:
        """Have the FIFO of a stream held, whose read end is `fd` here: at once, or from the next `flush` on.

        To start a keeper takes a millisecond, so `flush` does that.
        """
        self._held[name] = fd
        self._unsent[name] = True
        if self._socket is not None:
            self.flush()

    def drop(self, name: str) -> None:
        """Have the FIFO of a stream let go."""
        if self._held.pop(name, None) is None:
            return
        self._unsent[name] = False
        self.flush()

    def fileno(self) -> int:
        """A socket that hangs up when the keeper is gone; -1: there is none."""
        return -1 if self._socket is None else self._socket.fileno()

    @property
    def is_inherited(self) -> bool:
        """Whether there is a keeper that this shim did not start: it holds what the shim before pumped."""
        if self._socket is None and self.path:
            try:
                self._socket = self._connected()
            except OSError:
                return False
        return self._socket is not None and self.pid == 0

    @property
    def is_behind(self) -> bool:
        """Whether something is still to be sent."""
        return bool(self._unsent)

    def flush(self) -> None:
        """Send what can be sent. Never raises: without a keeper, FIFOs are pumped all the same."""
        if not self._unsent or not self.path:
            return
        try:
            if self._socket is None:
                self._socket = self._reach()
                self._unsent |= dict.fromkeys(self._held, True)
            for name, is_held in list(self._unsent.items()):
                _send(self._socket, name, self._held.get(name) if is_held else None)
                del self._unsent[name]
        except BlockingIOError:
            pass  # it is stopped, or slow: it is sent more with the next FIFO, and once a second
        except OSError:
            self._lose()

    def replace(self) -> None:
        """The keeper is gone: start another one, which is to hold all."""
        self._lose()
        self.flush()

    def close(self) -> None:
        """Let the keeper go on alone, or end."""
        if self._socket is not None:
            self._socket.close()

    def _lose(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._unsent |= dict.fromkeys(self._held, True)

    def _reach(self) -> socket.socket:
        """The keeper of an earlier shim, or a new one. Raises OSError."""
        try:
            return self._connected()
        except (FileNotFoundError, ConnectionRefusedError):
            return self._start()

    def _connected(self) -> socket.socket:
        """The keeper that listens at the path. Raises OSError."""
        ours = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        try:
            connect(ours, self.path)
            if peer_credentials(ours)[1] not in (0, os.geteuid()):
                raise ConnectionRefusedError
            ours.setblocking(False)
            return ours
        except BaseException:
            ours.close()
            raise

    def _start(self) -> socket.socket:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self.pid = os.fork()
            if self.pid == 0:
                _be_the_keeper(its, self.path)
        ours.setblocking(False)
        return ours


class _Keeper:
    """The process. `serve` returns when there is neither a shim nor a FIFO."""

    def __init__(self, shim: socket.socket, path: str) -> None:
        self._path = path
        self._listener = OwnerSocket(socket.SOCK_SEQPACKET)
        self._runs = os.path.join(os.path.dirname(path), "runs")
        self._shims = {shim.fileno(): shim}
        self._held: dict[str, int] = {}

    def serve(self) -> None:
        """Listen, and hold what the shims send."""
        try:
            self._listener.listen(self._path)
        except OSError:
            pass  # the next shim starts a keeper of its own
        while self._shims or self._held:
            poll = select.poll()
            listening = self._listener.fileno()
            for fd in (*self._shims, *([listening] if listening >= 0 else [])):
                poll.register(fd, select.POLLIN)
            if not self._shims:
                for fd in self._held.values():
                    poll.register(fd, 0)  # the last writer's going is reported all the same
            for fd, _ in poll.poll():
                if fd in self._shims:
                    self._receive(self._shims[fd])
                elif fd == listening:
                    self._accept()
                else:
                    self._let_go(fd)
        self._listener.close()

    def _let_go(self, fd: int) -> None:
        """No shim is there and no process has this FIFO open for writing: let it go, unless something is in it.

        It is removed, so that the next shim does not conclude from it that nobody held it.
        """
        if unread_bytes(fd):
            time.sleep(_PAUSE_S)
            return
        (name,) = (name for name, held in self._held.items() if held == fd)
        try:
            os.unlink(os.path.join(self._runs, fifo_of(name)))
        except OSError:
            pass  # the run directory was removed
        os.close(self._held.pop(name))

    def _accept(self) -> None:
        if (sock := self._listener.accept()) is not None:
            self._shims[sock.fileno()] = sock

    def _receive(self, shim: socket.socket) -> None:
        try:
            packet, fds, _, _ = socket.recv_fds(shim, _PACKET_BYTES, 1)
        except OSError:
            packet, fds = b"", []
        if not packet:
            del self._shims[shim.fileno()]
            shim.close()
            return
        name = os.fsdecode(packet[1:])
        for old in (self._held.pop(name, -1), *fds[1:]):
            if old >= 0:
                os.close(old)
        if packet.startswith(b"+") and fds:
            self._held[name] = fds[0]


def _be_the_keeper(shim: socket.socket, path: str) -> NoReturn:
    """The forked child: keep nothing of the shim's but one socket, and serve."""
    try:
        close_others({0, 1, 2, shim.fileno()})
        os.setsid()
        _take_title(_TITLE)
        _Keeper(shim, path).serve()
    finally:
        os._exit(0)


def _take_title(title: bytes) -> None:
    """Show in lists of processes what this one is, and not what it was forked from."""
    try:
        with open("/proc/self/comm", "wb", buffering=0) as file:
            file.write(title)
        with open("/proc/self/stat", "rb") as file:
            # arg_start and arg_end of proc_pid_stat(5), the fields 48 and 49.
            start, end = map(int, file.read().rpartition(b")")[2].split()[45:47])
        with open("/proc/self/mem", "r+b", buffering=0) as file:
            file.seek(start)
            file.write(title[: end - start - 1].ljust(end - start, b"\0"))
    except (OSError, ValueError):
        pass


def _send(keeper: socket.socket, name: str, fd: int | None) -> None:
    data = os.fsencode(name)
    if fd is None:
        keeper.send(b"-" + data)
    else:
        socket.send_fds(keeper, [b"+" + data], [fd])
