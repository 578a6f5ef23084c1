"""Why the environment is awake, as JSON: for `supervisor activity`, and in short for `supervisor status`.

    {"awake", "since", "sources": [{"kind", "source", "detail", "since", "seen"}], "last": {"source", "at"} | null,
     "heartbeat": null | {"url", "intervalSeconds", "state", "why", "due", "failures", "delivered", "failed",
                          "lateSeconds", "signals": [{"at", "source", "outcome", "why"}]}}

Moments are RFC 3339 in UTC, or null. `state` is `idle`, `waiting`, `sending` or `refused`; `due`: when the next signal
may go, if something is active then. The source that names the signal comes first, and the newest signal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from supervisor.activity.plane import Declined, Delivered, TokenRefused, Undelivered
from supervisor.activity.sighting import Sighting
from supervisor.model.moment import Instant
from supervisor.model.record import Environment
from supervisor.model.timestamp import rfc3339

if TYPE_CHECKING:
    from supervisor.activity.reporter import Reporter, SentSignal

Json = dict[str, Any]

_OUTCOMES = {Delivered: "delivered", Undelivered: "failed", Declined: "declined", TokenRefused: "refused"}


def explanation(
    sightings: Iterable[Sighting], environment: Environment | None, reporter: Reporter | None, now: Instant
) -> Json:
    """What is active, since when and why, and the last signals.

    Args:
        sightings: what is active now.
        environment: knows of the last activity, also of what is over.
        reporter: to the management plane; None: there is no plane.
        now: this moment.
    """
    named_first = sorted(sightings, key=lambda seen: (-seen.seen_s, seen.kind, seen.since_s))
    last = None
    if environment is not None and environment.active_s is not None:
        last = {"source": environment.active_source, "at": rfc3339(environment.active_s)}
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
        "heartbeat": None if reporter is None else _heartbeat(reporter, bool(named_first), now),
    }


def _heartbeat(reporter: Reporter, awake: bool, now: Instant) -> Json:
    beat = reporter.beat
    return {
        "url": reporter.plane.url,
        "intervalSeconds": reporter.plane.interval_s,
        "state": _state(reporter, awake),
        "why": reporter.token_problem or reporter.why,
        "due": _moment(max(beat.due_s, now.boot_s), now) if awake and not beat.refused else None,
        "failures": beat.failures,
        "delivered": reporter.delivered,
        "failed": reporter.failed,
        "lateSeconds": round(reporter.late_s, 3),
        "signals": [_sent(sent) for sent in reversed(reporter.signals)],
    }


def _state(reporter: Reporter, awake: bool) -> str:
    if reporter.beat.begun_s is not None:
        return "sending"
    if reporter.beat.refused or reporter.token_problem:
        return "refused"
    return "waiting" if awake else "idle"


def _sent(sent: SentSignal) -> Json:
    why = "" if isinstance(sent.result, Delivered) else sent.result.why
    return {
        "at": rfc3339(sent.at_wall_s),
        "source": sent.signal.source,
        "outcome": _OUTCOMES[type(sent.result)],
        "why": why,
    }


def _moment(boot_s: float, now: Instant) -> str:
    return rfc3339(now.wall_s - (now.boot_s - boot_s))
