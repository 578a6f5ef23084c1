"""The supervisor's end of the connection to a shim: requests out, events in."""

from __future__ import annotations

import os
import select
import socket
import time

from supervisor.host.proc import inheritance
from supervisor.lean.typing import TYPE_CHECKING, TypeVar
from supervisor.model.errors import MachineError
from supervisor.shim import launcher
from supervisor.shim.protocol import (
    Bye,
    Event,
    JoinRequest,
    ListenRequest,
    ListRequest,
    ProtocolError,
    PumpRequest,
    RunsListed,
    ShimTrouble,
    SpawnRequest,
    decode_event,
    encode_request,
)
from supervisor.shim.stream import Message, Stream
from supervisor.shim.unix_socket import connect, peer_credentials

ANSWER_S = 10.0
"""How long the shim may take to answer."""
LATE_S = 1.0
"""How long before that the shim itself drops a spawn request, so that none is done that was given up here."""

if TYPE_CHECKING:
    from supervisor.shim.probe_protocol import ProbeRequest

E = TypeVar("E")


class ShimLost(MachineError):
    """The shim is gone. Commands go on without it."""


class ShimStuck(MachineError):
    """The shim did not answer, or read, in time; it may come back."""

    def __init__(self) -> None:
        super().__init__(f"the process that holds commands does not answer for {ANSWER_S:g} s")


class ShimClient:
    """A connection to a shim. Not for two threads."""

    def __init__(self, sock: socket.socket, pid: int | None) -> None:
        """`pid`: of the shim, if it is our child."""
        self.pid = pid
        self._stream = Stream(sock)
        self._unread: list[Event] = []
        """Events that arrived while an answer was waited for."""
        self._is_leaving = False

    @classmethod
    def start(cls) -> ShimClient:
        """Start a shim; returns before it runs. Raises OSError."""
        return cls(*launcher.start(*inheritance.shim_words()))

    @classmethod
    def reconnect(cls, path: str | os.PathLike[str]) -> ShimClient | None:
        """Connect to the shim that listens at `path`; None if none does."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connect(sock, path)
        except OSError:
            sock.close()
            return None
        pid, _ = peer_credentials(sock)
        return cls(sock, pid if _is_child(pid) else None)

    @property
    def shim_pid(self) -> int:
        """The pid of the shim, ours or an earlier supervisor's."""
        if self.pid is not None:
            return self.pid
        return peer_credentials(self._stream.socket)[0]

    @property
    def lost(self) -> bool:
        """Whether the shim is known to be gone. Events that it sent before may still be here to be received."""
        return self._stream.ended or self._stream.broken

    def fileno(self) -> int:
        """Readable when `receive` has something to return, or the shim is gone."""
        return self._stream.socket.fileno()

    def receive(self) -> list[Event]:
        """The events that have arrived, in order; never waits. Once the shim is lost, these are all that will come."""
        self._stream.flush()
        events = self._unread + [_event(message) for message in self._stream.receive()]
        self._unread = []
        return events

    def listen(self, path: str | os.PathLike[str]) -> None:
        """Have the shim listen at `path` for the supervisor after this one."""
        self._stream.send(encode_request(ListenRequest(os.path.abspath(path))))

    def join(self, cgroup: str) -> None:
        """Have the shim move into a control group, and be ready to move on into that of the first command.

        The kernel takes 4 to 24 ms to move a process into a group, unless one was moved a moment before; now the
        supervisor has other things to do meanwhile.
        """
        self._stream.send(encode_request(JoinRequest(cgroup)))

    def spawn(self, request: SpawnRequest) -> None:
        """Ask for a command to be started. `CommandStarted` or `SpawnFailed` follows, unless the shim is lost.

        Never waits; see `unsent`.
        """
        self._stream.send(encode_request(request))

    def pump(self, request: PumpRequest) -> None:
        """Have the shim pump a FIFO that another shim made. `LogFlushed` follows, unless the shim is lost."""
        self._stream.send(encode_request(request))

    def probe(self, request: ProbeRequest) -> None:
        """Have a command run again and again until it exits 0. `ProbeExited` follows unless the shim is lost."""
        self._stream.send(encode_request(request))

    def end_probes(self, run_id: str) -> None:
        """Have probes end. A `ProbeExited` that says `over` follows, unless the shim is lost."""
        from supervisor.shim.probe_protocol import EndProbesRequest

        self._stream.send(encode_request(EndProbesRequest(run_id)))

    @property
    def unsent(self) -> bool:
        """Whether the shim has not taken all requests yet: it reads a hundred ahead."""
        return bool(self._stream.unsent)

    def flush(self) -> None:
        """Send what the shim takes now."""
        self._stream.flush()

    def runs(self) -> RunsListed:
        """Ask what the shim holds, and wait for the answer. Raises ShimLost or ShimStuck."""
        self._stream.send(encode_request(ListRequest()))
        return self._wait_for(RunsListed)

    def abandon(self) -> None:
        """Leave a shim that does not answer, without waiting for it."""
        self._stream.socket.close()

    def say_goodbye(self) -> None:
        """Tell the shim that no request follows, before `close` waits for its answer."""
        if not self._is_leaving:
            self._is_leaving = True
            try:
                self._stream.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it is gone

    def close(self) -> int:
        """Leave the shim, which ends if it holds no live command; returns how many it holds."""
        left = 0
        self.say_goodbye()
        try:
            left = self._wait_for(Bye).live
        except (OSError, ShimLost, ShimStuck):
            pass
        self._stream.socket.close()
        if self.pid is not None:
            # A shim that holds nothing ends within a moment: wait, so that it is not left as a zombie.
            self.pid = None if _reaped(self.pid, 0.0 if left else 1.0) else self.pid
        return left

    def _wait_for(self, kind: type[E]) -> E:
        """Wait for an answer; what arrives before it stays for `receive`."""
        deadline = time.monotonic() + ANSWER_S
        poll = select.poll()
        while True:
            self._unread.extend(map(_event, self._stream.receive()))
            for index, event in enumerate(self._unread):
                if isinstance(event, kind):
                    del self._unread[index]
                    return event
            if self._stream.ended:
                raise ShimLost("the process that holds commands has ended")
            patience_s = deadline - time.monotonic()
            if patience_s <= 0:
                raise ShimStuck
            unsent = self._stream.unsent
            poll.register(self._stream.socket, select.POLLIN | (select.POLLOUT if unsent else 0))
            poll.poll(patience_s * 1000)
            self._stream.flush()


def _event(message: Message) -> Event:
    """A message as an event; one that cannot be understood becomes a sentence in the log."""
    try:
        return decode_event(message)
    except ProtocolError as error:
        return ShimTrouble(str(error))


def _is_child(pid: int) -> bool:
    """Whether it is our child: the program that this process executed before has started it."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except OSError:
        return False
    return True


def _reaped(pid: int, wait_s: float) -> bool:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                return True
        except ChildProcessError:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.001)
