"""The machine: performs actions, reports facts.

Theory of operation. A run is in the table from its `Spawn` until its `Exited` is posted. A shim is asked to start its
command and answers later; until then what is asked of the run is noted, and done once it lives. `turn` takes the events
of the shims, in one `match`, and has the facts that follow folded at once. What happens when the main process has ended
depends on what the run is for:

| kind | main process ended, nothing asked | something asked |
|---|---|---|
| start | `Exited` once no process of it lives; `MainExited` first if one does | `Exited` once none lives |
| stop, task, operation | `Exited` at once: people start daemons in them | `Exited` once none lives |

Probes, the runs of the kind ready, have a table of their own (`probes`). Asked means `Terminate` or `Kill`; asking is
without effect on a run that is over. `perform`, `adopt` and `turn` work before there is an event loop. What needs one
waits for `run`.

The decisions are in `pending_start`, `exits` and `tree_ending`: plain functions and values.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from pathlib import Path

from supervisor.host.runs import exits
from supervisor.host.runs.ender import Ender
from supervisor.host.runs.outlets import FactBuffer, FactSink, LoopWork
from supervisor.host.runs.run import Asked, Run
from supervisor.host.runs.run_directory import RunDir
from supervisor.host.runs.spawn.environ import CommandEnvironment
from supervisor.host.runs.spawn.run_starter import Preparation, RunStarter
from supervisor.host.runs.spawn.shim_client import ShimClient
from supervisor.host.runs.spawn.shim_pool import ShimPool
from supervisor.host.runs.spawn.spawner import Settled
from supervisor.lean.late import anyio, late, logging
from supervisor.lean.typing import TYPE_CHECKING, assert_never
from supervisor.model.action import Action, Discard, Inherited, Kill, Note, RunKind, Spawn, Terminate
from supervisor.model.errors import MachineError, ProblemSink
from supervisor.model.exit import ExitUnknown, NotStarted
from supervisor.model.fact import Exited, Survivor
from supervisor.shim.protocol import (
    FACTS_JOURNAL,
    Bye,
    CommandExited,
    CommandStarted,
    Event,
    LogFlushed,
    Pumping,
    RunsListed,
    ShimTrouble,
    SpawnFailed,
)

if TYPE_CHECKING:
    from supervisor.host.proc.cgroups import Cgroups
    from supervisor.host.runs import adoption
    from supervisor.host.runs.probes import Probes
    from supervisor.host.runs.upkeep import Upkeep
    from supervisor.host.users.account import Account
else:
    adoption = late("supervisor.host.runs.adoption")

LOG_LIMIT_BYTES = 64 << 20
_RETRY_S = 1.0
"""How long after a shim could not be started the machine tries again."""
_NOTE_ATTEMPTS, _NOTE_PAUSE_S = 20, 0.01
_SHIM_ENDS_S = 1.0
"""How long a shim that holds nothing may take to end."""


class HostMachine:
    """Performs actions and reports the facts that follow. All methods are called on one thread."""

    def __init__(
        self,
        state: Path,
        client: ShimClient,
        environment: CommandEnvironment,
        facts: FactSink,
        problems: ProblemSink,
        log_limit_bytes: int = LOG_LIMIT_BYTES,
        account: Account | None = None,
        cgroups: Cgroups | None = None,
        pumping: Pumping | None = None,
    ) -> None:
        """`state`: the state directory; `client`: of a new shim.

        If an earlier supervisor of this state directory left a shim, that one is used further and the new one let go.
        `account`: the user that commands run as, None: ours. `cgroups`: the control groups of runs, where there can be
        any. `pumping`: how output is pumped into the logs; None: commands write into them themselves.
        """
        self._folder = Path(os.path.abspath(state), "runs")
        self._facts = FactBuffer(facts)
        self._problems = problems
        self._log_limit_bytes = log_limit_bytes
        self._account = account
        self._cgroups = cgroups
        if cgroups:
            cgroups.tidy()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._runs: dict[str, Run] = {}
        self._work = LoopWork()
        self._retrying = False
        self._reported_lacking = ""
        socket = os.path.join(os.path.abspath(state), "shim.sock")
        self._shims = ShimPool(socket, client, cgroups.shims if cgroups else "")
        self._ender = Ender(
            self._runs, self._facts, self._work, self._shims, self._folder, log_limit_bytes, cgroups
        )
        self._preparation = Preparation(self._runs, self._folder, environment, account, cgroups, pumping)
        self._starter = RunStarter(self._runs, self._facts, self._ender, self._shims, self._preparation)
        self._spawner = self._starter.spawner
        self._probes_made: Probes | None = None
        if os.path.isdir(self._folder.parent / "scripts"):
            self._work.soon(self._tidy_scripts)
        self._attend_to_new_shims()

    # What the engine wants -------------------------------------------------------------------------------------------

    def perform(self, action: Action) -> None:
        """Do it. Never raises: a failure is a fact."""
        match action:
            case Spawn(kind=RunKind.READY):
                self._probes.start(action)
            case Spawn():
                self._starter.start(action)
                self.after_asking()
            case Terminate(run_id) | Kill(run_id) if self._probes_made and run_id in self._probes_made:
                self._probes_made.kill(run_id)
            case Terminate(run_id):
                self._ask(run_id, Asked.TERMINATE)
            case Kill(run_id):
                self._ask(run_id, Asked.KILL)
            case Note(run_id, text):
                if not RunDir(self._folder, run_id).note(text):
                    self._work.soon(self._note_later, run_id, text)
            case Discard(run_ids):
                self._work.soon(self._ender.remove, run_ids)
            case _:
                assert_never(action)

    # What an earlier supervisor left. A new environment has nothing of it, so `adoption` is not imported at the top.

    def adopt(self, inherited: Sequence[Inherited]) -> None:
        """Take over what an earlier supervisor of this boot started, dead or alive, and do what it could not do."""
        if not inherited:
            return

        shims = self._shims
        runs, probes = adoption.without_probes(inherited)
        if probes:
            self._probes.adopt(probes)
        began, never = adoption.found_again(runs, self._folder, shims.held, shims.held_by)
        for run in began:
            self._starter.began(run)
        for one in never:
            RunDir(self._folder, one.spawn.run_id).remove()
            if one.wanted:
                self.perform(one.spawn)
            else:
                end = NotStarted("it was stopped before it could start") if one.ending else ExitUnknown()
                self._facts.post(Exited(one.spawn.run_id, end))

    def lose(self, inherited: Sequence[Inherited], why: str) -> None:
        """Report all that a supervisor of an earlier boot started as ended; `why`, if it is not known how it did."""
        for run in adoption.lost_with_the_machine(inherited, self._folder, why):
            self._runs[run.run_id] = run
            self._ender.over(run)

    def clear(self, known: Collection[str]) -> int:
        """Before anything is started: end and remove all runs but the `known` ones. Returns how many lived.

        No record names the others, so nobody can ask for them any more: the database was lost, or the disk was full
        when they began.
        """
        strays = [run_id for run_id in os.listdir(self._folder) if run_id not in known]
        if os.path.lexists(self._folder.parent / FACTS_JOURNAL):
            from supervisor.host.runs.run_facts import WrittenFacts

            self._preparation.stale = {
                run_id for run_id in WrittenFacts(self._folder).ids if run_id not in known
            }
        if not strays:
            return 0

        return adoption.end_strays(strays, self._folder)

    def is_reachable(self) -> bool:
        """Whether the next supervisor would find the shim. Raises OSError."""
        return self._shims.is_reachable()

    async def listen_again(self) -> None:
        """Have the shim bind its socket anew. Raises MachineError."""
        self._shims.listen_again()

    async def sweep(self, grace_s: float, holders: Sequence[int] = ()) -> tuple[Survivor, ...]:
        """End what any run left behind: SIGTERM, SIGKILL after `grace_s`; returns what SIGKILL did not end.

        `holders`: the pids of the processes that hold terminals; like the shims, they adopt orphans.
        """
        from supervisor.host.runs import termination

        groups = self._cgroups.runs if self._cgroups else list
        return await termination.sweep(
            str(self._folder), groups, [*self._shims.pids(), *holders], self._shims.keeper(), grace_s
        )

    def say_goodbye(self) -> None:
        """Once `run` has ended, have the shims end while other things are closed; `close` waits for them."""
        self._shims.say_goodbye()

    def close(self) -> int:
        """Leave the shims, once `run` has ended; returns how many commands go on."""
        self._ender.close()
        for run in self._runs.values():
            run.let_fifo_go()
        live = self._shims.close()
        if self._cgroups:
            self._cgroups.close(0.0 if live else _SHIM_ENDS_S)
        return live

    # Events ----------------------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Handle what the shims have sent by now, and have the facts folded; never waits."""
        for client in self._shims.clients():
            self._receive(client)

    def _receive(self, client: ShimClient) -> None:
        self._facts.begin()
        try:
            for event in client.receive():
                self._handle(event)
        finally:
            self._facts.fold()
            self._ender.vacate()

    def _handle(self, event: Event) -> None:
        match event:
            case CommandStarted() | SpawnFailed():
                self._settle(self._spawner.answer(event, time.monotonic()))
            case CommandExited(run_id, status, pid, written, lost):
                # It may be the exit of another run with the same id, which `clear` has ended: if records were lost, the
                # same firing gives the same ids again. A start that has not been answered has no process yet.
                run = self._runs.get(run_id)
                if run and run_id not in self._spawner and (run.main is None or pid in (0, run.main.pid)):
                    run.written, run.lost = written, lost
                    self._ender.main_ended(run, exits.exit_of(status))
            case ShimTrouble(text):
                # In the event loop, when the log is set up.
                self._work.soon(_warn, f"the process that holds commands had trouble: {text}")
            case LogFlushed(run_id):
                self._ender.orphaned_fifos.done(run_id)
            case RunsListed() | Bye():
                pass  # an answer that came after its question was given up
            case _:  # ProbeExited, whose class is imported late
                self._probes.take(event)

    # Requests --------------------------------------------------------------------------------------------------------

    @property
    def _probes(self) -> Probes:
        if self._probes_made is None:
            from supervisor.host.runs.probes import (
                Probes,  # not at the top: they come after the first command
            )

            self._probes_made = Probes(self._preparation, self._shims, self._facts, self._work, self)
        return self._probes_made

    def _settle(self, settled: Settled) -> None:
        """Go on with the starts of which it is known what became of them, and with what their requests led to."""
        self._starter.settle(settled)
        self.after_asking()

    def after_asking(self) -> None:
        """Do what follows from requests to shims, apart from their answers."""
        self._attend_to_new_shims()
        for client in self._shims.clients():
            if client.unsent:
                self._work.soon(self._shims.send_rest, client)
        lacking = self._spawner.lacking
        if lacking != self._reported_lacking:
            self._reported_lacking = lacking
            self._problems.on_problem("commands", lacking)
        if lacking and not self._retrying:
            self._retrying = True
            self._work.soon(self._retry)

    async def _retry(self) -> None:
        """Ask again for the starts that wait for what the machine lacks, when their pauses are over."""
        while (at_s := self._spawner.retry_at_s()) < math.inf:
            await anyio.sleep(at_s - time.monotonic())
            self._settle(self._spawner.retry(time.monotonic()))
        self._retrying = False

    def _ask(self, run_id: str, asked: Asked) -> None:
        run = self._runs.get(run_id)
        if run is None:
            return
        if run.is_operation and not run.asked and exits.has_ended(run):
            run.ended_unasked = True  # its end is about to be reported: what it left behind lives on
            return
        run.asked = max(run.asked, asked)
        if run_id not in self._spawner:
            self._ender.see_out(run)

    # The loop --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Attend to the shims, see runs out, look after live ones; until cancelled. The commands live on."""
        from supervisor.host.runs.upkeep import LogDisk, Upkeep

        disk = LogDisk(str(self._folder), as_root=os.geteuid() == 0 and self._account is None)
        upkeep = Upkeep(disk, self._log_limit_bytes, self._account, self._facts, self._problems)
        await self._work.run(self._look_after, upkeep)

    def _attend_to_new_shims(self) -> None:
        for client in self._shims.take_unattended():
            self._work.soon(self._attend, client)
            if self._shims.is_current(client):
                self._work.soon(self._take_over_fifos)

    async def _note_later(self, run_id: str, text: str) -> None:
        """The FIFO was full: the pump is slow, or stopped. After a while the note is given up."""
        for _ in range(_NOTE_ATTEMPTS):
            await anyio.sleep(_NOTE_PAUSE_S)
            if RunDir(self._folder, run_id).note(text):
                return

    async def _replace_shim(self) -> None:
        """Start another shim now, not with the next command: nobody empties the FIFOs, and who writes much waits."""
        while True:
            try:
                self._shims.current()
                break
            except MachineError:
                await anyio.sleep(_RETRY_S)
        self._attend_to_new_shims()

    async def _tidy_scripts(self) -> None:
        await self._preparation.scripts.tidy()

    async def _take_over_fifos(self) -> None:
        await self._ender.orphaned_fifos.take_over_all()

    async def _attend(self, client: ShimClient) -> None:
        """Handle a shim's events until it is gone, or another took its place and it holds nothing more."""
        from supervisor.host.proc.event_loop import while_readable

        def is_of_use() -> bool:
            return not client.lost and (self._shims.is_current(client) or bool(self._held_by(client)))

        def receive() -> bool:
            self._receive(client)
            return is_of_use()

        if is_of_use():
            await while_readable(client.fileno(), receive)
        await self._shims.stop_sending(client)
        # A failed send shows that the shim is lost, and may come before its last events were received.
        self._receive(client)
        await self._lose(client)
        await self._shims.leave(client)

    async def _lose(self, client: ShimClient) -> None:
        """A shim is gone: find out which commands it started without saying so, and watch what it held."""
        from supervisor.host.runs import adoption

        if runs := self._spawner.lose(client):
            from supervisor.host.runs import termination

            began = await termination.when_possible(partial(adoption.began_nevertheless, runs))
            self._settle(self._spawner.find(runs, began, time.monotonic()))
        if await self._ender.orphaned_fifos.are_there():
            self._work.soon(self._replace_shim)
        if self._probes_made:
            self._probes_made.lose(client)
        held = self._held_by(client)
        adoption.look_up_exits(held)
        for run in held:
            run.shim = None
            self._ender.watch(run, self._shims.held)

    def _held_by(self, client: ShimClient) -> Iterable[Run]:
        return [run for run in self._runs.values() if run.shim is client and run.exit is None]

    async def _look_after(self, upkeep: Upkeep) -> None:
        self._starter.begun = anyio.Event()
        while True:
            if not self._runs and not upkeep.is_needed:
                await self._starter.begun.wait()
            if self._starter.begun.is_set():
                self._starter.begun = anyio.Event()
                upkeep.pace.begin()
            await anyio.sleep(upkeep.pace.interval_s)
            for client in self._spawner.overdue(time.monotonic()):
                self._receive(client)  # it may be we who were late
                self._settle(self._spawner.give_up(client, time.monotonic()))
            await upkeep.look(self._runs)


async def _warn(sentence: str) -> None:
    logging.getLogger(__name__).warning(sentence)
