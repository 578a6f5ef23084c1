"""The supervisor's end of the talk with the shim."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable, Sequence

from supervisor.host.proc import inheritance
from supervisor.lean.frozen import dataclass
from supervisor.lean.typing import TYPE_CHECKING, Any
from supervisor.model.errors import MachineError
from supervisor.shim import launcher
from supervisor.shim.stream import Message, Stream
from supervisor.shim.unix_socket import connect, peer_credentials

if TYPE_CHECKING:
    from supervisor.host.users.account import Account

ANSWER_S = 10.0
"""How long the shim may take to answer."""
_LATE_S = 1.0
"""How long before that the shim itself gives a request up, so that none is done after it was given up here."""


class ShimLost(MachineError):
    """The shim is gone. Commands go on without it."""


class ShimStuck(MachineError):
    """The shim did not answer, or read, in time; it may come back."""

    def __init__(self) -> None:
        super().__init__(f"the process that holds commands does not answer for {ANSWER_S:g} s")


@dataclass(frozen=True, slots=True)
class Listing:
    """What a shim holds."""

    runs: dict[str, tuple[int, int]]
    """Live runs: `{run id: (pid, start ticks)}`."""
    ended: dict[str, Message]
    """Statuses that could not be written: `{run id: {"code": ...} or {"signal": ...}}`."""
    version: int


class ShimLink:
    """A connection to a shim. Not for two threads."""

    def __init__(self, sock: socket.socket, pid: int | None) -> None:
        """`pid`: of the shim, if it is our child."""
        self.pid = pid
        self._stream = Stream(sock)
        self._waiting: list[Message] = []

    @classmethod
    def start(cls) -> ShimLink:
        """Start a shim; returns before it runs. Raises OSError."""
        return cls(*launcher.start(*inheritance.shim_words()))

    @classmethod
    def reconnect(cls, path: str | os.PathLike[str]) -> ShimLink | None:
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
        """Whether the shim is known to be gone."""
        return self._stream.ended

    def fileno(self) -> int:
        """Readable when `receive` has something new to return, or the shim is gone."""
        return self._stream.socket.fileno()

    def receive(self) -> list[Message]:
        """What the shim told unasked, in order; never waits. Afterwards `lost` tells whether more can come."""
        self._stream.flush()
        messages = self._waiting + self._stream.receive()
        self._waiting = []
        return messages

    def listen(self, path: str | os.PathLike[str]) -> None:
        """Have the shim listen at `path` for the supervisor after this one."""
        self._stream.send({"ask": "listen", "path": os.path.abspath(path)})

    def join(self, cgroup: str) -> None:
        """Have the shim go into a control group, and be ready to go on into that of the first command.

        To move a process into a group takes the kernel 4 to 24 ms unless one was moved a moment before, and at this
        time there is something else to wait for.
        """
        self._stream.send({"ask": "join", "cgroup": cgroup})

    def spawn(
        self,
        run_id: str,
        argv: Sequence[str],
        env: dict[str, str],
        cwd: str,
        log: str,
        folder: str,
        account: Account | None = None,
        cgroup: str = "",
    ) -> None:
        """Ask for a command to be started; `receive` will have the answer, `started` or `failed`, unless it is lost.

        `account`: the user that it runs as; None: ours. `cgroup`: its control group, see `Cgroups`; empty: none. What
        is not answered within ANSWER_S will not be done: the shim drops it by then. Never waits; see `unsent`.
        """
        before = time.monotonic() + ANSWER_S - _LATE_S
        request: dict[str, Any] = {
            "ask": "spawn",
            "run_id": run_id,
            "argv": list(argv),
            "env": env,
            "cwd": cwd,
        }
        if account:
            request["as"] = {"uid": account.uid, "gid": account.gid, "groups": account.groups}
        if cgroup:
            request["cgroup"] = cgroup
        self._stream.send({**request, "log": log, "dir": folder, "before": before})

    @property
    def unsent(self) -> bool:
        """Whether the shim has not taken all that it was sent: it reads a hundred requests ahead."""
        return bool(self._stream.unsent) and not self._stream.ended

    def flush(self) -> None:
        """Send what the shim takes now."""
        self._stream.flush()

    def listing(self) -> Listing:
        """What the shim holds. Raises ShimLost or ShimStuck."""
        self._stream.send({"ask": "list"})
        answer = self._answer(lambda message: "runs" in message)
        runs = {run_id: (pid, ticks) for run_id, (pid, ticks) in answer["runs"].items()}
        return Listing(runs, answer["ended"], answer["version"])

    def abandon(self) -> None:
        """Leave a shim that does not answer, without waiting for it."""
        self._stream.socket.close()

    def close(self) -> int:
        """Leave the shim, which ends if it holds no live command; returns how many it holds."""
        left = 0
        try:
            self._stream.socket.shutdown(socket.SHUT_WR)
            left = int(self._answer(lambda message: "bye" in message)["bye"])
        except (OSError, ShimLost, ShimStuck):
            pass
        self._stream.socket.close()
        if self.pid is not None:
            # It may hold commands and go on. Else its end is a matter of a moment; it is not left as a zombie.
            self.pid = None if _reaped(self.pid, 0.0 if left else 1.0) else self.pid
        return left

    def _answer(self, is_answer: Callable[[Message], bool]) -> Message:
        """Wait for the answer; what comes before it waits for `receive`."""
        deadline = time.monotonic() + ANSWER_S
        poll = select.poll()
        while True:
            for message in self._stream.receive():
                self._waiting.append(message)
            for index, message in enumerate(self._waiting):
                if is_answer(message):
                    return self._waiting.pop(index)
            if self._stream.ended:
                raise ShimLost("the process that holds commands has ended")
            patience_s = deadline - time.monotonic()
            if patience_s <= 0:
                raise ShimStuck
            unsent = self._stream.unsent
            poll.register(self._stream.socket, select.POLLIN | (select.POLLOUT if unsent else 0))
            poll.poll(patience_s * 1000)
            self._stream.flush()


def _is_child(pid: int) -> bool:
    """Whether it is ours: started by the program that this process executed before."""
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
