"""A machine with nothing above it: real processes, facts in a list, and waits that have a deadline."""

from __future__ import annotations

import os
import select
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import anyio

from supervisor.host.proc import process_tree
from supervisor.host.proc.cgroups import Cgroups
from supervisor.host.proc.process import ProcRef
from supervisor.host.runs.machine import HostMachine
from supervisor.host.runs.run_directory import RunDir
from supervisor.host.runs.spawn.environ import CommandEnvironment
from supervisor.host.runs.spawn.shim_client import ShimClient, ShimLost
from supervisor.host.users.account import Account
from supervisor.model.action import Inherited, Kill, RunKind, Spawn, Terminate
from supervisor.model.fact import Exited, MainExited, RunFact, Started
from supervisor.model.ids import OperationId, RunId, TaskId
from supervisor.shim.protocol import Pumping

DEADLINE_S = 20.0
F = TypeVar("F", bound=RunFact)
Told = type[Terminate] | type[Kill] | None


class Bench:
    """A machine under test. Runs are named by the caller; `reference` is the run id."""

    def __init__(
        self,
        folder: Path,
        env: dict[str, str] | None = None,
        log_limit_bytes: int = 64 << 20,
        account: Account | None = None,
        cgroups: Cgroups | None = None,
        log_pipes: bool = True,
    ) -> None:
        self.state = folder / "state"
        self.workspace = folder / "workspace"
        self.state.mkdir(exist_ok=True)
        self.workspace.mkdir(exist_ok=True)
        # As the supervisor does it: what a test starts is found by its marker in the test's environment.
        marker = {name: os.environ[name] for name in ("SUPERVISOR_TEST_SESSION",) if name in os.environ}
        self.env = ({"PATH": os.environ["PATH"]} if env is None else env) | marker
        self.facts: list[RunFact] = []
        self.problems: list[tuple[str, str]] = []
        """What the machine refused, and when it no longer did: changes only."""
        self._changed = anyio.Event()
        self.shim = ShimClient.start()
        self.machine = HostMachine(
            self.state,
            self.shim,
            CommandEnvironment(self.env, str(self.workspace)),
            self,
            self,
            log_limit_bytes,
            account,
            cgroups,
            Pumping(log_limit_bytes) if log_pipes else None,
        )

    def post(self, fact: RunFact) -> None:
        self.facts.append(fact)
        self._changed.set()

    def fold(self, facts: Sequence[RunFact]) -> None:
        self.facts.extend(facts)
        self._changed.set()

    def on_problem(self, kind: str, reason: str) -> None:
        if bool(reason) != bool(dict(self.problems).get(kind)):
            self.problems.append((kind, reason))

    def spawn(self, script: str, run_id: str = "run", kind: RunKind = RunKind.TASK) -> None:
        self.machine.perform(Spawn(RunId(run_id), kind, TaskId(f"id of {run_id}"), run_id, script, None, ()))

    def operation(self, command: str, run_id: str = "run", folder: str = "") -> None:
        """As a client has a command run."""
        owner = OperationId(f"id of {run_id}")
        self.machine.perform(
            Spawn(RunId(run_id), RunKind.OPERATION, owner, run_id, command, None, (), folder)
        )

    def output(self, run_id: str = "run") -> tuple[bytes, bytes]:
        """What an operation has written by now."""
        folder = self.folder(run_id)
        return _bytes(folder.stdout), _bytes(folder.stderr)

    def folder(self, run_id: str = "run") -> RunDir:
        return RunDir(self.state / "runs", run_id)

    def log(self, run_id: str = "run") -> str:
        return os.fsdecode(Path(self.folder(run_id).log).read_bytes())

    def of(self, run_id: str) -> list[RunFact]:
        return [fact for fact in self.facts if fact.run_id == run_id]

    async def fact(self, kind: type[F], run_id: str = "run") -> F:
        """Wait for a fact about a run."""
        with anyio.fail_after(DEADLINE_S):
            while True:
                for fact in self.facts:
                    if isinstance(fact, kind) and fact.run_id == run_id:
                        return fact
                self._changed = anyio.Event()
                await self._changed.wait()

    async def exited(self, run_id: str = "run") -> Exited:
        return await self.fact(Exited, run_id)

    async def main_exited(self, run_id: str = "run") -> MainExited:
        return await self.fact(MainExited, run_id)

    def main(self, run_id: str = "run") -> ProcRef:
        """The process that a run was started as. Does not need the machine to run."""
        poll, give_up_at = select.poll(), time.monotonic() + DEADLINE_S
        while not (found := [fact for fact in self.of(run_id) if isinstance(fact, Started)]):
            assert time.monotonic() < give_up_at, "it did not start in time"
            poll.register(self.shim, select.POLLIN)
            poll.poll(100)
            self.machine.turn()
        # The shim tells first and writes afterwards.
        while (facts := self.folder(run_id).facts().started) is None:
            assert time.monotonic() < give_up_at, "its start was not noted in time"
            time.sleep(0.001)
        assert facts.pid == found[0].pid
        return ProcRef(found[0].pid, facts.start_ticks)

    def members(self, run_id: str = "run") -> list[ProcRef]:
        """The live processes of a run."""
        return process_tree.census({run_id: None})[run_id]

    async def words(self, count: int, run_id: str = "run") -> list[str]:
        """Wait until a run has written so many whole words into its log."""
        await until(
            lambda: os.path.exists(self.folder(run_id).log) and len(self.log(run_id).split()) >= count
        )
        return self.log(run_id).split()


