"""A supervisor: one state directory's engine, the machine below it and the automations file above it.

`Supervisor` is composed of parts here. What happens then stands in modules of its own: `start` before the event loop,
`serve` inside it, `lifecycle` until its end, and `upgrade` where another program continues.

The order matters: lock, store, machine, file, triggers. The first commands run before the event loop, and what that
takes, is imported: a service must not wait for it. Everything before `serve` is synchronous.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from supervisor.api.http.sockets import ListeningFds, Sockets
from supervisor.boot.automations.automations_file import Automations
from supervisor.boot.conditions import Conditions
from supervisor.boot.crash import Edge
from supervisor.boot.lifecycle import Lifecycle, Work
from supervisor.boot.recent_changes import RecentChanges
from supervisor.boot.report import ContainedReport, Report
from supervisor.boot.run_settings import Settings
from supervisor.boot.service_manager import ServiceManager
from supervisor.boot.session import EnvironmentSession
from supervisor.boot.start import Start
from supervisor.boot.upgrade.carried import Carried
from supervisor.core import queries
from supervisor.core.world import World
from supervisor.engine import Engine
from supervisor.host.proc import clock, inheritance, signals
from supervisor.host.proc.cgroups import Cgroups
from supervisor.host.proc.notify import Notifier
from supervisor.host.runs import fifo_support
from supervisor.host.runs.machine import HostMachine
from supervisor.host.runs.spawn.environ import CommandEnvironment, cleaned
from supervisor.host.runs.spawn.shim_client import ShimClient
from supervisor.host.state.state_directory import StateDir
from supervisor.host.state.state_path import default_path, system_path
from supervisor.host.state.store import Store
from supervisor.host.users.account import account, completed
from supervisor.hub import Hub
from supervisor.lean.typing import TYPE_CHECKING
from supervisor.model.fact import EnvironmentStarted
from supervisor.model.ids import EnvironmentId, fresh
from supervisor.settings import cwd
from supervisor.shim.protocol import Pumping

if TYPE_CHECKING:
    from supervisor.boot.serve.edges import Edges
    from supervisor.host.users.account import Account

STARTS_S = 0.25
"""For how long commands are started before the event loop is imported; until it runs no client is answered."""


class Supervisor:
    """All parts of one supervisor. `start` begins, `serve` runs it, `close` lets go."""

    def __init__(
        self,
        settings: Settings,
        shim: ShimClient,
        report: Report,
        notifier: Notifier | None = None,
        received: Carried | None = None,
    ) -> None:
        """Take the state directory, and read what is in it. `start.adopt` comes next.

        `shim`: the connection to a new one; `notifier`: to the service manager, if there is one; `received`: from the
        program before an upgrade. Raises StateInUse if another supervisor has the directory, MachineError if it cannot
        be used.
        """
        self.settings = settings
        self.received = received
        self.report: Report = ContainedReport(report)
        for notice in settings.notices:
            self.report.notice(notice)
        self.account, self.other_account = self._accounts()
        """The user that commands run as, if one is named; and the same, if we must become that user."""
        self.state = self._take_state()
        self.store = Store(self.state.database)
        self.conditions = Conditions(self.report, clock)
        self.engine = self._engine()
        self.recent_changes = RecentChanges(self.engine.hub, self.engine)
        self.sockets = self._listen()
        self.environment_id = self._environment_id()
        self.command_environment = self._command_environment()
        self.cgroups = Cgroups.of(self.state.path)
        self.machine = self._machine(shim)
        self.engine.performer = self.machine
        self.session = EnvironmentSession(self.store, clock.boot_id())
        begins = not self.session.continues
        self.engine.post(
            EnvironmentStarted(EnvironmentId(self.environment_id), settings.trigger_filter, begins=begins)
        )
        self.start = Start(self.engine, self.machine, self.session, self.report, self.state.path)
        self.service_manager = ServiceManager(notifier or Notifier(), self.engine)
        self.automations = Automations(
            settings, self.engine, self.report, self.start, self.service_manager, begins, self.other_account
        )
        self.lifecycle = self._lifecycle()
        self._edges: Edges | None = None

    def serve(self, work: Work, edges: Sequence[Edge], held: signals.PendingSignals) -> int:
        """Run until `work` is done or a signal came, then end; see `Lifecycle.run`."""
        signals.survive_others()
        inheritance.outlive_commands()
        # What a turn of the engine has left to be started would wait for these imports, a tenth of a second.
        self.engine.turn(STARTS_S)
        # Not at the top: the first commands are started before there is an event loop.
        from supervisor.lean.loop_imports import import_loop

        import_loop(self.machine.turn, tls=self.settings.plane is not None)
        from supervisor.boot.serve.edges import Edges

        self._edges = Edges(self)
        return self.lifecycle.run(work, self._edges.all(edges), held)

    @property
    def carried(self) -> Carried | None:
        """What goes to the program that is to be executed now; None: `serve` has not ended for an upgrade."""
        return self._edges.upgrade.carried if self._edges else None

    @property
    def is_whole(self) -> bool:
        """Whether all that the next supervisor needs was in its place when `serve` ended."""
        return self._edges is None or not self._edges.state_watch.wrong

    def close(self) -> None:
        """Release the state directory. What lives goes on living; after a drain nothing does."""
        if self.engine.world.records.draining and queries.is_at_rest(self.engine.world.records):
            self.session.note_end()
        if self.sockets is not None:
            self.sockets.close()
        self.machine.say_goodbye()
        try:
            self.store.close()  # it waits for the disk
        finally:
            self.machine.close()
            self.state.close()

    def _accounts(self) -> tuple[Account | None, Account | None]:
        """The user that commands run as, if one is named; and that user again, if we must become it.

        Root must become the user, another user is it already. Raises MachineError, BadSettings.
        """
        if not self.settings.user:
            return None, None

        named = account(self.settings.user)
        if os.geteuid() != 0:
            return named, None
        if self.received is None:  # before an upgrade, the self-check looks
            from supervisor.host.users import program_files

            program_files.check(named.name)
        return named, named

    def _take_state(self) -> StateDir:
        workspace, other, received = str(self.settings.workspace), self.other_account, self.received
        default = system_path(workspace) if other else default_path(workspace, os.environ)
        lock, name = (received.lock, received.name) if received else (None, None)
        state = StateDir(self.settings.state_dir or default, workspace, other, lock, name)
        if received is None:
            state.note_cwd(cwd.started_in())
        return state

    def _listen(self) -> Sockets | None:
        """Bind before anything starts: an address that cannot be had is an error then, and clients may wait on it."""
        api, received = self.settings.api, self.received
        if api is None:
            return None
        owner = self.other_account.uid if self.other_account else None
        carried = ListeningFds(received.unix, received.tcp, received.listen) if received else ListeningFds()
        sockets = Sockets(self.state.api_socket, api.listen, owner, carried)
        if sockets.notice:
            self.report.notice(sockets.notice)
        return sockets

    def _engine(self) -> Engine:
        """With the records that the store has."""
        records, revision = self.store.load_or_begin_anew()
        if self.store.damaged:
            self.report.notice(
                f"the database was damaged: set aside as {self.store.damaged}, beginning with an empty one"
            )
        return Engine(World(records, revision), self.store, Hub(), clock, self.conditions)

    def _machine(self, shim: ShimClient) -> HostMachine:
        return HostMachine(
            self.state.path,
            shim,
            self.command_environment,
            self.engine,
            self.conditions,
            self.settings.log_limit_bytes,
            self.other_account,
            self.cgroups,
            self._pumping(),
        )

    def _pumping(self) -> Pumping | None:
        """How output is pumped into the logs; None: that is not wished, or cannot be."""
        settings = self.settings
        if settings.log_transport == "file":
            return None
        if why := fifo_support.why_not(self.state.path):
            self.report.notice(
                f"commands write into their logs themselves, and can truncate them: {why}, in {self.state.path}; "
                "--state-dir names another folder"
            )
            return None
        return Pumping(settings.log_limit_bytes, settings.log_quiet_s, settings.log_drain_s)

    def _lifecycle(self) -> Lifecycle:
        return Lifecycle(
            self.engine,
            self.machine,
            self.report,
            self.automations,
            self.service_manager,
            self.session,
            self.conditions,
            self.state,
            self.settings.drain_grace_s,
        )

    def _command_environment(self) -> CommandEnvironment:
        """What the commands see."""
        base = cleaned(os.environ, sys.prefix if sys.prefix != sys.base_prefix else "")
        if self.other_account:
            from supervisor.host.users.pass_env import are_of_image, passed

            base = passed(base, self.settings.pass_env, are_of_image(os.environ))
        if self.account:
            base = self.account.environ(base)
        base = completed(base, os.geteuid())
        workspace, socket = str(self.settings.workspace), str(self.state.api_socket)
        return CommandEnvironment(base, workspace, self.environment_id, socket)

    def _environment_id(self) -> str:
        """The id of this environment: as it was given, else made once."""
        known, given = self.store.get("environment_id"), self.settings.environment_id
        if known is not None and given not in (None, known):
            self.report.notice(
                f"the environment goes by the id {given} from now on; until now it was {known}"
            )
        id_ = given or known or fresh()
        if id_ != known:
            self.store.put("environment_id", id_)
        return id_
