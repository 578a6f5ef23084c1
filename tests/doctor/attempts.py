"""An attempt at one endpoint, as the tests make it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import anyio

from supervisor.doctor.endpoint_list import Endpoint
from supervisor.doctor.findings import Finding
from supervisor.doctor.network import assessment
from supervisor.doctor.network.attempt import attempt
from supervisor.doctor.network.observation import Observation
from supervisor.doctor.network.proxy import Proxies
from supervisor.doctor.network.target import Circumstances, Target, targets
from supervisor.doctor.network.tls import Trust
from tests.doctor.servers import Authority

PATIENCE_S = 30.0
"""For what answers at once on an idle machine."""
SHORT_S = 1.0
"""For what never answers."""
NOTHING: Mapping[str, str] = MappingProxyType({})


def target(url: str, **more: Any) -> Target:
    """The endpoint with this URL."""
    (made,) = targets([Endpoint("Test", True, url, **more)], Circumstances())
    assert isinstance(made, Target)
    return made


def trust(*authorities: Authority) -> Trust:
    """Trusts these CAs, and what the machine itself does."""
    made = Trust.of_machine()
    for authority in authorities:
        authority.ca.configure_trust(made.verifying)
    return made


def see(
    endpoint: Target,
    *trusted: Authority,
    timeout_s: float = PATIENCE_S,
    environ: Mapping[str, str] = NOTHING,
) -> Observation:
    """What an attempt sees."""
    return anyio.run(attempt, endpoint, Proxies(environ), trust(*trusted), timeout_s)


def find(endpoint: Target, *trusted: Authority, **more: Any) -> Finding:
    """What an attempt comes to."""
    return assessment.finding(endpoint, see(endpoint, *trusted, **more), time.time())
