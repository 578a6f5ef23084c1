"""The supervisor as its API sees it: a `supervisor.api.supervisor_handle.SupervisorHandle`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisor.api.control.control_status import health_json, status_json, terminals_json
from supervisor.api.supervisor_handle import ConnectionOwner, Endpoints
from supervisor.boot.crash import files

if TYPE_CHECKING:
    from supervisor.api.http.sockets import Sockets
    from supervisor.boot.serve.edges import Edges
    from supervisor.boot.supervisor import Supervisor
    from supervisor.config import Loaded
    from supervisor.core.items.diff import Changes


class RunningSupervisor:
    """Passes on what clients want, to the part that does it."""

    def __init__(self, supervisor: Supervisor, edges: Edges, sockets: Sockets) -> None:
        self._supervisor = supervisor
        self._edges = edges
        self._endpoints = Endpoints(
            supervisor.environment_id,
            str(supervisor.settings.workspace),
            str(sockets.path),
            sockets.url,
            supervisor.engine.now().mono_s,
        )

    async def status(self) -> dict[str, Any]:
        """From the records, the conditions of the machine, the event loop and activity."""
        supervisor, edges = self._supervisor, self._edges
        seen = status_json(supervisor.engine, self._endpoints, supervisor.conditions.as_json())
        health = health_json(edges.lag, files(supervisor.state.path))
        terminals = terminals_json(await edges.holders.seen())
        return seen | health | {"activity": await edges.activity.explain(), "terminals": terminals}

    async def update_file(self, content: bytes | None, dry_run: bool) -> tuple[str, Loaded, Changes | None]:
        """See `Automations.update`."""
        return await self._supervisor.automations.update(content, dry_run)

    async def look_for_file(self) -> None:
        """See `Automations.moved`."""
        await self._supervisor.automations.moved()

    def end(self, grace_s: float, detach: bool) -> None:
        """See `Lifecycle.end`."""
        self._supervisor.lifecycle.end(grace_s, detach)

    async def upgrade(self) -> str:
        """See `Upgrade.prepare`."""
        return await self._edges.upgrade.prepare()

    def recent_changes(self) -> dict[str, Any]:
        """See `RecentChanges.as_json`."""
        return self._supervisor.recent_changes.as_json()

    def on_resume_report(self) -> bool:
        """See `ResumeWatch.on_report`."""
        return self._edges.resume_watch.on_report()

    def on_serving(self, server: ConnectionOwner) -> None:
        """See `Upgrade.on_serving`."""
        self._edges.upgrade.on_serving(server)

    def on_answering(self) -> None:
        """See `Edges.on_answering`."""
        self._edges.on_answering()

    def on_shortage(self, why: str) -> None:
        """Report it as a condition of the machine."""
        self._supervisor.conditions.on_problem("clients", why)
