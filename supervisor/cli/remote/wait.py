"""Waits until a service or an execution of the running supervisor has reached a phase."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from supervisor.cli.remote.client import Client
from supervisor.cli.remote.responses import ConnectionLost, Json, RequestRefused
from supervisor.cli.terminal.tables import phase_of

T = TypeVar("T")


def until(client: Client, kind: str, id_: str, look: Callable[[], T | None]) -> T:
    """Call `look` now, and after every event of a resource, until it returns something; return that.

    The watch begins before the first look, so no change falls between the two; likewise after an upgrade of the
    supervisor. Raises ConnectionLost.
    """
    while True:
        try:
            with client.watch(kind, id_) as events:
                while (found := look()) is None:
                    next(events)
                return found
        except ConnectionLost:
            client.resume()


def service_settled(client: Client, id_: str) -> Json:
    """Wait until the wanted session of a service runs, or has ended. Returns the service."""

    def look() -> Json | None:
        service: Json = client.call("GetService", id=id_)["service"]
        ran = service["status"].get("session") == service["spec"].get("session")
        return service if ran and phase_of(service) in ("running", "stopped", "failed", "deleted") else None

    return until(client, "SERVICE", id_, look)


def service_at_rest(client: Client, id_: str) -> Json | None:
    """Wait until nothing of a service runs. Returns the service, or None if it is deleted."""

    def look() -> list[Json] | None:
        try:
            service: Json = client.call("GetService", id=id_)["service"]
        except RequestRefused as error:
            if error.code == "not_found":
                return []
            raise
        return [service] if phase_of(service) in ("stopped", "failed") else None

    return next(iter(until(client, "SERVICE", id_, look)), None)


def execution_ended(client: Client, id_: str) -> Json:
    """Wait until an execution has ended. Returns its phase, reason and exitStatus."""

    def look() -> Json | None:
        execution = client.execution(id_)
        return execution if execution["exitStatus"] is not None else None

    return until(client, "TASK_EXECUTION", id_, look)
