"""The holder: the process that holds the ptys of one state directory, and that outlives the supervisor.

It runs as a script of its own (`python -I -S pty_holder.py SOCKET [WHAT=BEFORE ...]`), started with the first terminal.
Like the shim it imports a few modules of the package and the standard library when it starts, and no file after that.
It leaves its starter at once, in a session of its own, and whoever has the state directory finds it by its socket. It
ends when it holds no terminal, none that has ended within the last 10 minutes, and nobody talks to it.

- A supervisor that dies, or is upgraded, changes nothing here but that its connections are closed.
- One thread does everything, and waits for nothing but what may happen: an idle holder uses no processor time.
- What goes wrong with one request ends that connection, and nothing else.

`holder_protocol` has the requests.
"""

from __future__ import annotations

import errno
import math
import os
import signal
import sys
import time

if __name__ == "__main__":
    sys.path.append(os.path.abspath(__file__).rpartition("/supervisor/terminals/")[0])

from supervisor.shim.descriptors import close_others
from supervisor.shim.inherited import put_right
from supervisor.shim.owner_socket import OwnerSocket
from supervisor.shim.syscalls import become_subreaper
from supervisor.terminals.held_terminal import HeldTerminal
from supervisor.terminals.holder_connection import HolderConnection
from supervisor.terminals.holder_protocol import (
    DRAINING,
    ENDED,
    FULL,
    TOO_MANY,
    UNKNOWN,
    VERSION,
    BrokenFrames,
    Head,
    NewShell,
    decode_shell,
)
from supervisor.terminals.poller import READABLE, Poller
from supervisor.terminals.pty_process import PtyProcess, PtyStarter, StartFailed

KEPT_S = 600.0
"""How long a terminal whose shell has ended can still be read."""
KEPT_MOST = 256
"""Of those that have ended. Beyond that the one that ended first is forgotten sooner: each may have 2 MiB."""
_IDLE_S = 1.0
"""How long the holder stays without a reason, so that who has just started it finds it."""
_BACKLOG = 256
_IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGPIPE, signal.SIGUSR2)


