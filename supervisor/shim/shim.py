"""The shim: one small process that is the parent of every command, and that outlives the supervisor.

It runs as a script of its own (`python -I -S shim.py FD [WHAT=BEFORE ...]`). Of the package it imports a few small
modules, which need nothing but the standard library, and it imports them when it starts: it outlives their files. It
keeps three promises:

- It does not end while a command lives. The supervisor may die or be replaced: commands go on, their exits are written
  into the journal of facts, and the next supervisor connects to the socket that the last one asked for.
- It loses no exit status. When a child has ended, the shim reads how (WNOWAIT), tells the supervisor, writes that down,
  and only then reaps it. So the end of a process that is gone is in the journal, unless the disk was full: then the
  shim knows.
- It does not crash. What goes wrong with one request is the answer to that request.

`protocol` has the requests and events. A new request needs a class there and a case in `_answer`. Requests of a
supervisor that has died meanwhile are dropped. One thread does everything, so a spawn may change folder and may change
what a child inherits.
"""

from __future__ import annotations

import errno
import math
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial

if __name__ == "__main__":
    sys.path.append(os.path.abspath(__file__).rpartition("/supervisor/shim/")[0])

from supervisor.lean.typing import assert_never
from supervisor.shim.cgroup_move import join
from supervisor.shim.command_starter import CommandStarter
from supervisor.shim.descriptors import close_others
from supervisor.shim.fact_journal import FactWriter
from supervisor.shim.inherited import put_right
from supervisor.shim.logs.run_logs import RunLogs
from supervisor.shim.owner_socket import OwnerSocket
from supervisor.shim.probe_protocol import EndProbesRequest, ProbeRequest
from supervisor.shim.prober import Prober
from supervisor.shim.protocol import (
    VERSION,
    Bye,
    CommandStarted,
    Event,
    ExitStatus,
    JoinRequest,
    ListenRequest,
    ListRequest,
    ProtocolError,
    PumpRequest,
    RunsListed,
    ShimTrouble,
    SpawnFailed,
    SpawnRequest,
    decode_request,
    encode_event,
)
from supervisor.shim.stream import Message, Stream
from supervisor.shim.syscalls import become_subreaper

RETRY_S = 1.0
"""How long after a fact could not be written the shim tries again."""
_MOVED_S = 0.008
"""How long after a move between control groups another one takes no time: the kernel's grace period for it."""
_READY_S = 0.5
"""How long the shim stays ready for the first spawn."""
_IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


