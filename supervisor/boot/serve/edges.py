"""What a supervisor does in its event loop beside the engine: tasks at the edge, each of which may fail by itself.

| task | does |
|---|---|
| `automations.watch` | carries out edits of the automations file |
| `resume_watch.run` | fires triggers when the machine was suspended |
| `lag.run` | measures how late the event loop comes |
| `result_expiry.run` | has old results of operations forgotten |
| `state_watch.run` | restores what was taken away from the state directory |
| `_report_activity` | has the management plane know that the environment is in use |
| `service_manager.run` | reports to the service manager |
| `_preload` | imports what may be needed later |
| `_serve_api` | answers clients |

A task that ends with an exception is written down and begins again (`crash.restarted`), except `_serve_api`.

Imported once the event loop is: the first commands do not wait for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio

from supervisor.activity.activity import Activity
from supervisor.activity.plane import Plane
from supervisor.api.http.early_status import EarlyStatus
from supervisor.boot.crash import Edge, restarted
from supervisor.boot.serve.result_expiry import ResultExpiry
from supervisor.boot.serve.resume_watch import ResumeWatch
from supervisor.boot.serve.running_supervisor import RunningSupervisor
from supervisor.boot.serve.state_watch import StateWatch, Watched
from supervisor.boot.upgrade.upgrade import Upgrade
from supervisor.host.proc import clock, worker_threads
from supervisor.host.proc.loop_lag import EventLoopLag
from supervisor.lean import server_imports
from supervisor.terminals.holder_client import HolderClient

if TYPE_CHECKING:
    from supervisor.api.http.sockets import Sockets
    from supervisor.boot.run_settings import ApiSettings
    from supervisor.boot.supervisor import Supervisor

FIRST_ANSWER_S = 0.1
"""How long the import of the server waits for a client that asks for the status."""


class Edges:
    """The tasks beside the engine of one supervisor, and what they share."""

    def __init__(self, supervisor: Supervisor) -> None:
        """Nothing runs yet."""
        self._supervisor = supervisor
        self.lag = EventLoopLag(supervisor.state.stalls, supervisor.report)
        self.resume_watch = ResumeWatch(supervisor.engine, supervisor.report, clock)
        self.result_expiry = ResultExpiry(supervisor.engine, supervisor.store)
        self.holders = HolderClient(supervisor.state.path)
        self.state_watch = StateWatch(
            _watched(supervisor, self.holders), supervisor.conditions, supervisor.report
        )
        self.upgrade = Upgrade(supervisor)
        self.activity = _activity(supervisor)
        self._answers = anyio.Event()
        """Set once clients are answered, if there can be any."""

    def all(self, more: Sequence[Edge]) -> list[Edge]:
        """The tasks, and more of them, each as it is to be run."""
        supervisor = self._supervisor
        renewable = [
            supervisor.automations.watch,
            self.resume_watch.run,
            self.lag.run,
            self.result_expiry.run,
            self.state_watch.run,
            self._report_activity,
            supervisor.service_manager.run,
            self._preload,
            *more,
        ]
        again = [restarted(edge, supervisor.state.path, supervisor.report) for edge in renewable]
        # Without the API nobody could see or end what runs, and its sockets are bound once: a bug there ends this.
        return [self._serve_api, *again]

    async def _report_activity(self) -> None:
        engine = self._supervisor.engine
        await self.activity.run(engine.hub, engine, self._supervisor.report)

    async def _preload(self) -> None:
        """Soon after the start, import everything that the program's files may be needed for."""
        from supervisor.boot.preload import OF_A_PLANE, OF_THE_API, preload, stillness

        settings = self._supervisor.settings
        await self._answers.wait()
        await stillness(lambda: self._supervisor.engine.world.records.revision)
        of_the_api = OF_THE_API if settings.api is not None else ()
        await preload(*of_the_api, *(OF_A_PLANE if settings.plane is not None else ()))

    async def _serve_api(self) -> None:
        sockets, api = self._supervisor.sockets, self._supervisor.settings.api
        if sockets is None or api is None:
            self.on_answering()
            return
        handle = RunningSupervisor(self._supervisor, self, sockets)
        connections = await self._import_server(sockets, handle)
        await self._serve_clients(api, sockets, handle, connections)

    async def _import_server(self, sockets: Sockets, handle: RunningSupervisor) -> tuple[int, ...]:
        """Import the server, and answer the simplest requests meanwhile. Returns the connections that go on."""
        early = EarlyStatus(sockets.listening[0], handle, self._peers, sockets.listening[1:])
        received: tuple[int, ...] = ()

        async def receive() -> None:
            nonlocal received
            received = await early.run()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(receive)
            # Answer waiting clients first: these imports hold the interpreter lock for most of half a second.
            await early.first_answered(FIRST_ANSWER_S)
            await worker_threads.run(server_imports.import_server)
            early.relieve()
        return received

    async def _serve_clients(
        self, api: ApiSettings, sockets: Sockets, handle: RunningSupervisor, connections: tuple[int, ...]
    ) -> None:
        from supervisor.api import assembly
        from supervisor.host.work_place import MachinePlace
        from supervisor.terminals.terminal_maker import TerminalMaker

        supervisor = self._supervisor
        place = MachinePlace(supervisor.command_environment, supervisor.other_account)
        received = supervisor.received
        carried = received.connections if received else ()
        parts = assembly.ApiParts(
            engine=supervisor.engine,
            activity=self.activity,
            supervisor=handle,
            sockets=sockets,
            lag=self.lag,
            used_ids=supervisor.store,
            environment_id=supervisor.environment_id,
            state=supervisor.state.path,
            place=place,
            drain_grace_s=supervisor.settings.drain_grace_s,
            public_url=api.public_url,
            host_names=api.host_names,
            origins=api.origins,
            users=self._peers,
            connections=(*carried, *connections),
            begun=received.take_calls() if received else {},
            holders=self.holders,
            maker=TerminalMaker(place, supervisor.state.runs, supervisor.cgroups),
        )
        await assembly.serve(parts)

    @property
    def _peers(self) -> list[int]:
        """The users who may use the Unix socket, beside root and our own."""
        account = self._supervisor.other_account
        return [account.uid] if account else []

    def on_answering(self) -> None:
        """Clients are answered, or there can be none."""
        self._supervisor.service_manager.ready()
        self._answers.set()


def _activity(supervisor: Supervisor) -> Activity:
    settings, plane = supervisor.settings.plane, None
    if settings is not None:
        plane = Plane(settings.url, supervisor.environment_id, settings.token, settings.heartbeat_interval_s)
    return Activity(supervisor.engine.world, supervisor.store, clock.boot_id(), clock, plane)


def _watched(supervisor: Supervisor, holders: HolderClient) -> list[Watched]:
    """What the state watch looks at: the lines of its table."""
    state, store, machine, sockets = (
        supervisor.state,
        supervisor.store,
        supervisor.machine,
        supervisor.sockets,
    )

    async def restore_state() -> None:
        state.restore()

    async def restore_store() -> None:
        store.restore()

    lines = [
        Watched("the state directory", state.is_whole, restore_state),
        Watched("the database", store.is_in_place, restore_store),
        Watched("the shim's socket", machine.is_reachable, machine.listen_again),
        Watched("the terminals' socket", holders.is_reachable, holders.listen_again),
    ]
    if sockets is not None:
        lines.append(Watched("the API's socket", sockets.is_bound, sockets.rebind))
    return lines
