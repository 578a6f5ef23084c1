"""Sightings: what is active now, as the sources see it, and which of it a signal names.

    active now   every source gives a sighting of what it sees; if none sees anything, the environment is idle since
    when   the eldest sighting that goes on named by     what was seen last; of what was seen at the same moment, a
    person before a program (`SourceKind`), then what
                 goes on for longer

Moments are seconds on the clock that goes on while the machine is suspended (`model.moment.Instant`): a report of
yesterday evening is old in the morning, even if the machine slept in between.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from supervisor.model.errors import InvalidActivity

LEAST_CHARACTERS, MOST_CHARACTERS = 3, 80
"""Of a source. Source: contract/wire/environment.txt, EnvironmentActivitySignal."""


class SourceKind(enum.IntEnum):
    """Where a sighting comes from; the lower one names the signal."""

    REPORTED = 0
    SSH = 1
    KEEP_ALIVE = 2
    EXECUTION = 3
    OPERATION = 4


@dataclass(frozen=True, slots=True)
class Sighting:
    """Activity of one source, as one look at it shows."""

    kind: SourceKind
    source: str
    """Names the signal, 3 to 80 characters."""
    detail: str
    """For people: what exactly it is."""
    since_s: float
    """When it began."""
    seen_s: float
    """When it was seen last; now, for what goes on."""


@dataclass(frozen=True, slots=True)
class Signal:
    """What is sent to the management plane."""

    source: str
    seen_s: float
    """When there was activity last."""


def signal_of(sightings: Iterable[Sighting]) -> Signal | None:
    """The signal that these sightings make; None: nothing is active."""
    named = max(sightings, key=lambda seen: (seen.seen_s, -seen.kind, -seen.since_s), default=None)
    return None if named is None else Signal(named.source, named.seen_s)


def checked_source(text: str) -> str:
    """The source as given. Raises InvalidActivity if no signal can carry it."""
    if not LEAST_CHARACTERS <= len(text) <= MOST_CHARACTERS:
        shown = text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"
        raise InvalidActivity(
            f'cannot name activity "{shown}": a source has {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters, and '
            f"this one has {len(text)}; choose another name"
        )
    if not text.isprintable():
        raise InvalidActivity(
            f"cannot name activity {text!a}: it holds characters that cannot be printed; leave them out"
        )
    return text
