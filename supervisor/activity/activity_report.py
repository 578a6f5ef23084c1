"""Why the environment is awake, as JSON: for `supervisor activity`, and in short for `supervisor status`.

    {"awake", "since", "sources": [{"kind", "source", "detail", "since", "seen"}], "last": {"source", "at"} | null,
     "heartbeat": null | {"url", "intervalSeconds", "state", "why", "due", "failures", "delivered", "failed",
                          "lateSeconds", "signals": [{"at", "source", "outcome", "why"}]}}

Moments are RFC 3339 in UTC, or null. `state` is `idle`, `waiting`, `sending` or `refused`; `due`: when the next signal
may go, if something is active then. The source that names the signal comes first, and the newest signal.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from supervisor.activity.reporter import Pulse, Sent
from supervisor.activity.sighting import Sighting
from supervisor.activity.signal_result import Declined, Delivered, Failed, TokenRefused
from supervisor.model.moment import Instant
from supervisor.model.record import Environment

Json = dict[str, Any]

_OUTCOMES = {Delivered: "delivered", Failed: "failed", Declined: "declined", TokenRefused: "refused"}


def explanation(
    sightings: Iterable[Sighting], environment: Environment | None, pulse: Pulse | None, now: Instant
) -> Json:
    """All that is known of activity.

    Args:
        sightings: what is active now.
        environment: knows of the last activity, also of what is over.
        pulse: tells the management plane; None: nobody is told.
        now: this moment.
    """
    named_first = sorted(sightings, key=lambda seen: (-seen.seen_s, seen.kind, seen.since_s))
    last = None
    if environment is not None and environment.active_s is not None:
        last = {"source": environment.active_source, "at": _time(environment.active_s)}
    return {
        "awake": bool(named_first),
        "since": _moment(min(seen.since_s for seen in named_first), now) if named_first else None,
        "sources": [
            {
                "kind": seen.kind.name.lower().replace("_", "-"),
                "source": seen.source,
                "detail": seen.detail,
                "since": _moment(seen.since_s, now),
                "seen": _moment(seen.seen_s, now),
            }
            for seen in named_first
        ],
        "last": last,
        "heartbeat": None if pulse is None else _heartbeat(pulse, bool(named_first), now),
    }


def _heartbeat(pulse: Pulse, awake: bool, now: Instant) -> Json:
    beat = pulse.beat
    return {
        "url": pulse.plane.url,
        "intervalSeconds": pulse.plane.interval_s,
        "state": _state(pulse, awake),
        "why": pulse.token_problem or pulse.why,
        "due": _moment(max(beat.due_s, now.boot_s), now) if awake and not beat.refused else None,
        "failures": beat.failures,
        "delivered": pulse.delivered,
        "failed": pulse.failed,
        "lateSeconds": round(pulse.late_s, 3),
        "signals": [_sent(sent) for sent in reversed(pulse.signals)],
    }


def _state(pulse: Pulse, awake: bool) -> str:
    if pulse.beat.begun_s is not None:
        return "sending"
    if pulse.beat.refused or pulse.token_problem:
        return "refused"
    return "waiting" if awake else "idle"


def _sent(sent: Sent) -> Json:
    why = "" if isinstance(sent.verdict, Delivered) else sent.verdict.why
    return {
        "at": _time(sent.at_wall_s),
        "source": sent.signal.source,
        "outcome": _OUTCOMES[type(sent.verdict)],
        "why": why,
    }


def _moment(boot_s: float, now: Instant) -> str:
    return _time(now.wall_s - (now.boot_s - boot_s))


def _time(wall_s: float) -> str:
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
