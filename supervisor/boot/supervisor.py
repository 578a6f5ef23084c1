"""A supervisor: one state directory's engine, the machine below it and the file above it.

The order matters: lock, store, machine, file, triggers. The first commands run before the event loop, and what that
takes, is imported: a service must not wait for it. Everything before `serve` is synchronous.

A supervisor that finds records of the same boot goes on with what lives and fires nothing that was fired; after a clean
end or another boot it starts the environment: the triggers fire. What was begun is noted in the store only once it
cannot be forgotten any more, so that it may be killed at any moment of this (see `boot.beginning`).
"""

from __future__ import annotations

import functools
import importlib
import math
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from supervisor import __version__
from supervisor.api.http.sockets import Given, Sockets
from supervisor.boot.automations_file import Automations
from supervisor.boot.conditions import Troubles
from supervisor.boot.crash import Edge, files, restarted
from supervisor.boot.lifecycle import Life, Work
from supervisor.boot.recent_changes import Recent
from supervisor.boot.report import ContainedReport
from supervisor.boot.run_settings import Api, Report, Settings
from supervisor.boot.service_manager import Announcer
from supervisor.boot.session import Beginning
from supervisor.boot.upgrade.handover import Handover
from supervisor.core import queries
from supervisor.core.plans.triggers import ENVIRONMENT_START
from supervisor.core.recovery import RESTARTED, inherited, known_runs
from supervisor.core.world import World
from supervisor.engine import Engine
from supervisor.host.proc import clock, inheritance, signals
from supervisor.host.proc.cgroups import Cgroups
from supervisor.host.proc.notify import Notifier
from supervisor.host.runs.environ import cleaned, compose
from supervisor.host.runs.machine import Machine
from supervisor.host.runs.run_directory import RunDir
from supervisor.host.runs.shim_client import ShimLink
from supervisor.host.state.state_directory import StateDir, default_path, system_path
from supervisor.host.state.store import Store
from supervisor.host.users.account import completed
from supervisor.hub import Hub
from supervisor.lean.typing import TYPE_CHECKING, Any
from supervisor.model.action import Spawn
from supervisor.model.command import FireTrigger, StartTask
from supervisor.model.errors import Precondition
from supervisor.model.fact import EnvironmentStarted, MachineRestarted
from supervisor.model.ids import fresh
from supervisor.model.spec import Trigger
from supervisor.settings import cwd

if TYPE_CHECKING:
    import anyio

    from supervisor.activity.activity import Activity
    from supervisor.boot.resume import Resume
    from supervisor.boot.state_watch import StateWatch
    from supervisor.host.proc.loop_lag import EventLoopLag
    from supervisor.host.users.account import Account

FIRST_ANSWER_S = 0.1
"""How long the import of the server waits for somebody who asks how we are."""