def _bytes(path: str) -> bytes:
    """What is in a file; nothing, if there is none."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        return b""


def inherited(
    run_id: str,
    kind: RunKind = RunKind.TASK,
    script: str = "exit 3",
    *,
    told: Told = None,
    wanted: bool = True,
) -> Inherited:
    """A run as the records of an earlier supervisor have it."""
    spawn = Spawn(RunId(run_id), kind, TaskId(f"id of {run_id}"), run_id, script, None, ())
    return Inherited(spawn, wanted and told is None, None if told is None else told(RunId(run_id)))


async def leave(it: Bench, *, answered: bool = True) -> None:
    """Let the supervisor part of a bench go, as if it was killed: no word to anybody.

    `answered`: not before the shim has done what it was asked for, if it lives.
    """
    if answered:
        with suppress(ShimLost):
            it.shim.runs()
    it.shim._stream.socket.close()
    for run in it.machine._runs.values():
        run.let_fifo_go()
    it.machine._shims._clients.clear()


@asynccontextmanager
async def bench(
    folder: Path,
    env: dict[str, str] | None = None,
    log_limit_bytes: int = 64 << 20,
    account: Account | None = None,
    cgroups: Cgroups | None = None,
    log_pipes: bool = True,
) -> AsyncIterator[Bench]:
    """A machine that runs; at the end it must be able to leave nothing behind."""
    found = Bench(folder, env, log_limit_bytes, account, cgroups, log_pipes)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(found.machine.run)
            try:
                yield found
                assert await found.machine.sweep(0.0) == ()
            finally:
                tasks.cancel_scope.cancel()
    finally:
        assert found.machine.close() == 0


async def until(condition: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
    """Wait for what nothing announces."""
    give_up_at = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < give_up_at, "it did not come true in time"
        await anyio.sleep(0.005)


def disk_bytes_of(run: RunDir) -> int:
    """What both files of an operation take on the disk; 0 for those that are not there."""
    total = 0
    for path in (run.stdout, run.stderr):
        with suppress(OSError):
            total += os.lstat(path).st_blocks * 512
    return total


def shims() -> list[int]:
    """Our children that are shims, alive or dead; a live one may be a container engine."""
    children = set[str]()
    for path in Path("/proc/self/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
            children.update(path.read_text().split())
    lines = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    return [pid for pid, line in lines.items() if not line or b"shim.py" in line]


def reaped(pid: int | None) -> bool:
    """Whether a child, or all of them, has ended."""
    try:
        return pid is None or os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
