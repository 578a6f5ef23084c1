"""Waits until a service or an execution of the running supervisor is where it should be."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from supervisor.cli.remote.client import Client, Json, Refused, WentAway
from supervisor.cli.terminal.tables import phase_of

T = TypeVar("T")


def until(client: Client, kind: str, id_: str, look: Callable[[], T | None]) -> T:
    """Look now, and whenever something happens to a resource, until there is something to see; returns that.

    The watch begins before the first look, so nothing falls between, nor does when the supervisor is upgraded. Raises
    WentAway.
    """
    while True:
        try:
            with client.watch(kind, id_) as events:
                while (found := look()) is None:
                    next(events)
                return found
        except WentAway:
            client.resume()


def service_settled(client: Client, id_: str) -> Json:
    """Wait until the session that is wanted of a service runs, or has ended; returns the service."""

    def look() -> Json | None:
        service: Json = client.call("GetService", id=id_)["service"]
        ran = service["status"].get("session") == service["spec"].get("session")
        return service if ran and phase_of(service) in ("running", "stopped", "failed", "deleted") else None

    return until(client, "SERVICE", id_, look)


def service_at_rest(client: Client, id_: str) -> Json | None:
    """Wait until nothing of a service lives; returns it, or None if it is gone."""

    def look() -> list[Json] | None:
        try:
            service: Json = client.call("GetService", id=id_)["service"]
        except Refused as error:
            if error.code == "not_found":
                return []
            raise
        return [service] if phase_of(service) in ("stopped", "failed") else None

    return next(iter(until(client, "SERVICE", id_, look)), None)


def execution_ended(client: Client, id_: str) -> Json:
    """Wait until an execution is over; returns how: phase, reason, exitStatus."""

    def look() -> Json | None:
        execution = client.execution(id_)
        return execution if execution["exitStatus"] is not None else None

    return until(client, "TASK_EXECUTION", id_, look)
