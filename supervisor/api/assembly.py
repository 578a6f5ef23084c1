"""Puts the server together: who may call, what is served, what it looks at.

Imported once the first commands run: it brings in aiohttp, protobuf and connectrpc.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.api import logs
from supervisor.api.access import Access
from supervisor.api.automation import Automation
from supervisor.api.codecs import codecs
from supervisor.api.environment import EnvironmentApi
from supervisor.api.events import Events
from supervisor.api.identity import Identity
from supervisor.api.screen import Screen
from supervisor.api.server import Server
from supervisor.api.sockets import Sockets
from supervisor.api.tokens import Scope, Tokens
from supervisor.api.translate import Translator
from supervisor.api.validation import problem
from supervisor.api.wire.environment_automation_connect import EnvironmentAutomationServiceASGIApplication
from supervisor.api.wire.environment_connect import EnvironmentServiceASGIApplication
from supervisor.api.wire.event_connect import EventServiceASGIApplication
from supervisor.api.wire.identity_connect import IdentityServiceASGIApplication
from supervisor.engine import Engine

LOGS_TOKEN_S = 3600.0
ACCESS_TOKEN_S = 24 * 3600.0
LIFETIMES = {"logs": LOGS_TOKEN_S, "environment": ACCESS_TOKEN_S}


@dataclass(frozen=True, slots=True)
class Site:
    """What the server serves and where."""

    engine: Engine
    sockets: Sockets
    environment_id: str
    runs: Path
    key: Path
    """The file of the key that signs tokens."""
    read_file: Callable[[], object]
    public_url: str = ""
    """What clients reach this supervisor by; empty: the address that it listens on."""
    host_names: Sequence[str] = ()
    origins: Sequence[str] = ()


def assemble(site: Site) -> Server:
    """The server of a site. Raises MachineError if the key of its tokens cannot be kept."""
    tokens = Tokens.kept(site.key, site.environment_id)
    translator = Translator(site.environment_id, (site.public_url or site.sockets.url).rstrip("/"))
    screen = Screen(problem, lambda: server.stopping)
    options: dict[str, Any] = {"interceptors": (screen,), "codecs": codecs()}
    environment = EnvironmentApi(
        site.engine,
        translator,
        lambda scope: tokens.mint(Scope(scope), LIFETIMES[scope]),
        site.read_file,
        time.time(),
    )
    server = Server(
        site.sockets,
        Access(tokens, site.environment_id, site.host_names, site.origins),
        [
            EnvironmentAutomationServiceASGIApplication(Automation(site.engine, translator), **options),
            EnvironmentServiceASGIApplication(environment, **options),
            EventServiceASGIApplication(Events(site.engine, site.environment_id), **options),
            IdentityServiceASGIApplication(Identity(translator), **options),
        ],
        logs.routes(site.engine.world.records, site.engine.hub, site.runs, frozenset),
    )
    return server
