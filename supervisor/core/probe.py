"""Ready probes: what the end of one means, and what a service's log says of it."""

from __future__ import annotations

from supervisor.lean.frozen import replace
from supervisor.model.action import Action, Note
from supervisor.model.exit import SUCCESS, exit_text
from supervisor.model.fact import Exited
from supervisor.model.moment import Now
from supervisor.model.phase import ServicePhase
from supervisor.model.record import Service

INTERVAL_S = 1.0
TIMEOUT_S = 10.0
NOTE_INTERVAL_S = 30.0
"""The log says what is new of the probes so often at most, and how the last one ended when readiness is given up."""
_LAST_LINE = 200


def ended(service: Service, fact: Exited, now: Now) -> Service:
    """The record once its probe has ended."""
    if service.phase is not ServicePhase.STARTING:
        return replace(service, probe=None)
    ready = fact.exit == SUCCESS
    late = service.probe_kill_at is None
    ended = f"did not end within {TIMEOUT_S:g} s" if late else exit_text(fact.exit)
    reason = "" if ready else _with_last_line(f"probe {ended}", fact.tail)
    # A test that fails without a word is how most services become ready, and clients read the log as the service's own.
    silent = not late and not fact.tail.strip()
    return replace(
        service,
        probe=None,
        probe_kill_at=None,
        ready=ready,
        probe_at=None if ready else now.mono_s + INTERVAL_S,
        reason=reason,
        noted=reason if silent else service.noted,
        probe_tail="" if ready else fact.tail,
    )


def _with_last_line(text: str, tail: str) -> str:
    last = next((line.strip() for line in reversed(tail.splitlines()) if line.strip()), "")
    return f"{text}: {last[:_LAST_LINE]}" if last else text


def is_news(service: Service, now: Now) -> bool:
    """Whether the log is to say how the last probe ended."""
    if service.reason == service.noted:
        return False
    return service.noted_at is None or now.mono_s - service.noted_at >= NOTE_INTERVAL_S


def note(service: Service, now: Now) -> tuple[Service, tuple[Action, ...]]:
    """Tell in the service's log how the last probe ended, and with which last words."""
    assert service.start is not None
    *before, _ = service.probe_tail.strip().splitlines() or [""]
    text = "\n".join([*before, service.reason])
    return replace(service, noted=service.reason, noted_at=now.mono_s), (Note(service.start, text),)