class PtyHolder:
    """Holds terminals. `serve` returns when there is no reason to stay."""

    def __init__(self, path: str, kept_s: float = KEPT_S) -> None:
        """Listen at `path`. `kept_s`: how long a terminal that has ended is kept. Raises OSError."""
        self._path = path
        self._kept_s = kept_s
        self._poller = Poller()
        self._listener = OwnerSocket(backlog=_BACKLOG)
        self._starter = PtyStarter()
        self._terminals: dict[str, HeldTerminal] = {}
        """All that can be read, the eldest first."""
        self._starting: dict[int, tuple[HeldTerminal, HolderConnection]] = {}
        """`{pid: (terminal, who asked for it)}`, until it is known whether the shell runs."""
        self._connections: set[HolderConnection] = set()
        self._is_draining = False
        self._idle_at = time.monotonic() + _IDLE_S
        self._wakeup, wakeup = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGUSR1, lambda *_: None)
        self._poller.watch(self._wakeup, READABLE, self._woken)
        self._listen()

    def serve(self) -> None:
        """Attend to terminals and connections until there is no reason to stay."""
        while self._has_reason():
            behind = [terminal for terminal in self._terminals.values() if terminal.is_behind]
            for fd, bits in self._poller.wait(0 if behind else self._patience_s()):
                self._try(fd, bits)
            for terminal in behind:
                if terminal.is_behind:
                    terminal.feed()
            self._do_what_is_due(time.monotonic())
        self._listener.close()

    def _try(self, fd: int, bits: int) -> None:
        """Handle what has happened to a descriptor. One whose handler fails is left alone: it would fail for ever."""
        try:
            self._poller.handle(fd, bits)
        except Exception:
            self._poller.forget(fd)

    def _has_reason(self) -> bool:
        if self._terminals or self._starting or not all(one.is_leaving for one in self._connections):
            return True
        return not self._is_draining and time.monotonic() < self._idle_at

    def _patience_s(self) -> float | None:
        moments = [
            min(one.kill_at, one.answer_at, one.leave_at, one.forget_at)
            for one in self._terminals.values()
            if not one.is_open
        ]
        if not self._terminals and not self._connections:
            moments.append(self._idle_at)
        at = min(moments, default=math.inf)
        return None if at == math.inf else max(0.0, at - time.monotonic()) + 0.001

    def _do_what_is_due(self, now: float) -> None:
        for terminal in list(self._terminals.values()):
            if terminal.is_open:
                continue
            if now >= terminal.kill_at:
                terminal.kill_at = math.inf
                os.kill(terminal.process.pid, signal.SIGKILL)  # it has not been reaped: the pid is its own
            if now >= terminal.answer_at:
                self._answer_closers(terminal)
            if now >= terminal.leave_at:
                terminal.leave_group()
            if now >= terminal.forget_at:
                self._forget(terminal)
        ended = [one for one in self._terminals.values() if one.exit_code is not None]
        for terminal in sorted(ended, key=lambda one: one.forget_at)[: max(0, len(ended) - KEPT_MOST)]:
            self._forget(terminal)

    def _forget(self, terminal: HeldTerminal) -> None:
        del self._terminals[terminal.id]
        terminal.leave_group()
        for connection in list(terminal.readers):
            connection.close()  # it did not read for all the time

    # Signals ---------------------------------------------------------------------------------------------------------

    def _woken(self, _bits: int) -> None:
        try:
            numbers = os.read(self._wakeup, 4096)
        except BlockingIOError:
            return
        if signal.SIGUSR1 in numbers:
            self._listen()
        self._reap()

    def _listen(self) -> None:
        """Bind the socket, anew if somebody has removed it. Raises OSError."""
        if (fd := self._listener.fileno()) >= 0:
            self._poller.forget(fd)
        try:
            self._listener.listen(self._path)
        finally:
            if (fd := self._listener.fileno()) >= 0:
                self._poller.watch(fd, READABLE, self._accept)

    def _reap(self) -> None:
        while True:
            try:
                end = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if end is None:
                return
            try:
                code = end.si_status if end.si_code == os.CLD_EXITED else 128 + end.si_status
                self._ended(end.si_pid, code)
            finally:
                os.waitpid(end.si_pid, 0)

    def _ended(self, pid: int, exit_code: int) -> None:
        """A child has ended, and is a zombie."""
        if pid in self._starting:
            self._look_at_start(pid)
        for terminal in self._terminals.values():
            if terminal.process.pid == pid and terminal.exit_code is None:
                terminal.end(exit_code, time.monotonic(), self._kept_s)
                self._answer_closers(terminal)
                if terminal.is_drained:
                    terminal.forget_at = 0.0

    # Requests --------------------------------------------------------------------------------------------------------

    def _accept(self, _bits: int) -> None:
        while (sock := self._listener.accept()) is not None:
            connection = HolderConnection(sock, self._poller, self._take, self._left)
            self._connections.add(connection)
            connection.receive()  # now: who asked first is served first

    def _left(self, connection: HolderConnection) -> None:
        self._connections.discard(connection)
        for terminal in self._terminals.values():
            terminal.leave(connection)

    def _take(self, connection: HolderConnection, head: Head, body: bytes) -> None:
        try:
            self._answer(connection, head, body)
        except Exception as error:
            connection.answer({"refused": "request", "text": repr(error)})

    def _answer(self, connection: HolderConnection, head: Head, body: bytes) -> None:
        match head:
            case {"ask": "create"}:
                self._create(connection, decode_shell(head))
            case {"ask": "list"}:
                listed = [one.described() for one in self._terminals.values() if one.is_open]
                connection.answer({"terminals": listed, "version": VERSION})
            case {"ask": "drain"}:
                self._drain(connection)
            case {"ask": str(), "id": str(id_)}:
                terminal = self._terminals.get(id_)
                if terminal is None:
                    connection.answer({"refused": UNKNOWN})
                else:
                    self._attend(terminal, connection, head, body)
            case _:
                raise BrokenFrames(f"unknown request {head.get('ask')!r}")

    def _attend(self, terminal: HeldTerminal, connection: HolderConnection, head: Head, body: bytes) -> None:
        match head:
            case {"ask": "read", "history": bool(history)}:
                terminal.read(connection, history)
            case {"ask": "attach"}:
                terminal.attach(connection)
            case {"ask": "write"} if not terminal.is_open:
                connection.answer({"refused": ENDED})
            case {"ask": "write"}:
                connection.answer({} if terminal.write(body) else {"refused": FULL})
            case {"ask": "resize", "cols": int(cols), "rows": int(rows)}:
                terminal.resize(cols, rows)
                connection.answer({})
            case {"ask": "close"} if terminal.exit_code is not None:
                connection.answer({})
            case {"ask": "close"}:
                terminal.closers.append(connection)
                terminal.hang_up(time.monotonic())
            case _:
                raise BrokenFrames(f"unknown request {head.get('ask')!r}")

    def _answer_closers(self, terminal: HeldTerminal) -> None:
        terminal.answer_at = math.inf
        for connection in terminal.closers:
            connection.answer({})
        terminal.closers.clear()

    # New terminals ---------------------------------------------------------------------------------------------------

    def _create(self, connection: HolderConnection, new: NewShell) -> None:
        if self._is_draining:
            connection.answer({"refused": DRAINING})
            return
        live = sum(one.exit_code is None for one in self._terminals.values()) + len(self._starting)
        if live >= new.most:
            connection.answer({"refused": TOO_MANY})
            return
        try:
            process = self._starter.start(new)
        except StartFailed as error:
            connection.answer({"failed": error.stage, "errno": error.errno})
            return
        self._starting[process.pid] = HeldTerminal(new, process, self._poller), connection
        self._poller.watch(process.report, READABLE, lambda _: self._look_at_start(process.pid))

    def _look_at_start(self, pid: int) -> None:
        terminal, connection = self._starting[pid]
        process = terminal.process
        try:
            program = process.started()
        except StartFailed as error:
            self._settle_start(process)
            process.close()
            connection.answer({"failed": error.stage, "errno": error.errno})
            return
        if program is None:
            return
        self._settle_start(process)
        self._terminals[terminal.id] = terminal
        terminal.begin(program)
        connection.answer({"created": terminal.id, "pid": pid})
        if self._is_draining:
            terminal.hang_up(time.monotonic())

    def _settle_start(self, process: PtyProcess) -> None:
        self._poller.forget(process.report)
        process.close_report()
        del self._starting[process.pid]

    # The end of all --------------------------------------------------------------------------------------------------

    def _drain(self, connection: HolderConnection) -> None:
        """Hang up all terminals. What has been read of them counts no more: there is no next supervisor."""
        self._is_draining = connection.stays = True
        now, live = time.monotonic(), 0
        for terminal in list(self._terminals.values()):
            live += terminal.exit_code is None
            terminal.is_drained = True
            terminal.hang_up(now)
            for reader in list(terminal.readers):
                reader.pump()
            if terminal.exit_code is not None:
                terminal.forget_at = 0.0
        connection.answer({"live": live})


def main(path: str, *wrong: str) -> None:
    """Hold the terminals of the state directory in which `path` is. `wrong`: what must not be inherited."""
    for word in wrong:
        put_right(word)
    close_others({0, 1, 2})
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    readable, writable = os.pipe2(os.O_CLOEXEC)
    if os.fork() != 0:
        os.close(writable)
        # It says with which status the one who waits for us is told: 0, or an errno.
        status = os.read(readable, 16)
        os._exit(int(status) if status else errno.EIO)
    os.close(readable)
    os.setsid()
    become_subreaper()
    try:
        holder = PtyHolder(path)
    except OSError as error:
        os.write(writable, b"%d" % min(error.errno or errno.EIO, 255))
        os._exit(1)
    os.write(writable, b"0")
    os.close(writable)
    holder.serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
    os._exit(0)
