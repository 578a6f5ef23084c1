"""The supervisor's end: asks the holders of a state directory, each request over a connection of its own.

Nothing is kept between two requests. So a supervisor that was just started knows as much as the one before, and a
holder that ends, because it has nothing to hold any more, is noticed by the request that needs one.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Self

from supervisor.host.proc import inheritance, process, process_signals, worker_threads
from supervisor.host.proc.process import ProcRef
from supervisor.model.errors import MachineError, SupervisorError
from supervisor.shim.unix_socket import connect, peer_credentials
from supervisor.terminals import holder_launcher
from supervisor.terminals.holder_protocol import (
    UNKNOWN,
    Frames,
    Head,
    NewShell,
    encode_frame,
    encode_shell,
    is_socket_name,
    socket_name,
)

ANSWER_S = 10.0
"""How long a holder may take to answer."""
DRAIN_S, LOOK_S = 2.0, 1.0
"""And how long when all is to end, and when somebody only has a look."""
_ENDED = "the process that holds terminals has ended, and its terminals with it; make new ones"
_READ = 1 << 18
_ATTEMPTS = 3
_BUSY_S, _BUSY_TIMES = 0.01, 200
"""How often it is tried to reach a holder whose queue of connections is full."""


class HolderRefused(SupervisorError):
    """A holder does not do what it is asked. `why`: as the protocol has it."""

    def __init__(self, why: str, text: str = "") -> None:
        super().__init__(f"the process that holds terminals refuses: {text or why}")
        self.why = why


class ShellFailed(SupervisorError):
    """A shell was not started. `stage`, `errno`: as of `StartFailed`."""

    def __init__(self, stage: str, number: int) -> None:
        super().__init__(f"cannot start the shell: {os.strerror(number)}")
        self.stage = stage
        self.errno = number


class HolderLost(MachineError):
    """A holder has ended, and all that it held with it."""

    def __init__(self, why: str = _ENDED) -> None:
        super().__init__(why)


class HolderStuck(HolderLost):
    """A holder does not answer; it may come back."""

    def __init__(self, patience_s: float) -> None:
        super().__init__(f"the process that holds terminals does not answer for {patience_s:g} s")


@dataclass(frozen=True, slots=True)
class ListedTerminal:
    """An open terminal."""

    id: str
    pid: int
    """Of the shell."""
    shell: str
    folder: str
    """Where the shell is now; bytes that are not UTF-8 are lone surrogates."""
    cols: int
    rows: int
    created_s: float
    """On the wall clock."""
    annotations: dict[str, str]


class TerminalStream:
    """What a terminal prints, from now on. To be closed."""

    def __init__(self, exchange: _Exchange, begun: Head, replay: bytes) -> None:
        """`begun`: the head of the first frame, `replay`: its body."""
        self._exchange = exchange
        self.replay = replay
        self.cols, self.rows = int(begun.get("cols", 0)), int(begun.get("rows", 0))

    def __aiter__(self) -> AsyncIterator[tuple[Head, bytes]]:
        """The frames; the last one has no data. Raises HolderLost."""
        return self._frames()

    async def _frames(self) -> AsyncIterator[tuple[Head, bytes]]:
        while True:
            head, body = await self._exchange.receive()
            yield head, body
            if "data" not in head:
                return

    def close(self) -> None:
        """Read no more."""
        self._exchange.close()


class DrainedHolder:
    """A holder whose terminals are ending. It stays until this is closed."""

    def __init__(self, exchange: _Exchange, live: int) -> None:
        """`live`: how many shells lived."""
        self._exchange = exchange
        self.live = live
        self.pid = exchange.pid

    async def close(self, patience_s: float) -> None:
        """Let it end, and wait for that, for a while."""
        self._exchange.say_goodbye()
        try:
            async with asyncio.timeout(patience_s):
                await self._exchange.receive()
        except (HolderLost, TimeoutError):
            pass
        finally:
            self._exchange.close()


class HolderClient:
    """The holders of one state directory."""

    def __init__(self, state: str | os.PathLike[str]) -> None:
        """`state`: the state directory."""
        self._state = os.fspath(state)
        self._path = os.path.join(self._state, socket_name())
        self._starting = asyncio.Lock()
        self._holder: ProcRef | None = None
        """The holder of our own version, as it was seen last."""

    def is_reachable(self) -> bool:
        """Whether the holder that was seen last would be found at its socket. Raises OSError."""
        if self._holder is None or not process.alive(self._holder):
            self._holder = None
            return True
        try:
            return stat.S_ISSOCK(os.lstat(self._path).st_mode)
        except FileNotFoundError:
            return False

    async def listen_again(self) -> None:
        """Have the holder bind its socket anew. Raises MachineError where it cannot."""
        if os.path.isdir(self._path):  # noqa: ASYNC240 - as quick as all else about this folder
            raise MachineError(f"there is a folder at {self._path}; remove it")
        if self._holder is not None:
            process_signals.send(self._holder, signal.SIGUSR1)

    async def create(self, new: NewShell) -> int:
        """Make a terminal; returns the pid of its shell.

        Raises HolderRefused, ShellFailed, HolderLost, OSError if no holder can be started.
        """
        for _ in range(_ATTEMPTS):
            exchange = await self._reach(new)
            try:
                answer, _ = await exchange.answer(ANSWER_S)
                self._note(exchange.pid)
            except HolderLost:
                continue  # it had nothing to hold, and was about to end: nothing was made
            finally:
                exchange.close()
            if "failed" in answer:
                raise ShellFailed(str(answer["failed"]), int(answer["errno"]))
            return int(answer["pid"])
        raise HolderLost

    async def terminals(self) -> list[ListedTerminal]:
        """All open terminals, the eldest first. Raises HolderStuck."""
        return await self._listed(ANSWER_S)

    async def seen(self) -> list[ListedTerminal]:
        """The same for people, who do not wait for a holder that does not answer."""
        try:
            return await self._listed(LOOK_S)
        except HolderStuck:
            return []

    async def _listed(self, patience_s: float) -> list[ListedTerminal]:
        found = []
        for path in reversed(self._paths()):  # those of an older version are older
            try:
                exchange = await _Exchange.begin(path, {"ask": "list"})
            except OSError:
                continue  # none listens there any more
            try:
                answer, _ = await exchange.answer(patience_s)
                if path == self._path:
                    self._note(exchange.pid)
                found += [_listed(one) for one in answer["terminals"]]
            except HolderStuck:
                raise
            except HolderLost:
                continue
            finally:
                exchange.close()
        return found

    async def read(self, id_: str, history: bool) -> TerminalStream:
        """What it prints; first what is kept, with `history`. Raises HolderRefused, HolderLost."""
        return TerminalStream(*await self._begun({"ask": "read", "id": id_, "history": history}))

    async def attach(self, id_: str) -> TerminalStream:
        """What the screen shows, and what is printed. Raises HolderRefused, HolderLost."""
        return TerminalStream(*await self._begun({"ask": "attach", "id": id_}))

    async def write(self, id_: str, data: bytes) -> None:
        """Type something. Raises HolderRefused, HolderLost."""
        await self._ask({"ask": "write", "id": id_}, data)

    async def resize(self, id_: str, cols: int, rows: int) -> None:
        """Set the size; 0 keeps that side. Raises HolderRefused, HolderLost."""
        await self._ask({"ask": "resize", "id": id_, "cols": cols, "rows": rows})

    async def hang_up(self, id_: str) -> None:
        """End it as if a window closed. Raises HolderRefused, HolderLost."""
        await self._ask({"ask": "close", "id": id_})

    async def drain(self) -> list[DrainedHolder]:
        """Have all terminals end. A holder that does not answer is killed, and so all its terminals are hung up."""
        drained = []
        for path in self._paths():
            try:
                exchange = await _Exchange.begin(path, {"ask": "drain"})
            except OSError:
                continue  # none listens there any more
            holder = process.find(exchange.pid)
            try:
                answer, _ = await exchange.answer(DRAIN_S)
            except HolderLost:
                exchange.close()
                process_signals.kill([holder] if holder else [])
            else:
                drained.append(DrainedHolder(exchange, int(answer["live"])))
        return drained

    def _note(self, pid: int) -> None:
        if self._holder is None or self._holder.pid != pid:
            self._holder = process.find(pid)

    def _paths(self) -> list[str]:
        """The sockets of all holders, our own version's first."""
        try:
            names = sorted(filter(is_socket_name, os.listdir(self._state)))
        except OSError:
            return []
        paths = [os.path.join(self._state, name) for name in names]
        return sorted(paths, key=lambda path: path != self._path)

    async def _reach(self, new: NewShell) -> _Exchange:
        """Ask the holder of our own version, which is started if it is not there. Raises OSError."""
        async with self._starting:
            try:
                return await _Exchange.begin(self._path, encode_shell(new))
            except (FileNotFoundError, ConnectionRefusedError):
                words = inheritance.shim_words()
                await worker_threads.run(holder_launcher.start, self._path, *words)
                return await _Exchange.begin(self._path, encode_shell(new))

    async def _ask(self, head: Head, body: bytes = b"") -> None:
        exchange, _, _ = await self._begun(head, body)
        exchange.close()

    async def _begun(self, head: Head, body: bytes = b"") -> tuple[_Exchange, Head, bytes]:
        """Ask the holder that has the terminal. Raises HolderRefused, HolderLost."""
        for path in self._paths():
            try:
                exchange = await _Exchange.begin(path, head, body)
            except OSError:
                continue  # none listens there any more
            try:
                return exchange, *await exchange.answer(ANSWER_S)
            except HolderRefused as refusal:
                exchange.close()
                if refusal.why != UNKNOWN:
                    raise
            except BaseException:
                exchange.close()
                raise
        raise HolderRefused(UNKNOWN)


