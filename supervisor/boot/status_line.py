"""One line that says what a supervisor does and waits for, for a log or `systemctl status`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from supervisor.core.records import Records
from supervisor.model.phase import ServicePhase

MOST_NAMES = 3
"""So many of what is waited for are named; of the rest the number."""


def summary(records: Records) -> str:
    """For example `1 service and 2 tasks run; waiting for service web to be ready`."""
    running = sum(service.phase is ServicePhase.RUNNING for service in records.services.values())
    live = len(records.live)
    parts = [text for text in (_count(running, "service"), _count(live, "task")) if text]
    state = "stopping everything" if records.draining else " and ".join(parts) or "nothing"
    verb = "" if records.draining else " runs" if running + live <= 1 else " run"
    failed = [s.item.reference for s in records.services.values() if s.phase is ServicePhase.FAILED]
    return "; ".join(
        [
            state + verb,
            *_naming("waiting for", _waiting_for(records)),
            *_naming("failed:", (f"service {reference}" for reference in failed)),
        ]
    )


def _waiting_for(records: Records) -> Iterator[str]:
    if records.environment is not None and records.environment.file_awaited:
        yield "a good version of the automations file"
    for service in records.services.values():
        if service.phase is ServicePhase.STARTING:
            why = f" ({service.reason})" if service.reason else ""
            yield f"service {service.item.reference} to be ready{why}"
        elif service.phase is ServicePhase.STOPPING:
            yield f"service {service.item.reference} to end"
    for id_ in records.live:
        yield f"task {records.executions[id_].reference} to end"


def _naming(verb: str, names: Iterable[str]) -> list[str]:
    """Nothing, if there are no names."""
    known = list(names)
    more = [f"{len(known) - MOST_NAMES} more"] if len(known) > MOST_NAMES else []
    return [f"{verb} {', '.join(known[:MOST_NAMES] + more)}"] if known else []


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number > 1 else ''}" if number else ""
