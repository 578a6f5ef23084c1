"""A supervisor that does nothing that its API asks for; tests override what they need."""

from __future__ import annotations

from typing import Any

from supervisor.api.supervisor_handle import ConnectionOwner
from supervisor.config import Loaded
from supervisor.core.items.diff import Changes


class IdleSupervisor:
    """A `supervisor.api.supervisor_handle.SupervisorHandle`."""

    async def status(self) -> dict[str, Any]:
        return {}

    async def update_file(self, content: bytes | None, dry_run: bool) -> tuple[str, Loaded, Changes | None]:
        return "", Loaded(None), None

    async def look_for_file(self) -> None:
        pass

    def end(self, grace_s: float, detach: bool) -> None:
        pass

    async def upgrade(self) -> str:
        return "2.0"

    def recent_changes(self) -> dict[str, Any]:
        return {"forgotten": 0, "changes": []}

    def on_resume_report(self) -> bool:
        return True

    def on_serving(self, server: ConnectionOwner) -> None:
        pass

    def on_answering(self) -> None:
        pass

    def on_shortage(self, why: str) -> None:
        pass
