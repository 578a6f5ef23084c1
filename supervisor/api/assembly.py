"""Puts the server together: who may call, what is served, what it looks at.

Imported once the first commands run: it brings in aiohttp, protobuf and connectrpc.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from connectrpc.server import ConnectASGIApplication

from connect_server.codecs import codecs
from connect_server.http.access import Access
from connect_server.http.server import Limits, Server
from connect_server.http.tokens import Tokens
from connect_server.interceptor import Interceptor
from connect_server.service_routes import Site as ServiceSite
from connect_server.service_routes import service_routes
from connect_server.validation import Validator
from platform_wire import PREFIXES, SERVICES
from platform_wire.environment_automation_connect import EnvironmentAutomationServiceASGIApplication
from platform_wire.environment_connect import EnvironmentServiceASGIApplication
from platform_wire.event_connect import EventServiceASGIApplication
from platform_wire.identity_connect import IdentityServiceASGIApplication
from platform_wire.rules import RULES
from supervisor.activity.activity import Activity
from supervisor.api.control import (
    control_activity,
    control_recent,
    control_resumed,
    control_routes,
    control_steps,
    control_upgrade,
)
from supervisor.api.http.access_policy import LIFETIMES_S, PROGRAM, AccessPolicy, Scope, doors, issuer
from supervisor.api.http.early_status import Status
from supervisor.api.http.metrics import Metrics
from supervisor.api.http.sockets import Sockets, room_for_clients
from supervisor.api.logs import log_routes
from supervisor.api.logs.chunks import NoSecrets
from supervisor.api.platform.automation_service import Automation
from supervisor.api.platform.environment_service import EnvironmentApi
from supervisor.api.platform.event_service import Events
from supervisor.api.platform.identity_service import Identity
from supervisor.api.platform.to_wire import Translator
from supervisor.engine import Engine
from supervisor.host.proc.loop_lag import EventLoopLag


@dataclass(frozen=True, slots=True)
class Site:
    """What is served, and for whom."""

    engine: Engine
    activity: Activity
    sockets: Sockets
    environment_id: str
    workspace: Path
    state: Path
    """The state directory."""
    update_file: control_routes.UpdateFile
    file_moved: Callable[[], Awaitable[None]]
    """See `EnvironmentApi`."""
    end: Callable[[float, bool], None]
    """Ends the supervisor, see `control.Hands`."""
    upgrade: Callable[[], Awaitable[str]]
    """See `control_upgrade`."""
    recent: Callable[[], dict[str, Any]]
    """See `control_recent`."""
    lag: EventLoopLag
    status: Status
    ready: Callable[[], None] = lambda: None
    """Is called once clients are answered."""
    connections: Sequence[int] = ()
    """See `Server`."""
    on_serving: Callable[[Callable[[], Awaitable[tuple[int, ...]]]], None] = lambda _: None
    """Is given the server's `hand_over`."""
    public_url: str = ""
    """What clients reach this supervisor by; empty: the address that it listens on."""
    host_names: Sequence[str] = ()
    origins: Sequence[str] = ()
    peers: Sequence[int] = ()
    """Users who may use the Unix socket, beside root and our own."""
    resumed: Callable[[], bool] = lambda: False
    """Somebody tells that the machine was resumed; returns whether that was news."""
    clients_met: Callable[[str], None] = lambda _why: None
    """Told why clients have to wait to be accepted, and with an empty text once none has to."""
    drain_grace_s: float = 30.0
    """What a shutdown has that does not say."""


async def serve(site: Site) -> None:
    """Serve a site until cancelled."""
    tokens = _tokens(site)
    translator = Translator(site.environment_id, (site.public_url or site.sockets.url).rstrip("/"))
    started_s = time.time()
    metrics = Metrics(
        lambda: site.engine.world.records,
        site.engine.hub,
        site.state / "runs",
        lambda: site.engine.hub.readers,
        site.activity.signals,
    )
    site.lag.observer = metrics.lag
    hands = control_routes.Hands(tokens.mint, site.update_file, site.end, site.drain_grace_s)
    stopping = asyncio.Event()
    server = Server(
        PROGRAM,
        site.sockets,
        Access(
            PROGRAM,
            tokens,
            AccessPolicy(site.environment_id, site.peers),
            doors(site.host_names, site.origins),
        ),
        [
            *service_routes(
                _services(site, translator, tokens, started_s, stopping),
                ServiceSite(PROGRAM.name, SERVICES, PREFIXES),
            ),
            *log_routes.routes(site.engine.world.records, site.engine.hub, site.state / "runs", NoSecrets()),
            *control_routes.routes(site.engine, site.status, hands),
            *control_activity.routes(site.activity),
            *control_recent.routes(site.recent),
            *control_resumed.routes(site.resumed),
            *control_steps.routes(site.engine.world.records),
            *control_upgrade.routes(site.upgrade),
        ],
        observer=_Observer(metrics, site.clients_met),
        limits=Limits(room_for_clients()),
        connections=site.connections,
        stopping=stopping,
    )
    site.on_serving(server.release_connections)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(metrics.run)
        await server.run(site.ready)


class _Observer:
    """What the server tells of this supervisor, and tells it."""

    def __init__(self, metrics: Metrics, clients_met: Callable[[str], None]) -> None:
        self._metrics = metrics
        self._clients_met = clients_met

    async def metrics(self) -> bytes:
        return await self._metrics.text()

    def not_ready(self) -> str:
        return ""

    def on_shortage(self, why: str) -> None:
        self._clients_met(why)


def _tokens(site: Site) -> Tokens:
    """With the kept key or, where that cannot be, with one for this life: the socket needs none."""
    path, signer = site.state / "token.key", issuer(site.environment_id)
    try:
        return Tokens.kept(path, signer)
    except OSError as error:
        text = "cannot keep the key of tokens in %s: %s; tokens are good until the supervisor ends"
        logging.getLogger(__name__).warning(text, path, error.strerror)
        return Tokens.fleeting(signer)


def _services(
    site: Site, translator: Translator, tokens: Tokens, started_s: float, stopping: asyncio.Event
) -> list[ConnectASGIApplication[Any]]:
    """The services of the platform's API, behind the rules of the wire."""
    environment = EnvironmentApi(
        site.engine,
        site.activity,
        translator,
        lambda scope: tokens.mint(scope, LIFETIMES_S[Scope(scope)]),
        site.file_moved,
        started_s,
    )
    interceptor = Interceptor(PROGRAM, Validator(RULES), stopping)
    options: dict[str, Any] = {"interceptors": (interceptor,), "codecs": codecs()}
    return [
        EnvironmentAutomationServiceASGIApplication(Automation(site.engine, translator), **options),
        EnvironmentServiceASGIApplication(environment, **options),
        EventServiceASGIApplication(Events(site.engine, site.environment_id), **options),
        IdentityServiceASGIApplication(Identity(translator), **options),
    ]
