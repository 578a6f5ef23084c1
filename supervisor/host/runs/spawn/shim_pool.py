"""The shims that this supervisor is connected to: the one that takes new commands, and earlier ones that hold some."""

from __future__ import annotations

import os
import socket
import stat

from supervisor.host.runs.spawn import command_line
from supervisor.host.runs.spawn.shim_client import ShimClient
from supervisor.lean.late import anyio
from supervisor.lean.typing import TYPE_CHECKING
from supervisor.model.errors import TRANSIENT_ERRNOS, MachineError
from supervisor.shim.protocol import KEEPER_SOCKET, VERSION, RunsListed
from supervisor.shim.unix_socket import connect, peer_credentials

if TYPE_CHECKING:
    from anyio import CancelScope, Event


_KEEPER_S = 1.0
"""How long the keeper may take to be reached."""


class NoShimNow(MachineError):
    """The machine is short of what a shim takes."""


class ShimPool:
    """Connections to shims. A new shim is started when there is none that could take a command."""

    def __init__(self, path: str, fresh: ShimClient, cgroup: str = "") -> None:
        """Use the shim that listens at `path` further, if it understands us, and let `fresh` go.

        `cgroup`: the control group of shims; empty: there is none.
        """
        self._socket = path
        self._cgroup = cgroup
        self._clients: list[ShimClient] = []
        self._unattended: list[ShimClient] = []
        self._inode: int | None = None
        """Of the socket's file, once it was seen."""
        self._sending: dict[ShimClient, tuple[CancelScope, Event]] = {}
        """The shims that do not take all requests at once, until they have."""
        self.held = RunsListed({}, {}, VERSION)
        """What the shim of an earlier supervisor held when we connected to it."""
        self.held_by = self._reconnect()
        self._current: ShimClient | None = None
        if self.held_by and self.held.version == VERSION:
            self._current = self.held_by
            self._add(fresh)  # unused: the machine, which attends to it, will let it go
        else:
            self._use(fresh)

    def is_current(self, client: ShimClient) -> bool:
        """Whether new commands go to this shim."""
        return client is self._current

    def current(self) -> ShimClient:
        """The shim for new commands. Raises MachineError if there can be none, NoShimNow if there is none for now."""
        if self._current is None or self._current.lost:
            try:
                client = ShimClient.start()
            except OSError as error:
                why = f"cannot start the process that holds commands: {command_line.reason(error.errno)}"
                raise (NoShimNow if error.errno in TRANSIENT_ERRNOS else MachineError)(why) from error
            self._use(client)
            return client
        return self._current

    def clients(self) -> tuple[ShimClient, ...]:
        """All connections, whether new commands go there or not."""
        return tuple(self._clients)

    def take_unattended(self) -> list[ShimClient]:
        """The connections that were made since this was last asked: each has to be attended to."""
        taken, self._unattended = self._unattended, []
        return taken

    def is_reachable(self) -> bool:
        """Whether the next supervisor would find the shim at its socket. Raises OSError."""
        if self._current is None or self._current.lost:
            return True  # the next one will listen
        try:
            status = os.lstat(self._socket)
        except FileNotFoundError:
            return False
        self._inode = self._inode or status.st_ino
        return stat.S_ISSOCK(status.st_mode) and status.st_ino == self._inode

    def listen_again(self) -> None:
        """Have the shim bind its socket anew. Raises MachineError where it cannot."""
        if os.path.isdir(self._socket):
            raise MachineError(f"there is a folder at {self._socket}; remove it")
        if self._current is not None:
            self._inode = None
            self._current.listen(self._socket)

    def pids(self) -> list[int]:
        """The shims' processes, which hold commands and adopt the orphans of these."""
        return [client.shim_pid for client in self._clients if not client.lost]

    def keeper(self) -> int:
        """The pid of the process that holds the FIFOs for the shims; 0: there is none, or it cannot be reached."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
            sock.settimeout(_KEEPER_S)
            try:
                connect(sock, os.path.join(os.path.dirname(self._socket), KEEPER_SOCKET))
                return peer_credentials(sock)[0]
            except OSError:
                return 0

    def pass_over(self, client: ShimClient) -> None:
        """Have another shim take the next command; this one keeps what it holds."""
        if self.is_current(client):
            self._current = None

    async def send_rest(self, client: ShimClient) -> None:
        """Send what a shim does not take at once, as it reads on. Without effect while that is under way."""
        if client in self._sending:
            return
        with anyio.CancelScope() as scope:
            _, ended = self._sending[client] = scope, anyio.Event()
            try:
                while client.unsent:
                    await anyio.wait_writable(client.fileno())
                    client.flush()
            finally:
                del self._sending[client]
                ended.set()

    async def stop_sending(self, client: ShimClient) -> None:
        """Send nothing more to a shim."""
        if (sending := self._sending.get(client)) is not None:
            scope, ended = sending
            scope.cancel()
            await ended.wait()

    async def leave(self, client: ShimClient) -> None:
        """Close a connection; its shim ends if it holds no live command. A thread waits for its answer."""
        from supervisor.host.proc import worker_threads

        self._clients.remove(client)
        # Nobody else would close it any more.
        with anyio.CancelScope(shield=True):
            await worker_threads.run(client.close)

    def say_goodbye(self) -> None:
        """Tell the shims that nothing follows: those that hold no command end while other things are closed."""
        for client in self._clients:
            client.say_goodbye()

    def close(self) -> int:
        """Close all connections; returns how many commands live on."""
        live = sum(client.close() for client in self._clients)
        self._clients.clear()
        return live

    def _reconnect(self) -> ShimClient | None:
        old = ShimClient.reconnect(self._socket)
        if old is None:
            return None
        try:
            self.held = old.runs()
        except MachineError:
            old.abandon()  # its commands are found without it
            return None
        self._add(old)
        return old

    def _use(self, client: ShimClient) -> None:
        self._inode = None
        client.listen(self._socket)
        if self._cgroup:
            client.join(self._cgroup)
        self._current = client
        self._add(client)

    def _add(self, client: ShimClient) -> None:
        self._clients.append(client)
        self._unattended.append(client)