class Supervisor:
    """One state directory's engine with the machine below it and the file above it."""

    def __init__(
        self,
        settings: Settings,
        link: ShimLink,
        report: Report,
        notifier: Notifier | None = None,
        handover: Handover | None = None,
    ) -> None:
        """Take the state directory and go on with what is in it.

        `notifier`: to the service manager, if there is one. `handover`: from the program before, in this process.

        Raises StateInUse if another supervisor has it, MachineError if it cannot be used. `adopt` comes next.
        """
        self.settings = settings
        report = ContainedReport(report)
        self.report: Report = report
        for notice in settings.notices:
            report.notice(notice)
        self._given = handover
        self.handover: Handover | None = None
        """What goes to the program that is to be executed now; None: `serve` has not ended for that."""
        self._checking = False
        self._leave: Callable[[], Awaitable[tuple[int, ...]]] = _no_connections
        self.account = self._account()
        if self._other is not None and handover is None:  # before an upgrade, the self-check looks
            from supervisor.host.users import program_files

            program_files.check(self._other.name)
        self.state = self._take_state()
        self.store = Store(self.state.database)
        records, revision = self.store.load_or_begin_anew()
        if self.store.damaged:
            report.notice(
                f"the database was damaged: set aside as {self.store.damaged}, beginning with an empty one"
            )
        self.sockets = self._listen(settings.api)
        self.engine = Engine(World(records, revision), self.store, Hub(), clock.now)
        self.recent = Recent(self.engine.hub, lambda: clock.now().wall_s)
        self.troubles = Troubles(report)
        self.engine.store_met = partial(self.troubles.met, "records")
        self.environment_id = self._environment_id()
        self.machine = Machine(
            self.state.path,
            link,
            self._environ(),
            settings.workspace,
            self.engine.post,
            settings.log_limit_bytes,
            self._other,
            Cgroups.of(self.state.path),
            self.troubles.met,
        )
        self.engine.performer, self.machine.fold = self.machine, self.engine.fold
        self.beginning = Beginning(self.store, clock.boot_id())
        self.resumes = self.beginning.resumes
        self.engine.post(
            EnvironmentStarted(self.environment_id, settings.trigger_filter, begins=not self.resumes)
        )
        self.automations = Automations(settings, self.engine, report, self.resumes, self._other)
        self.announcer = Announcer(notifier or Notifier(), self.engine)
        self.automations.reloading = self.announcer.reloading
        self.life = Life(
            self.engine,
            self.machine,
            report,
            self.automations.order,
            self.announcer.stopping,
            self.state.stacks,
            self.beginning.note_drain,
            settings.drain_grace_s,
            partial(self.troubles.met, "threads"),
        )

    @functools.cached_property
    def activity(self) -> Activity:
        """What keeps the environment awake. Made when it is first asked for: the first commands do not wait for it."""
        from supervisor.activity.activity import Activity
        from supervisor.activity.plane import Plane

        told = self.settings.plane
        plane = None
        if told is not None:
            plane = Plane(told.url, self.environment_id, told.token.read, told.heartbeat_interval_s)
        return Activity(lambda: self.engine.world.records, self.store, clock.boot_id(), clock.instant, plane)

    @functools.cached_property
    def lag(self) -> EventLoopLag:
        """How late the event loop comes."""
        from supervisor.host.proc.loop_lag import EventLoopLag

        return EventLoopLag(self.state.stalls, self.report.notice)

    @functools.cached_property
    def state_watch(self) -> StateWatch:
        """What sees that the state directory, or something in it, was taken away."""
        from supervisor.boot.state_watch import StateWatch, Watched

        async def restore_state() -> None:
            self.state.restore()

        async def restore_store() -> None:
            self.store.restore()

        lines = [
            Watched("the state directory", self.state.is_whole, restore_state),
            Watched("the database", self.store.is_in_place, restore_store),
            Watched("the shim's socket", self.machine.can_be_met, self.machine.listen_again),
        ]
        if self.sockets is not None:
            lines.append(Watched("the API's socket", self.sockets.is_bound, self.sockets.rebind))
        return StateWatch(lines, partial(self.troubles.met, "state"), self.report.notice)

    @functools.cached_property
    def resume(self) -> Resume:
        """What sees that the machine was suspended since it was first asked for."""
        from supervisor.boot.resume import Resume

        return Resume(self.engine, self.report, clock.ahead_s)

    # Before the event loop

    def adopt(self) -> list[str]:
        """Find what another supervisor left alive, and what became of the rest: before anything else is done.

        Apart from making the object, so that whoever subscribed sees it. Returns the ids of the executions that were
        under way.
        """
        records = self.engine.world.records
        executions = list(records.live)
        strays = self.machine.clear(known_runs(records))
        if strays:
            self.report.notice(
                f"ended {strays} commands that nothing is known of: records were lost or not written"
            )
        if self.beginning.restarted:
            self.engine.post(MachineRestarted())
            self.engine.turn(math.inf)
            self.machine.lose(inherited(records), RESTARTED)
        else:
            self.machine.adopt(inherited(records))
        self.engine.turn(math.inf)
        self.beginning.note()
        if crashed := self.beginning.crashed(files(self.state.path)):
            self.report.notice(f"a supervisor before this one met a bug: {crashed}")
        return executions

    def fire(self, *triggers: Trigger) -> list[str]:
        """Fire triggers in order, each once since the environment began: not again where a supervisor was cut off.

        While the environment waits for a good version of its file they are owed, and only what was made through the
        API starts: the same firing is then repeated with the file's items, by this supervisor or the next.

        Returns the ids of the executions that they made, now or before.
        """
        owed = queries.file_is_awaited(self.engine.world.records)
        if owed:
            self.automations.begun = partial(self.fire, *triggers)
        due = [trigger for trigger in triggers if not self.beginning.fired(trigger)]
        # In one step: a supervisor that is cut off in between would leave a firing that is over before it is whole.
        self.engine.submit(*(FireTrigger(trigger, self.beginning.firing(trigger)) for trigger in due))
        for trigger in due if not owed else ():
            self.beginning.note_fired(trigger)
        firings = {self.beginning.firing(trigger) for trigger in triggers}
        return [execution.id for execution in queries.made_by(self.engine.world.records, firings)]

    def start_environment(self) -> list[str]:
        """Fire what starting an environment fires. Returns what `fire` does."""
        return self.fire(*ENVIRONMENT_START)

    def start_task(self, task_id: str) -> str:
        """Execute a task. Returns the execution's id. Raises NotFound or Precondition."""
        execution_id = fresh()
        self.engine.submit(StartTask(task_id, execution_id))
        return execution_id

    def close(self) -> None:
        """Release the state directory. What lives goes on living; after a drain nothing does."""
        if self.engine.world.records.draining and queries.is_at_rest(self.engine.world.records):
            self.beginning.note_end()
        if self.sockets is not None:
            self.sockets.close()
        self.machine.close()
        self.store.close()
        self.state.close()

    def _account(self) -> Account | None:
        """The user that commands run as, if one is named. Raises MachineError."""
        if not self.settings.user:
            return None
        from supervisor.host.users.account import account

        return account(self.settings.user)

    @property
    def _other(self) -> Account | None:
        """The user that commands run as, if we must become that user: root does, another is it already."""
        return self.account if os.geteuid() == 0 else None

    def _take_state(self) -> StateDir:
        workspace = str(self.settings.workspace)
        default = system_path(workspace) if self._other else default_path(workspace, os.environ)
        lock, name = (self._given.lock, self._given.name) if self._given else (None, None)
        state = StateDir(self.settings.state_dir or default, workspace, self._other, lock, name)
        if self._given is None:
            state.note_cwd(cwd.started_in())
        return state

    def _listen(self, api: Api | None) -> Sockets | None:
        """Bind before anything starts: an address that cannot be had is an error then, and clients may wait on it."""
        if api is None:
            return None
        owner = self._other.uid if self._other else None
        given = Given()
        if self._given is not None:
            given = Given(self._given.unix, self._given.tcp, self._given.listen)
        return Sockets(self.state.api_socket, api.listen, self.report.notice, owner, given)

    def _environ(self) -> Callable[[Spawn, RunDir], dict[str, str]]:
        """How a command's environment is composed."""
        base = cleaned(os.environ, sys.prefix if sys.prefix != sys.base_prefix else "")
        if self._other:
            from supervisor.host.users.pass_env import are_of_image, passed

            base = passed(base, self.settings.pass_env, are_of_image(os.environ))
        if self.account:
            base = self.account.environ(base)
        base = completed(base, os.geteuid())
        environment_id = self.environment_id

        def environ(spawn: Spawn, folder: RunDir) -> dict[str, str]:
            return compose(
                base,
                {},
                spawn.env,
                lambda _secret_id: None,
                workspace=str(self.settings.workspace),
                run_id=spawn.run_id,
                environment_id=environment_id,
                output=folder.output(spawn.kind, spawn.reference),
                socket=str(self.state.api_socket),
            )

        return environ

    def _environment_id(self) -> str:
        """The id that this environment goes by: as it was given, else made once."""
        known, given = self.store.get("environment_id"), self.settings.environment_id
        if known is not None and given not in (None, known):
            self.report.notice(
                f"the environment goes by the id {given} from now on; until now it was {known}"
            )
        id_ = given or known or fresh()
        if id_ != known:
            self.store.put("environment_id", id_)
        return id_

    # The event loop

    def serve(self, work: Work, edges: Sequence[Edge], held: signals.Numbers) -> int:
        """Run until `work` is done or a signal came, then end; see `Life.run`."""
        inheritance.outlive_commands()
        renewable = [
            self.automations.watch,
            self.resume.watch,
            self.lag.run,
            self.state_watch.run,
            self._tell_activity,
            self.announcer.run,
            self._preload,
            *edges,
        ]
        # Without the API nobody could see or end what runs, and its sockets are bound once: a bug there ends this.
        again = [restarted(edge, self.state.path, self.report.notice) for edge in renewable]
        return self.life.run(work, [self._serve_api, *again], held)

    async def _tell_activity(self) -> None:
        """Tell the management plane while the environment is in use."""
        await self.activity.run(self.engine.hub, self.engine.post, self.report.notice)

    async def upgrade(self) -> str:
        """Have `serve` end for the program that stands on the disk now, once that has passed its self-check.

        Returns its version. Raises Precondition: then everything goes on.
        """
        from supervisor.boot.upgrade.self_check import checked_version, see_that_nobody_else_wrote_it

        if self.engine.world.records.draining:
            raise Precondition("cannot upgrade: the supervisor is shutting down")
        if self.engine.store_error:
            raise Precondition(f"cannot upgrade: records cannot be written: {self.engine.store_error}")
        if self._checking:
            raise Precondition("cannot upgrade: another upgrade is under way")
        self._checking = True
        try:
            if self._other is not None:
                await see_that_nobody_else_wrote_it(self._other.name)
            version = await checked_version(self.state.database)
        except BaseException:
            self._checking = False
            raise
        self.life.make_room(self._make_room)
        return version

    def _serving(self, hand_over: Callable[[], Awaitable[tuple[int, ...]]]) -> None:
        self._leave = hand_over

    async def _make_room(self) -> None:
        """Answer what was asked, and gather what must not be closed."""
        assert self.settings.api is not None
        self.announcer.making_room()
        given = Given() if self.sockets is None else self.sockets.keep()
        connections = await self._leave()
        lock, name = self.state.keep()
        self.handover = Handover(
            version=__version__,
            began_s=clock.now().mono_s,
            lock=lock,
            name=name,
            listen=repr(self.settings.api.listen),
            unix=given.unix,
            tcp=given.tcp,
            connections=connections,
        )

    def _status(self, sockets: Sockets) -> Callable[[], Awaitable[dict[str, Any]]]:
        """What the status tells, as a function that looks."""
        from supervisor.api.control.control_status import Place, health_json, status_json

        workspace, started_s = str(self.settings.workspace), self.engine.now().mono_s
        place = Place(
            self.environment_id, workspace, str(sockets.path), sockets.url, started_s, self.troubles.sentences
        )

        async def status() -> dict[str, Any]:
            told = status_json(self.engine, place) | health_json(self.lag, files(self.state.path))
            return told | {"activity": await self.activity.explain()}

        return status

    async def _preload(self) -> None:
        """Ask nothing more of the program's files from soon after the start."""
        from supervisor.boot.preload import OF_A_PLANE, OF_THE_API, preload, stillness

        await self._answering.wait()
        await stillness(lambda: self.engine.world.records.revision)
        of_the_api = OF_THE_API if self.settings.api is not None else ()
        await preload(*of_the_api, *(OF_A_PLANE if self.settings.plane is not None else ()))

    @functools.cached_property
    def _answering(self) -> anyio.Event:
        """Set once clients are answered, if there can be any."""
        import anyio

        return anyio.Event()

    def _ready(self) -> None:
        self.announcer.ready()
        self._answering.set()

    async def _serve_api(self) -> None:
        """Answer clients."""
        if self.sockets is None or self.settings.api is None:
            self._ready()
            return
        import anyio

        from supervisor.api.http.early_status import Reception
        from supervisor.host.proc import worker_threads

        peers = [self._other.uid] if self._other else []
        status = self._status(self.sockets)
        reception = Reception(self.sockets.listening[0], status, peers)
        received: tuple[int, ...] = ()

        async def receive() -> None:
            nonlocal received
            received = await reception.run()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(receive)
            # Half a second of imports, which leave others little of the interpreter: not before who waits is answered.
            await reception.first_attended(FIRST_ANSWER_S)
            assembly = await worker_threads.run(importlib.import_module, "supervisor.api.assembly")
            reception.relieve()
        api = self.settings.api
        site = assembly.Site(
            engine=self.engine,
            activity=self.activity,
            sockets=self.sockets,
            environment_id=self.environment_id,
            workspace=self.settings.workspace,
            state=self.state.path,
            update_file=self.automations.update,
            file_moved=self.automations.moved,
            end=self.life.end,
            drain_grace_s=self.settings.drain_grace_s,
            ready=self._ready,
            resumed=self.resume.tell,
            upgrade=self.upgrade,
            recent=self.recent.told,
            lag=self.lag,
            status=status,
            connections=(*(self._given.connections if self._given else ()), *received),
            on_serving=self._serving,
            clients_met=partial(self.troubles.met, "clients"),
            public_url=api.public_url,
            host_names=api.host_names,
            origins=api.origins,
            peers=peers,
        )
        await assembly.serve(site)


async def _no_connections() -> tuple[int, ...]:
    """The server has not begun to serve."""
    return ()
