"""The machine: performs actions, posts facts.

Theory of operation. A run is in the table from its `Spawn` until its `Exited` is posted. The shim is asked to start its
command and answers later (`spawning`); until then what is asked of the run is noted, and done once it lives. How its
main process ended is told by the shim or, if the shim was lost, by a pidfd and the run directory. What has to happen
then depends on what the run is for:

| kind | main process ended, nothing asked | something asked |
|---|---|---|
| start | `Exited` once no process of it lives; `MainExited` first if one does | `Exited` once none lives |
| ready | what it left behind is killed, then `Exited`; the directory goes | the same |
| stop, task | `Exited` at once: people start daemons in tasks | `Exited` once none lives |

Asked means `Terminate` or `Kill`; asking is without effect on a run that is over. `perform` and `adopt` work before
there is an event loop. What needs one waits for `run`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from functools import partial
from pathlib import Path

from supervisor.host.proc import process_tree
from supervisor.host.runs import command_line
from supervisor.host.runs.adoption import (
    end_strays,
    found_again,
    lost_with_the_machine,
    strays,
)
from supervisor.host.runs.disk_space import LogDisk
from supervisor.host.runs.environ import RUN_MARKER
from supervisor.host.runs.exits import Hearing
from supervisor.host.runs.run import Asked, Run
from supervisor.host.runs.run_directory import RunDir
from supervisor.host.runs.shim_client import ShimLink
from supervisor.host.runs.shims import Shims
from supervisor.host.runs.spawner import Spawner
from supervisor.lean.typing import TYPE_CHECKING, Any, assert_never
from supervisor.model.action import Action, Discard, Inherited, Kill, Note, RunKind, Spawn, Terminate
from supervisor.model.errors import SupervisorError
from supervisor.model.exit import SUCCESS, Exit, ExitCode, ExitSignal, ExitUnknown, NotStarted
from supervisor.model.fact import Exited, MainExited, RunFact, Started, Survivor
from supervisor.model.spec import Docker

if TYPE_CHECKING:
    import anyio
    from anyio.abc import TaskGroup

    from supervisor.host.proc.cgroups import Cgroups
    from supervisor.host.proc.oom_kill import KernelLog
    from supervisor.host.runs.termination import RollCall
    from supervisor.host.users.account import Account

TAIL_LINES, TAIL_BYTES = 20, 4096
LOG_LIMIT_BYTES = 64 << 20
_SHIM_ENDS_S = 1.0
"""How long a shim that holds nothing may take to end."""
_CONTAINER_S = 10.0
"""How long the container engine may take to end a container."""

Environ = Callable[[Spawn, RunDir], dict[str, str]]
Post = Callable[[RunFact], None]
_Work = Callable[..., Coroutine[Any, Any, None]]


class Machine:
    """Performs actions and posts the facts that follow. All methods are called on one thread."""

    def __init__(
        self,
        state: Path,
        link: ShimLink,
        environ: Environ,
        workspace: Path,
        post: Post,
        log_limit_bytes: int = LOG_LIMIT_BYTES,
        account: Account | None = None,
        cgroups: Cgroups | None = None,
        met: Callable[[str, str], None] = lambda _what, _why: None,
    ) -> None:
        """`state`: the state directory; `link`: to a new shim; `environ`: composes a command's environment.

        `account`: the user that commands run as; None: ours. `cgroups`: the control groups of runs, where there can be
        any. `met`: told what the machine refuses and why, and with an empty reason once it does not: "disk", "commands"
        and "logs".

        A shim that an earlier supervisor of this state directory left is used further, and the new one let go.
        """
        self._folder = Path(os.path.abspath(state), "runs")
        self._environ = environ
        self._workspace = str(workspace)
        self._post = post
        self.fold: Callable[[Callable[[], None]], None] = lambda observe: observe()
        """Has what is posted meanwhile be folded at once: what a command's end starts waits for no turn of the loop."""
        self._log_limit_bytes = log_limit_bytes
        self._account = account
        self._cgroups = cgroups
        if cgroups:
            cgroups.tidy()
        self._runs: dict[str, Run] = {}
        self._vacated: list[Run] | None = None
        """Runs that are over, whose groups are removed once what they were waited for with has been started."""
        self._tasks: TaskGroup | None = None
        self._backlog: list[tuple[_Work, tuple[Any, ...]]] = []
        self._roll_call: RollCall | None = None
        self._kernel_log: KernelLog | None = None
        self._begun: anyio.Event | None = None
        """Set when a run has begun since the last look at the live ones."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        socket = os.path.join(os.path.abspath(state), "shim.sock")
        shims = cgroups.shims if cgroups else ""
        self._shims = Shims(socket, link, lambda link: self._soon(self._hear, link), shims)
        self._spawner = Spawner(
            self._shims,
            self._workspace,
            account,
            self._began,
            self._never_started,
            self._soon,
            partial(met, "commands"),
        )
        self._hearing = Hearing(
            self._runs,
            self._shims,
            self._spawner,
            self._look_into,
            self._fold,
            self._soon,
        )
        self._logs_met = partial(met, "logs")
        as_root = os.geteuid() == 0 and account is None
        self._disk = LogDisk(str(self._folder), as_root, partial(met, "disk"), time.monotonic)

    # What the engine wants -------------------------------------------------------------------------------------------

    def perform(self, action: Action) -> None:
        """Do it. Never raises: a failure is a fact."""
        match action:
            case Spawn():
                self._spawn(action)
            case Terminate(run_id):
                self._ask(run_id, Asked.TERMINATE)
            case Kill(run_id):
                self._ask(run_id, Asked.KILL)
            case Note(run_id, text):
                RunDir(self._folder, run_id).note(text)
            case Discard(run_ids):
                self._soon(self._remove, run_ids)
            case _:
                assert_never(action)

    def adopt(self, inherited: Sequence[Inherited]) -> None:
        """Take over what an earlier supervisor of this boot started, dead or alive, and do what it could not do."""
        shims = self._shims
        began, never = found_again(inherited, self._folder, shims.held, shims.held_by)
        for run in began:
            self._began(run)
        for one in never:
            RunDir(self._folder, one.spawn.run_id).remove()
            if one.wanted:
                self._spawn(one.spawn)
            else:
                end = NotStarted("it was stopped before it could start") if one.told else ExitUnknown()
                self._post(Exited(one.spawn.run_id, end))

    def lose(self, inherited: Sequence[Inherited], why: str) -> None:
        """Nothing lives of what a supervisor of an earlier boot started; `why`, if it is not known how it ended."""
        for run in lost_with_the_machine(inherited, self._folder, why):
            self._runs[run.run_id] = run
            self._over(run)

    def clear(self, known: Collection[str]) -> int:
        """Before anything is started: end and remove all runs but the `known` ones. Returns how many lived."""
        return end_strays(strays(self._folder, known), self._folder)

    def attend(self) -> None:
        """Hear what the shims have told by now, and have it folded. For the time before the loop; never waits."""
        self._hearing.attend()

    async def run(self) -> None:
        """Hear the shim, see runs out, look after live ones; until cancelled. The commands live on."""
        import anyio

        from supervisor.host.runs import termination

        self._roll_call = termination.RollCall()
        self._begun = anyio.Event()
        try:
            async with anyio.create_task_group() as self._tasks:
                for work, arguments in self._backlog:
                    self._tasks.start_soon(work, *arguments)
                self._backlog.clear()
                await self._look_after()
        finally:
            self._tasks = None

    def can_be_met(self) -> bool:
        """Whether the next supervisor would find the shim. Raises OSError."""
        return self._shims.can_be_met()

    async def listen_again(self) -> None:
        """Have the shim bind its socket anew. Raises MachineError."""
        self._shims.listen_again()

    async def sweep(self, grace_s: float) -> tuple[Survivor, ...]:
        """End what any run left behind: SIGTERM, SIGKILL after `grace_s`; returns what lives all the same."""
        from supervisor.host.runs import termination

        groups = self._cgroups.runs if self._cgroups else list
        return await termination.sweep(str(self._folder), groups, self._shims.pids(), grace_s)

    def close(self) -> int:
        """Leave the shim, once `run` has ended; returns how many commands go on."""
        if self._kernel_log:
            self._kernel_log.close()
        live = self._shims.close()
        if self._cgroups:
            self._cgroups.close(0.0 if live else _SHIM_ENDS_S)
        return live

    # Starting --------------------------------------------------------------------------------------------------------

    def _spawn(self, spawn: Spawn) -> None:
        folder = RunDir(self._folder, spawn.run_id)
        in_container = isinstance(spawn.runs_on, Docker)
        run = Run(spawn.run_id, spawn.kind, spawn.reference, folder, in_container)
        try:
            folder.create(spawn.script, in_container)
            if self._account:
                folder.open_to(self._account, folder.output(spawn.kind, spawn.reference))
            if self._cgroups:
                run.cgroup = self._cgroups.make(spawn.run_id)
            env = self._environ(spawn, folder)
            env |= {RUN_MARKER: spawn.run_id, process_tree.RUNS_MARKER: str(self._folder)}
            argv = command_line.argv(spawn, folder, env, self._workspace)
        except SupervisorError as error:
            self._never_started(run, str(error))
        except OSError as error:
            why = f"cannot write the run directory {folder.path}: {command_line.reason(error.errno)}"
            self._never_started(run, why)
        else:
            self._hold(run)
            self._spawner.start(run, argv, env)

    def _never_started(self, run: Run, why: str) -> None:
        self._runs.pop(run.run_id, None)
        self._leave_group(run)
        self._post(Exited(run.run_id, NotStarted(why)))
        if run.kind is RunKind.READY:
            run.dir.remove()

    def _began(self, run: Run) -> None:
        """A run lives, or its end is still to be told."""
        self._hold(run)
        if run.main is not None:
            self._post(Started(run.run_id, run.main.pid))
        if run.link is None:
            self._hearing.watch(run)
        if run.asked is not Asked.NOTHING:  # before it was known to live
            self._see_out(run)

    def _hold(self, run: Run) -> None:
        self._runs[run.run_id] = run
        if self._begun:
            self._begun.set()

    # Ending ----------------------------------------------------------------------------------------------------------

    def _ask(self, run_id: str, asked: Asked) -> None:
        run = self._runs.get(run_id)
        if run is None:
            return
        run.asked = max(run.asked, asked)
        if run_id not in self._spawner:
            self._see_out(run)

    def _look_into(self, run: Run, end: Exit) -> None:
        """The main process has ended; what was killed, and not by us, may have run out of memory."""
        killed = end in (ExitSignal(signal.SIGKILL), ExitCode(128 + signal.SIGKILL))
        if killed and run.asked is not Asked.KILL:
            self._soon(self._find_cause, run, end)
        else:
            self._main_ended(run, end)

    async def _find_cause(self, run: Run, end: Exit) -> None:
        from supervisor.host.proc import worker_threads
        from supervisor.host.proc.oom_kill import KernelLog

        self._kernel_log = self._kernel_log or KernelLog()
        self._main_ended(run, await worker_threads.run(self._kernel_log.cause, end, run.main, run.log))

    def _main_ended(self, run: Run, end: Exit) -> None:
        if run.exit is not None or self._runs.get(run.run_id) is not run:
            return  # known already, or given up: it did not even end by SIGKILL
        run.exit = end
        if run.kind in (RunKind.TASK, RunKind.STOP) and run.asked is Asked.NOTHING:
            self._over(run)
        else:
            self._see_out(run)

    def _see_out(self, run: Run) -> None:
        """Have a task wait for the end of all the run's processes, or tell it that something has changed."""
        if run.ending:
            run.wake()
        else:
            run.ending = True
            self._soon(self._end, run)

    async def _end(self, run: Run) -> None:
        from supervisor.host.runs import termination

        assert self._roll_call is not None

        def main_exited() -> None:
            assert run.exit is not None
            self._post(MainExited(run.run_id, run.exit, _tail(run)))

        survivors = await termination.see_out(run, self._roll_call, main_exited)
        if survivors:
            run.dir.note(f"SIGKILL does not end {', '.join(map(str, survivors))}")
        if run.in_container and run.asked is not Asked.NOTHING:
            from supervisor.host.runs.containers import docker_kill_argv

            await termination.call(docker_kill_argv(run.run_id), _CONTAINER_S)
        self._over(run, survivors)

    def _over(self, run: Run, survivors: tuple[Survivor, ...] = ()) -> None:
        from supervisor.host.runs import upkeep

        del self._runs[run.run_id]
        output = None if run.output_file is None else upkeep.output(run, final=True)
        end = run.exit or ExitUnknown()
        self._post(Exited(run.run_id, end, _tail(run), output, survivors))
        if upkeep.is_over_limit(run, self._log_limit_bytes):
            self._soon(upkeep.trim, run, self._log_limit_bytes)
        if self._vacated is None:
            self._leave_group(run)
        else:
            self._vacated.append(run)
        if run.kind is RunKind.READY:
            self._soon(self._remove, (run.run_id,))

    def _leave_group(self, run: Run) -> None:
        """Remove a run's control group, unless a task's daemons live in it."""
        from supervisor.host.proc import cgroups

        if run.cgroup and not cgroups.remove(run.cgroup) and not cgroups.populated(run.cgroup):
            from supervisor.host.runs import termination

            self._soon(termination.dissolve, run.cgroup)

    async def _hear(self, link: ShimLink) -> None:
        await self._hearing.hear(link)

    def _fold(self, observe: Callable[[], None]) -> None:
        self._vacated = []
        try:
            self.fold(observe)
        finally:
            vacated, self._vacated = self._vacated, None
            for run in vacated:
                self._leave_group(run)

    async def _remove(self, run_ids: Collection[str]) -> None:
        """Remove what is left of runs."""
        from supervisor.host.proc import worker_threads

        for run_id in run_ids:
            await worker_threads.run(RunDir(self._folder, run_id).remove)
            if self._cgroups:
                self._cgroups.discard(run_id)  # daemons may have lived on in it

    # The loop --------------------------------------------------------------------------------------------------------

    def _soon(self, work: _Work, *arguments: Any) -> None:
        """Do it in the loop: now, if there is one, else once there is."""
        if self._tasks is None:
            self._backlog.append((work, arguments))
        else:
            self._tasks.start_soon(work, *arguments)

    async def _look_after(self) -> None:
        import anyio

        from supervisor.host.runs import upkeep

        assert self._begun is not None
        pace = upkeep.Pace()
        lost = ""
        while True:
            if not self._runs and not self._disk.full and not lost:
                await self._begun.wait()
            if self._begun.is_set():
                self._begun = anyio.Event()
                pace.begin()
            await anyio.sleep(pace.interval_s)
            for link in self._spawner.overdue():
                self._hearing.heed(link)  # it may be we who were late
                self._spawner.give_up(link)
            self._disk.look(self._runs.values())
            if pace.is_due(self._disk.free_bytes):
                pace.note(await upkeep.look_after(self._runs, self._log_limit_bytes, self._post))
                lost = upkeep.lost_logs(self._runs.values())
                for run in self._runs.values():
                    if run.log_lost:
                        upkeep.restore(run, self._account)
                self._logs_met(lost)


def _tail(run: Run) -> str:
    """The last lines of a run that did not succeed, or that was not to end by itself."""
    from supervisor.host.runs import log_file

    if run.exit == SUCCESS and run.kind is not RunKind.START:
        return ""
    try:
        return log_file.tail(run.dir.log, TAIL_LINES, TAIL_BYTES)
    except OSError as error:
        return f"supervisor: the log cannot be read: {error.strerror}"
