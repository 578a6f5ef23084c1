"""A machine without a process, whose shim is played by the test: requests in a list, events as the test writes them."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Sequence
from pathlib import Path

from supervisor.host.runs.machine import HostMachine
from supervisor.host.runs.run_directory import RunDir
from supervisor.host.runs.spawn.environ import CommandEnvironment
from supervisor.host.runs.spawn.shim_client import ShimClient
from supervisor.model.action import RunKind, Spawn
from supervisor.model.fact import RunFact
from supervisor.model.ids import RunId, TaskId
from supervisor.shim.protocol import (
    Bye,
    CommandExited,
    CommandStarted,
    Event,
    ExitStatus,
    JoinRequest,
    ListenRequest,
    Request,
    SpawnRequest,
    decode_request,
    encode_event,
)
from supervisor.shim.stream import Message, Stream


class ScriptedShim:
    """The other end of a machine's connection."""

    def __init__(self) -> None:
        ours, its = socket.socketpair()
        self.client = ShimClient(ours, None)
        self.stream = Stream(its)

    def requests(self) -> list[Request]:
        """What was asked for since the last call, but for where to listen and which group to join."""
        decoded = map(decode_request, self.stream.receive())
        return [request for request in decoded if not isinstance(request, ListenRequest | JoinRequest)]

    def spawns(self) -> list[str]:
        """The runs whose start was asked for since the last call."""
        return [request.run_id for request in self.requests() if isinstance(request, SpawnRequest)]

    def tell(self, event: Event) -> None:
        self.stream.send(encode_event(event))

    def write(self, message: Message) -> None:
        """Send what may be no event."""
        self.stream.send(message)

    def die(self) -> None:
        self.stream.socket.close()


class Stage:
    """A machine with a scripted shim. Facts are kept as they were folded or posted."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.state.mkdir()
        self.shim = ScriptedShim()
        self.folded: list[list[RunFact]] = []
        self.posted: list[RunFact] = []
        self.problems: list[tuple[str, str]] = []
        self.machine = HostMachine(
            self.state,
            self.shim.client,
            CommandEnvironment({"PATH": "/usr/bin:/bin"}, str(folder)),
            self,
            self,
        )
        self._pids = itertools.count(1 << 30)  # no process has such a pid

    def post(self, fact: RunFact) -> None:
        self.posted.append(fact)

    def fold(self, facts: Sequence[RunFact]) -> None:
        self.folded.append(list(facts))

    def on_problem(self, kind: str, reason: str) -> None:
        self.problems.append((kind, reason))

    def spawn(self, run_id: str = "run", kind: RunKind = RunKind.TASK, script: str = ":") -> None:
        self.machine.perform(Spawn(RunId(run_id), kind, TaskId(f"id of {run_id}"), run_id, script, None, ()))

    def started(self, run_id: str = "run") -> CommandStarted:
        return CommandStarted(run_id, next(self._pids), 1, "")

    def exited(self, code: int, run_id: str = "run") -> CommandExited:
        return CommandExited(run_id, ExitStatus(code))

    def turn(self, *events: Event) -> list[RunFact]:
        """Have the machine take these events in one turn; returns what it had folded."""
        for event in events:
            self.shim.tell(event)
        before = len(self.folded)
        self.machine.turn()
        return [fact for facts in self.folded[before:] for fact in facts]

    def folder(self, run_id: str = "run") -> RunDir:
        return RunDir(self.state / "runs", run_id)

    def close(self) -> int:
        self.shim.tell(Bye(0))
        live = self.machine.close()
        self.shim.die()
        return live
