"""The heartbeat: when a signal goes to the management plane. A state machine without a clock.

READY     nothing is under way
SENDING   a signal is under way; there is never a second one
REFUSED   the plane does not accept the token

| state   | on                           | then                                                      |
|---------|------------------------------|-----------------------------------------------------------|
| READY   | nothing is active            | wait for activity                                         |
| READY   | active, not due yet          | wait until it is due                                      |
| READY   | active and due, no token     | wait for a token                                          |
| READY   | active and due               | SENDING: send                                             |
| SENDING | anything but its result      | wait for the result                                       |
| SENDING | Delivered                    | READY, due one interval after the signal was begun        |
| SENDING | Undelivered                  | READY, due after the backoff, or when the plane asks for  |
| SENDING | Declined                     | READY, due one interval later                             |
| SENDING | TokenRefused                 | REFUSED                                                   |
| REFUSED | the same token, or none      | wait for another one                                      |
| REFUSED | another token                | READY, due after the backoff that its refusals have earned|

So activity after a quiet interval is signalled at once, and between two delivered signals there is always an interval,
however often activity comes and goes. There is one due time and no queue: after a day without the plane, or a suspend
of the machine, one signal goes, about now.

The backoff doubles with every failure in a row, up to the interval. Each wait is drawn from the upper half of it, so
that environments that lost the plane together do not come back together. A delivered signal resets it.

Moments and the interval are seconds of `Instant.boot_s`. Chance is an argument: `jitter`, from 0 up to but not 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import assert_never

from supervisor.activity.plane import INTERVAL_S, Declined, Delivered, SignalResult, TokenRefused, Undelivered
from supervisor.activity.sighting import Signal

FIRST_RETRY_S = 5.0


@dataclass(frozen=True, slots=True)
class HeartbeatPace:
    """How often signals go."""

    interval_s: float = INTERVAL_S
    first_retry_s: float = FIRST_RETRY_S
    """The backoff after the first failure; never more than the interval."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The machine's state. REFUSED: `refused` is the token; SENDING: `begun_s` is set."""

    due_s: float = -math.inf
    """When the next signal may go, if there is activity then."""
    failures: int = 0
    """How many failed since the last delivered one."""
    begun_s: float | None = None
    """When the signal that is under way was sent."""
    refused: str = ""
    """The token that the plane refused; empty: none."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send a signal, now."""

    signal: Signal
    token: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing until a moment or, if there is none, until something else changes."""

    until_s: float | None = None
    why: str = ""
    """For people."""


def decide(
    beat: Heartbeat, signal: Signal | None, token: str | None, now_s: float
) -> tuple[Heartbeat, Send | Wait]:
    """What to do now.

    Args:
        beat: the state.
        signal: what there is to send; None: nothing is active.
        token: the present one; None: there is none.
        now_s: this moment.
    """
    if beat.begun_s is not None:
        return beat, Wait(why="a signal is under way")
    if beat.refused and token in (beat.refused, None):
        return beat, Wait(why="the management plane refuses the token, and there is no other yet")
    if beat.refused:
        return decide(replace(beat, refused=""), signal, token, now_s)
    if signal is None:
        return beat, Wait(why="nothing is active")
    if token is None:
        return beat, Wait(why="there is no token")
    if now_s < beat.due_s:
        return beat, Wait(beat.due_s)
    return replace(beat, begun_s=now_s), Send(signal, token)


def conclude(
    beat: Heartbeat, sent: Send, result: SignalResult, pace: HeartbeatPace, jitter: float, now_s: float
) -> Heartbeat:
    """The state after the result of the signal that was under way."""
    assert beat.begun_s is not None
    failures = beat.failures + 1
    match result:
        case Delivered():
            return Heartbeat(due_s=beat.begun_s + pace.interval_s)
        case Declined():
            return Heartbeat(due_s=now_s + pace.interval_s, failures=failures)
        case Undelivered(_, retry_after_s):
            asked_s = min(retry_after_s or 0.0, pace.interval_s)
            return Heartbeat(due_s=now_s + max(backoff(failures, pace, jitter), asked_s), failures=failures)
        case TokenRefused():
            due_s = now_s + backoff(failures, pace, jitter)
            return Heartbeat(due_s=due_s, failures=failures, refused=sent.token)
        case _:
            assert_never(result)


def restored(due_s: object, pace: HeartbeatPace, now_s: float) -> Heartbeat:
    """The state to continue with after another supervisor. `due_s`: its own, if it was persisted."""
    if not isinstance(due_s, int | float):
        return Heartbeat()
    return Heartbeat(due_s=min(float(due_s), now_s + pace.interval_s))


def backoff(failures: int, pace: HeartbeatPace, jitter: float) -> float:
    """How long to wait after so many failures in a row, at least 1."""
    doublings = min(
        failures - 1, 30
    )  # the interval is reached long before, and a float holds no more than 1023
    most_s = min(math.ldexp(pace.first_retry_s, doublings), pace.interval_s)
    return most_s * (0.5 + 0.5 * jitter)
