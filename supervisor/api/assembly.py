"""Puts the API together: who may call, and what is served.

Imported once the first commands run: it brings in aiohttp and protobuf.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from connect_server.calls import Handler, Surroundings
from connect_server.http.access import Access
from connect_server.http.server import Limits, Released, Server
from connect_server.http.tokens import Tokens
from connect_server.service_routes import Mount, service_routes
from connect_server.validation import Validator
from platform_wire import OTHERS, PREFIXES, SERVICES
from platform_wire.rules import RULES
from supervisor.activity.activity import Activity
from supervisor.api.control.control_operations import ControlOperations
from supervisor.api.control.control_routes import Control
from supervisor.api.http.access_policy import PROGRAM, AccessPolicy, TokenMint, host_policy, issuer
from supervisor.api.http.metrics import Metrics
from supervisor.api.http.sockets import Sockets, room_for_clients
from supervisor.api.logs import log_routes
from supervisor.api.logs.chunks import NoSecrets
from supervisor.api.ops.capability_calls import CapabilityCalls
from supervisor.api.ops.exec_calls import ExecCalls
from supervisor.api.ops.large_answers import LargeAnswers
from supervisor.api.ops.operation_runner import OperationRunner, UsedIds
from supervisor.api.ops.terminal_calls import TerminalCalls
from supervisor.api.ops.workspace_calls import WorkspaceCalls
from supervisor.api.platform.automation_service import AutomationService
from supervisor.api.platform.environment_service import EnvironmentService, IdentityService
from supervisor.api.platform.environment_urls import EnvironmentUrls
from supervisor.api.platform.event_service import EventService
from supervisor.api.platform.to_wire import Translator
from supervisor.api.supervisor_handle import SupervisorHandle
from supervisor.engine import Engine
from supervisor.host.proc.loop_lag import EventLoopLag
from supervisor.host.work_place import WorkPlace
from supervisor.terminals.holder_client import HolderClient
from supervisor.terminals.terminal_maker import TerminalMaker


@dataclass(frozen=True, slots=True)
class ApiParts:
    """What is served, and for whom."""

    engine: Engine
    activity: Activity
    supervisor: SupervisorHandle
    sockets: Sockets
    lag: EventLoopLag
    used_ids: UsedIds
    environment_id: str
    state: Path
    """The state directory."""
    place: WorkPlace
    """Where clients work."""
    holders: HolderClient
    """Reaches the processes that hold terminals."""
    maker: TerminalMaker
    """Says what terminals begin with."""
    drain_grace_s: float = 30.0
    """Of a shutdown that names none."""
    public_url: str = ""
    """The URL by which clients reach this supervisor; empty: the address that it listens on."""
    host_names: Sequence[str] = ()
    origins: Sequence[str] = ()
    users: Sequence[int] = ()
    """Who may use the Unix socket, beside root and our own user."""
    connections: Sequence[int] = ()
    """Descriptors of connections that were accepted before there was a server."""
    begun: Mapping[int, bytes] = field(default_factory=dict)
    """Those of connections whose call a program before this one has begun, as it gave them up."""


async def serve(parts: ApiParts) -> None:
    """Serve clients until cancelled."""
    records, hub, runs = parts.engine.world.records, parts.engine.hub, parts.state / "runs"
    tokens, stopping = _tokens(parts), asyncio.Event()
    mint = TokenMint(tokens)
    large = LargeAnswers()
    workspace = WorkspaceCalls(parts.place, large, lambda: records.revision)
    runner = OperationRunner(parts.engine, parts.used_ids, parts.place.workspace)
    commands = ExecCalls(runner, runs, large, stopping)
    metrics = Metrics(records, hub, runs, parts.activity, parts.holders)
    parts.lag.observer = metrics.lag
    control = Control(parts.engine, parts.activity, parts.supervisor, mint, parts.drain_grace_s, runs)
    server = Server(
        PROGRAM,
        parts.sockets,
        Access(
            PROGRAM,
            tokens,
            AccessPolicy(parts.environment_id, parts.users),
            host_policy(parts.host_names, parts.origins),
        ),
        [
            *service_routes(
                [*_services(parts, mint, workspace), commands],
                Mount(Surroundings(PROGRAM, Validator(RULES), stopping), (*SERVICES, *OTHERS), PREFIXES),
            ),
            *log_routes.routes(records, hub, runs, NoSecrets()),
            *control.routes(),
            *ControlOperations(records, runner, runs).routes(),
        ],
        observer=_Observer(metrics, parts.supervisor),
        limits=Limits(room_for_clients()),
        connections=Released(tuple(parts.connections), parts.begun),
        stopping=stopping,
    )
    parts.supervisor.on_serving(server)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(metrics.run)
        tasks.start_soon(workspace.run)
        await server.run(parts.supervisor.on_answering)


class _Observer:
    """What the server says of this supervisor, and reports to it."""

    def __init__(self, metrics: Metrics, supervisor: SupervisorHandle) -> None:
        self._metrics = metrics
        self._supervisor = supervisor

    async def metrics(self) -> bytes:
        return await self._metrics.text()

    def not_ready(self) -> str:
        return ""  # it is ready as soon as it answers

    def on_shortage(self, why: str) -> None:
        self._supervisor.on_shortage(why)


def _tokens(parts: ApiParts) -> Tokens:
    """Tokens by the key in the state directory or, where that cannot be kept, by one of this process."""
    path, signer = parts.state / "token.key", issuer(parts.environment_id)
    try:
        return Tokens.kept(path, signer)
    except OSError as error:
        text = "cannot keep the key of tokens in %s: %s; tokens are good until the supervisor ends"
        logging.getLogger(__name__).warning(text, path, error.strerror)
        return Tokens.fleeting(signer)


def _services(parts: ApiParts, mint: TokenMint, workspace: WorkspaceCalls) -> list[Handler]:
    """The services of the platform's API."""
    engine, supervisor = parts.engine, parts.supervisor
    public_url = parts.public_url.rstrip("/")
    translator = Translator(parts.environment_id, public_url or parts.sockets.url)
    environment = EnvironmentService(
        engine,
        parts.activity,
        translator,
        mint,
        supervisor,
        time.time(),
        EnvironmentUrls(public_url, parts.sockets.url, next(iter(parts.users), None)),
        parts.place.workspace,
        workspace,
    )
    return [
        AutomationService(engine, translator),
        environment,
        EventService(engine, parts.environment_id),
        IdentityService(translator),
        CapabilityCalls(),
        workspace,
        TerminalCalls(engine, parts.activity, parts.holders, parts.maker),
    ]
