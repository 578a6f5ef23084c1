"""What the API asks of the supervisor beside commanding its engine, and what it tells it.

Light: the answers before the server is imported need it, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from supervisor.config import Loaded
from supervisor.core.items.diff import Changes


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a supervisor works, and where clients reach it. It never changes."""

    environment_id: str
    workspace: str
    socket: str
    url: str
    """Of the TCP address; empty if there is none."""
    started_mono_s: float
    """On the monotonic clock: the wall clock may be set while the supervisor runs."""


class StatusSource(Protocol):
    """Knows how the supervisor is."""

    async def status(self) -> dict[str, Any]:
        """The supervisor at a glance, as `GET /control/status` answers it."""


class ReleasedConnections(Protocol):
    """Connections that go on in the next program, by their descriptors."""

    @property
    def idle(self) -> tuple[int, ...]:
        """Those between two requests."""

    @property
    def begun(self) -> Mapping[int, bytes]:
        """Those whose call the next program answers, with what it must know of the call."""


class ConnectionOwner(Protocol):
    """The server, which holds the connections of clients."""

    async def release_connections(self) -> ReleasedConnections:
        """Answer what was asked, and give up the connections that go on."""


class SupervisorHandle(StatusSource, Protocol):
    """The supervisor, as the API sees it."""

    async def update_file(self, content: bytes | None, dry_run: bool) -> tuple[str, Loaded, Changes | None]:
        """Carry out the workspace's automations file, or a text in its place, unless this is a dry run.

        Returns the file's path, the verdict on it, and the changes. Raises NotFound, Precondition.
        """

    async def look_for_file(self) -> None:
        """A client may have set another path of the automations file: carry out that file."""

    def end(self, grace_s: float, detach: bool) -> None:
        """End the supervisor: stop everything with so much grace first or, with `detach`, leave it running."""

    async def upgrade(self) -> str:
        """Check the program on the disk and make way for it. Returns its version. Raises Precondition."""

    def recent_changes(self) -> dict[str, Any]:
        """What changed last: `{"forgotten": number, "changes": [{"time", "kind", "id", "reference", ...}]}`.

        `time` in seconds since the epoch; `before` and `after` are phases, null for a new thing and one that is gone.
        """

    def on_resume_report(self) -> bool:
        """The runner reports that the machine was resumed. Returns whether that was not known yet."""

    def on_serving(self, server: ConnectionOwner) -> None:
        """The server is made. An upgrade asks it for its connections."""

    def on_answering(self) -> None:
        """Clients are answered from now on."""

    def on_shortage(self, why: str) -> None:
        """Clients have to wait to be accepted, and why; with an empty text: they need not any more."""