class Shim:
    """Holds the commands. `serve` returns when neither a supervisor nor a command is left."""

    def __init__(self, supervisor: socket.socket, is_subreaper: bool = True) -> None:
        """`is_subreaper`: whether whatever a command leaves without a parent becomes our child."""
        self._supervisor: Stream | None = Stream(supervisor)
        self._listener = OwnerSocket()
        self._runs: dict[int, tuple[str, str, int]] = {}
        """Live commands: `{pid: (run id, run directory, start ticks)}`."""
        self._facts = FactWriter()
        self._group, self._ready_until = "", 0.0
        self._retry_at = math.inf
        # A signal handler alone would not end a poll (PEP 475); the byte in this pipe does.
        self._wakeup, wakeup = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._logs = RunLogs(wakeup)
        self._starter = CommandStarter(self._logs.pump)
        self._prober = Prober(self._starter, self._runs, is_subreaper)

    def serve(self) -> None:
        """Answer and reap until neither a supervisor nor a command is left."""
        while self._supervisor or self._runs or self._prober.live or self._logs.is_needed:
            for act in self._due():
                self._try(act)
        self._prober.close()
        self._facts.retry()
        self._logs.close()
        self._listener.close()

    def _due(self) -> list[Callable[[], None]]:
        """Wait until there is something to do; returns what."""
        poll = select.poll()
        handlers: dict[int, Callable[[], None]] = {self._wakeup: self._reap}
        if (listening := self._listener.fileno()) >= 0:
            handlers[listening] = self._accept
        for fd in handlers:
            poll.register(fd, select.POLLIN)
        if stream := self._supervisor:
            handlers[stream.socket.fileno()] = self._converse
            poll.register(stream.socket, select.POLLIN | (select.POLLOUT if stream.unsent else 0))
        if (keeper := self._logs.keeper.fileno()) >= 0:
            handlers[keeper] = self._logs.keeper.replace
            poll.register(keeper, 0)  # it says nothing: only its end is reported
        now = time.monotonic()
        expectant = now < self._ready_until
        patience_s = self._logs.patience_s or (RETRY_S if self._facts.is_behind else None)
        if expectant:
            patience_s = _MOVED_S
        # Probes end and begin all the time: what is to be retried does not wait until they are quiet.
        self._retry_at = math.inf if patience_s is None else min(self._retry_at, now + patience_s)
        wake_at = min(self._retry_at, self._prober.next_at())
        ready = poll.poll(None if wake_at == math.inf else max(0, math.ceil((wake_at - now) * 1000)))
        acts = [handlers[fd] for fd, _ in ready]
        now = time.monotonic()
        if now >= self._prober.next_at():
            acts.append(self._probe)
        if now >= self._retry_at:
            self._retry_at = math.inf
            acts.append(self._rejoin if expectant else self._retry)
        return acts

    def _probe(self) -> None:
        self._tell_all(self._prober.act(time.monotonic()))

    def _retry(self) -> None:
        """Do what could not be done before, or took too long."""
        self._facts.retry()
        self._tell_all(self._logs.retry(self._live))

    def _try(self, act: Callable[[], None]) -> None:
        """Do something. A failure is reported to the supervisor, and stops nothing else."""
        try:
            act()
        except Exception as error:
            self._tell(ShimTrouble(repr(error)))

    # The supervisor ------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        """Serve a new supervisor. The one before is gone: this one holds the lock now."""
        if (sock := self._listener.accept()) is None:
            return
        if self._supervisor:
            # Requests that are still in the old socket are dropped: the list that the new one gets remains true.
            self._supervisor.socket.close()
        self._prober.lose_supervisor()
        self._supervisor = Stream(sock)

    def _converse(self) -> None:
        stream = self._supervisor
        if stream is None:
            return
        stream.flush()
        for message in stream.receive():
            if _is_dead(stream.socket):
                break  # the next supervisor asks for the same again, and may already have looked at what runs
            self._try(partial(self._answer, message))
        if stream.ended:
            # The supervisor may have closed only its sending side, to be told how many commands it leaves behind.
            stream.ended = False
            self._reap()  # a command that was just killed does not count
            self._prober.lose_supervisor()
            stream.send(encode_event(Bye(len(self._runs) + self._prober.live)))
            stream.socket.close()
            self._supervisor = None

    def _tell_all(self, events: list[Event]) -> None:
        for event in events:
            self._tell(event)

    def _tell(self, event: Event) -> None:
        if self._supervisor:
            self._supervisor.send(encode_event(event))

    def _answer(self, message: Message) -> None:
        try:
            request = decode_request(message)
        except ProtocolError as error:
            self._tell(_refusal(error))
            return
        match request:
            case SpawnRequest():
                self._spawn(request)
            case ListRequest():
                runs = {run_id: (pid, ticks) for pid, (run_id, _, ticks) in self._runs.items()}
                self._tell(RunsListed(runs, self._facts.ended, VERSION))
            case ListenRequest(path):
                self._listener.listen(path)
                self._logs.open_at(os.path.dirname(path))
            case PumpRequest():
                self._tell_all(self._logs.take_over(request))
            case JoinRequest(group):
                self._group, self._ready_until = group, time.monotonic() + _READY_S
                self._rejoin()
            case ProbeRequest():
                self._tell_all(self._prober.ask(request))
            case EndProbesRequest():
                self._tell_all(self._prober.finish(request))
            case _:
                assert_never(request)

    def _rejoin(self) -> None:
        """Move into the group where we are: the kernel waits for its grace period now, not at the first spawn."""
        if not join(self._group):
            self._ready_until = 0.0

    # Commands ------------------------------------------------------------------------------------------------------

    def _spawn(self, request: SpawnRequest) -> None:
        self._ready_until = 0.0
        answer = self._starter.start(request, self._logs.keeper)
        if isinstance(answer, CommandStarted):
            self._runs[answer.pid] = request.run_id, request.dir, answer.start_ticks
        self._tell(answer)
        if isinstance(answer, CommandStarted):
            # After the answer: the supervisor does not wait for the disk, or for the keeper to be forked.
            self._facts.note_start(request.dir, answer)
            self._logs.keeper.flush()

    @property
    def _live(self) -> set[str]:
        """The runs whose main process lives."""
        return {run_id for run_id, _, _ in self._runs.values()}

    def _reap(self) -> None:
        try:
            os.read(self._wakeup, 4096)
        except BlockingIOError:
            pass
        self._reap_all()
        self._tell_all(self._prober.settle())
        self._tell_all(self._logs.attend(self._live))

    def _reap_all(self) -> None:
        while True:  # signals coalesce: one may stand for many children
            try:
                end = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if end is None:
                return
            try:
                self._note_exit(end)
            finally:
                os.waitpid(end.si_pid, 0)

    def _note_exit(self, end: os.waitid_result) -> None:
        run = self._runs.pop(end.si_pid, None)
        status = ExitStatus(end.si_status, by_signal=end.si_code != os.CLD_EXITED)
        if run is None:
            if self._prober.owns(end.si_pid):
                self._prober.main_ended(end.si_pid, status)
            return  # else the keeper, or an orphan that became our child
        run_id, folder, _ = run
        # Before it is written: what the exit starts does not wait for the disk.
        self._tell_all(self._logs.main_ended(run_id, end.si_pid, status))
        self._facts.note_exit(run_id, folder, end.si_pid, status)


def _refusal(error: ProtocolError) -> Event:
    """The answer to a request that cannot be understood."""
    if error.run_id:
        return SpawnFailed(error.run_id, "request", errno.EINVAL, str(error))
    return ShimTrouble(str(error))


def _is_dead(sock: socket.socket) -> bool:
    """Whether the peer is gone; it is not if it has closed its sending side alone."""
    poll = select.poll()
    poll.register(sock, 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def main(fd: int, *wrong: str) -> None:
    """Serve the supervisor at the other end of socket `fd`. `wrong`: what must not be inherited from it."""
    for word in wrong:
        put_right(word)
    for signum in _IGNORED:
        signal.signal(signum, signal.SIG_IGN)
    # The supervisor may have inherited a pipe that some process reads until it is closed.
    close_others({0, 1, 2, fd})
    supervisor = socket.socket(fileno=fd)
    supervisor.set_inheritable(False)
    os.chdir("/")
    Shim(supervisor, become_subreaper()).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
    # The supervisor waits for our end, and taking the interpreter apart takes 4 ms.
    os._exit(0)