class _Exchange:
    """A connection to a holder, for one request."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._frames = Frames()

    @classmethod
    async def begin(cls, path: str, head: Head, body: bytes = b"") -> Self:
        """Connect and send a request. Raises OSError if nobody listens there.

        It waits for nothing if the holder takes the request at once: what is asked next is answered after this.
        """
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            await _connect(sock, path)
            if peer_credentials(sock)[1] not in (0, os.geteuid()):
                raise ConnectionRefusedError
            await _send(sock, encode_frame(head, body))
        except BaseException:
            sock.close()
            raise
        return cls(sock)

    @property
    def pid(self) -> int:
        """Of the holder."""
        return peer_credentials(self._socket)[0]

    async def answer(self, patience_s: float) -> tuple[Head, bytes]:
        """The next frame, which comes soon. Raises HolderRefused, HolderLost."""
        try:
            async with asyncio.timeout(patience_s):
                return await self.receive()
        except TimeoutError:
            raise HolderStuck(patience_s) from None

    async def receive(self) -> tuple[Head, bytes]:
        """The next frame. Raises HolderRefused, HolderLost."""
        loop = asyncio.get_running_loop()
        while (frame := self._frames.take()) is None:
            try:
                data = await loop.sock_recv(self._socket, _READ)
            except OSError:
                data = b""
            if not data:
                raise HolderLost
            self._frames.feed(data)
        if "refused" in frame[0]:
            raise HolderRefused(str(frame[0]["refused"]), str(frame[0].get("text", "")))
        return frame

    def say_goodbye(self) -> None:
        """Nothing more is asked."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it is gone

    def close(self) -> None:
        """Let go of it."""
        self._socket.close()


async def _connect(sock: socket.socket, path: str) -> None:
    for _ in range(_BUSY_TIMES):
        try:
            connect(sock, path)
            return
        except BlockingIOError:  # its queue is full
            await asyncio.sleep(_BUSY_S)
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


async def _send(sock: socket.socket, data: bytes) -> None:
    try:
        sent = sock.send(data)
    except BlockingIOError:
        sent = 0
    if sent < len(data):
        await asyncio.get_running_loop().sock_sendall(sock, memoryview(data)[sent:])


def _listed(one: Head) -> ListedTerminal:
    return ListedTerminal(
        id=one["id"],
        pid=one["pid"],
        shell=one["shell"],
        folder=one["cwd"],
        cols=one["cols"],
        rows=one["rows"],
        created_s=one["created_s"],
        annotations=one["annotations"],
    )
