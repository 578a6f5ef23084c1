"""The events of the environment as they arrive, and the services and tasks whose runs they concern."""

from __future__ import annotations

from collections.abc import Iterator

from supervisor.cli.remote import references
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.live_response import LiveResponse
from supervisor.cli.remote.responses import ConnectionLost, Json, event_of
from supervisor.cli.remote.run_choice import TASK
from supervisor.cli.terminal.tables import phase_of

ANYTHING = "", ""
"""In the place of a resource's type and id."""


class EventWatch:
    """Watches the environment, and tells which items to look at."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._response: LiveResponse | None = None
        self._received = b""
        self.changed: set[tuple[str, str]] = set()
        """`(type, id)` of resources; ANYTHING: whatever there is."""
        self._begun: set[str] = set()
        """The paths of the logs of steps that need no look any more."""

    def open(self) -> None:
        """Watch from now on."""
        self._response = self._client.open_events()
        self._received = b""

    def fileno(self) -> int:
        """For poll()."""
        assert self._response is not None
        return self._response.fileno()

    def take(self) -> None:
        """Read what has arrived. Raises ConnectionLost."""
        assert self._response is not None
        *lines, self._received = (self._received + self._response.read()).split(b"\n")
        if self._response.ended:
            raise ConnectionLost
        for line in filter(None, lines):
            event = event_of(line)
            kind = event.get("resourceType", "").removeprefix("RESOURCE_TYPE_")
            self.changed.add((kind, event.get("resourceId", "")))

    def close(self) -> None:
        """Watch no more."""
        if self._response is not None:
            self._response.close()

    def services(self, changed: set[tuple[str, str]]) -> set[str]:
        """The ids of the services of which something has changed."""
        return {id_ for kind, id_ in changed if kind == "SERVICE"}

    def runs_begun(self, changed: set[tuple[str, str]]) -> Iterator[Json]:
        """The runs of tasks that have begun since the last call, as steps of executions. Raises ConnectionLost.

        Each in the form of `Client.runs`, with the path of its log; executions may share a run.
        """
        for kind, id_ in changed:
            if (
                kind == "TASK_EXECUTION"
                and (execution := references.execution(self._client, id_)) is not None
            ):
                yield from self._runs_begun(execution)

    def _runs_begun(self, execution: Json) -> Iterator[Json]:
        phases = {step["id"]: phase_of({"status": step}) for step in execution["status"].get("steps", [])}
        for group in execution["spec"].get("plan", []):
            for step in group["steps"]:
                path = f"executions/{execution['id']}/steps/{step['id']}"
                if (
                    "task" not in step
                    or path in self._begun
                    or phases.get(step["id"], "pending") == "pending"
                ):
                    continue
                self._begun.add(path)
                yield {
                    "id": path,
                    "path": path,
                    "itemId": step["task"]["id"],
                    "reference": step["label"],
                    "kind": TASK,
                    "startedAt": None,
                    "end": "",
                }
