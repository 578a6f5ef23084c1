"""One line that says what a supervisor does and waits for, for a log or `systemctl status`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from supervisor.core import queries
from supervisor.core.records import Records
from supervisor.lean.typing import assert_never
from supervisor.model.phase import ServicePhase

MOST_NAMES = 3
"""So many of what is waited for are named; of the rest the number."""


def summary(records: Records) -> str:
    """For example `1 service and 2 tasks run; waiting for service web to be ready`."""
    running = queries.services_by_phase(records)[ServicePhase.RUNNING]
    live = len(records.live)
    parts = [text for text in (_count(running, "service"), _count(live, "task")) if text]
    state = "stopping everything" if records.draining else " and ".join(parts) or "nothing"
    verb = "" if records.draining else " runs" if running + live <= 1 else " run"
    return "; ".join(
        [
            state + verb,
            *_naming("waiting for", _waiting_for(records)),
            *_naming(
                "failed:",
                (f"service {service.item.reference}" for service in queries.failed_services(records)),
            ),
        ]
    )


def _waiting_for(records: Records) -> Iterator[str]:
    if queries.file_is_awaited(records):
        yield "a good version of the automations file"
    for wait in queries.waits(records):
        match wait:
            case queries.ServiceWait(service, until):
                why = (
                    f" ({service.reason})"
                    if service.reason and service.phase is ServicePhase.STARTING
                    else ""
                )
                yield f"service {service.item.reference} {until}{why}"
            case queries.ExecutionWait(execution):
                yield f"task {execution.reference} to end"
            case _:
                assert_never(wait)


def _naming(verb: str, names: Iterable[str]) -> list[str]:
    """Nothing, if there are no names."""
    known = list(names)
    more = [f"{len(known) - MOST_NAMES} more"] if len(known) > MOST_NAMES else []
    return [f"{verb} {', '.join(known[:MOST_NAMES] + more)}"] if known else []


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number > 1 else ''}" if number else ""
