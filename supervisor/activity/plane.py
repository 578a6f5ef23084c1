"""The management plane, as the settings tell of it."""

from __future__ import annotations

from collections.abc import Callable

from supervisor.activity.heartbeat import INTERVAL_S
from supervisor.lean.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Plane:
    """Whom to tell, and who we are there."""

    url: str
    """The base of its API; may end in `/api`."""
    environment_id: str
    token: Callable[[], str]
    """The token as it is now. Raises SupervisorError with a sentence while there is none."""
    interval_s: float = INTERVAL_S
