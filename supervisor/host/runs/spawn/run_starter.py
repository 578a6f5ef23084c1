"""The way of a run from its `Spawn` to `Started`, or to `Exited` with `NotStarted`."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from pathlib import Path

from supervisor.host.proc import process
from supervisor.host.runs.ender import Ender
from supervisor.host.runs.outlets import FactBuffer
from supervisor.host.runs.run import Asked, Run
from supervisor.host.runs.run_directory import RunDir
from supervisor.host.runs.spawn import command_line
from supervisor.host.runs.spawn.command_line import CommandLine
from supervisor.host.runs.spawn.environ import CommandEnvironment
from supervisor.host.runs.spawn.pending_start import NO_ROOM, Began, GaveUp
from supervisor.host.runs.spawn.shim_pool import ShimPool
from supervisor.host.runs.spawn.spawner import Settled, Spawner
from supervisor.lean.frozen import replace
from supervisor.lean.typing import TYPE_CHECKING, assert_never
from supervisor.model.action import RunKind, Spawn
from supervisor.model.errors import TRANSIENT_ERRNOS, SupervisorError
from supervisor.model.exit import NotStarted
from supervisor.model.fact import Exited, Started
from supervisor.model.spec import Docker
from supervisor.shim.protocol import Pumping, SpawnRequest, UserIds

if TYPE_CHECKING:
    import anyio

    from supervisor.host.proc.cgroups import Cgroups
    from supervisor.host.runs.spawn.scripts import Scripts
    from supervisor.host.users.account import Account


class Preparation:
    """What a run needs before its command can start: directory, control group, environment, command line."""

    def __init__(
        self,
        runs: Mapping[str, Run],
        folder: Path,
        environment: CommandEnvironment,
        account: Account | None,
        cgroups: Cgroups | None,
        pumping: Pumping | None,
    ) -> None:
        """`runs`: the live ones, by id; `folder`: the one that holds all run directories.

        `pumping`: how output is pumped into the logs; None: commands write into them themselves.
        """
        self._runs = runs
        self._folder = folder
        self._environment = environment
        self.workspace = environment.workspace
        self._account = account
        self._cgroups = cgroups
        self._pumping = pumping
        self.user = UserIds(account.uid, account.gid, account.groups) if account else None
        self.probed: dict[str, str] = {}
        """The ready commands that are probed, by run id."""
        self._scripts: Scripts | None = None
        self.stale: set[str] = set()
        """The ids that the journal of facts names and no record does: a run that gets one is not that run."""

    @property
    def scripts(self) -> Scripts:
        """The scripts that are run from files."""
        if self._scripts is None:
            # Not at the top: a command that needs no file does not wait for it.
            from supervisor.host.runs.spawn.scripts import Scripts

            self._scripts = Scripts(self._folder.parent, self._account, self._runs, self.probed)
        return self._scripts

    def script_path(self, text: str) -> str:
        """The path of a script, which is made if it is missing. Raises MachineError."""
        return self.scripts.path(text)

    def command_line(self, spawn: Spawn, output: str) -> CommandLine:
        """How a command is executed. `output`: the path of its GITPOD_OUTPUT. Raises SupervisorError."""
        env = self._environment.of(spawn, output)
        env |= {process.RUN_MARKER: spawn.run_id, process.RUNS_MARKER: str(self._folder)}
        if spawn.kind is RunKind.OPERATION:
            # Not at the top: the first command is none of a client's.
            from supervisor.host.runs.spawn.operation_line import operation_line

            return operation_line(spawn, env, self._working_directory(spawn), self)
        directory = RunDir(self._folder, spawn.run_id)
        return command_line.command_line(spawn, directory, env, self.workspace, self)

    def run(self, spawn: Spawn) -> Run:
        """A run of which nothing has been made yet."""
        directory = RunDir(self._folder, spawn.run_id)
        in_container = isinstance(spawn.runs_on, Docker)
        return Run(spawn.run_id, spawn.kind, spawn.reference, directory, in_container, spawn.script)

    def request(self, run: Run, spawn: Spawn) -> SpawnRequest:
        """Make all that the command needs; returns how to start it. Raises SupervisorError, OSError."""
        output = "" if run.is_operation else run.dir.output(spawn.kind, spawn.reference)
        if run.run_id in self.stale:
            from supervisor.host.runs import run_facts

            run_facts.forget(self._folder, run.run_id)
            self.stale.discard(run.run_id)
        if run.is_operation:
            from supervisor.host.runs.spawn.operation_line import check_room

            check_room(self._folder)
        run.dir.create(run.in_container)
        if self._account:
            run.dir.open_to(self._account, output)
        if self._cgroups:
            run.cgroup = self._cgroups.make(spawn.run_id)
        line = self.command_line(spawn, output)
        request = SpawnRequest(
            run.run_id,
            line.argv,
            line.env,
            self._working_directory(spawn),
            run.log,
            run.dir.path,
            math.inf,
            self.user,
            run.cgroup,
            program=line.program,
            words=line.words,
            err_log=run.streams[-1].log if run.is_operation else "",
        )
        if self._pumping is None:
            return request
        run.is_pumped = True
        fifos = [stream.fifo for stream in run.streams]
        for fifo in fifos:
            os.mkfifo(fifo, 0o600)
        run.has_held_fifo = run.hold_fifo()
        err_fifo = fifos[-1] if run.is_operation else ""
        return replace(request, fifo=fifos[0], err_fifo=err_fifo, pumping=run.pumping(self._pumping))

    def _working_directory(self, spawn: Spawn) -> str:
        folder = spawn.working_directory
        return os.path.join(self.workspace, folder) if folder else self.workspace


class RunStarter:
    """Starts runs. A run that starts is in the table."""

    def __init__(
        self,
        runs: dict[str, Run],
        facts: FactBuffer,
        ender: Ender,
        shims: ShimPool,
        preparation: Preparation,
    ) -> None:
        """`runs`: the table, by id; `ender`: for those that are to end as soon as they live."""
        self._runs = runs
        self._facts = facts
        self._ender = ender
        self._shims = shims
        self._preparation = preparation
        self.spawner = Spawner(shims)
        self.begun: anyio.Event | None = None
        """Set when a run begins."""

    def start(self, spawn: Spawn) -> None:
        """Ask for a command to be started. Never waits, never raises."""
        run = self._preparation.run(spawn)
        try:
            request = self._preparation.request(run, spawn)
        except SupervisorError as error:
            self._never_started(run, str(error))
        except OSError as error:
            why = f"cannot write the run directory {run.dir.path}: {command_line.reason(error.errno)}"
            self._never_started(run, why, error.errno if error.errno in (*NO_ROOM, *TRANSIENT_ERRNOS) else 0)
        else:
            self._hold(run)
            self.settle(self.spawner.start(run, request, time.monotonic()))

    def settle(self, settled: Settled) -> None:
        """Go on with the starts of which it is known what became of them."""
        for run, outcome in settled:
            match outcome:
                case Began():
                    self.began(run)
                case GaveUp(why, number):
                    self._never_started(run, why, number)
                case _:
                    assert_never(outcome)

    def began(self, run: Run) -> None:
        """A run lives, or its end is still to be reported."""
        self._hold(run)
        if run.is_pumped:
            run.hold_fifo()
        if run.main is not None:
            self._facts.post(Started(run.run_id, run.main.pid))
        if run.shim is None:
            self._ender.watch(run, self._shims.held)
        if run.asked is not Asked.NOTHING:  # before it was known to live
            self._ender.see_out(run)

    def _never_started(self, run: Run, why: str, number: int | None = 0) -> None:
        """`number`: see `NotStarted.errno`."""
        self._runs.pop(run.run_id, None)
        run.let_fifo_go()
        for stream in run.streams:
            try:
                os.unlink(stream.fifo)  # no command will write into it
            except OSError:
                pass
        self._ender.leave_group(run)
        self._facts.post(Exited(run.run_id, NotStarted(why, number or 0 if run.is_operation else 0)))

    def _hold(self, run: Run) -> None:
        self._runs[run.run_id] = run
        if self.begun:
            self.begun.set()
