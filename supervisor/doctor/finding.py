"""What a check comes to."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class State(enum.Enum):
    """How good it is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It cannot be told from here: neither good nor bad."""
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A state and the sentence part that explains it: what was seen, then what to do about it."""

    state: State
    detail: str


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict on one thing."""

    group: str
    name: str
    required: bool
    verdict: Verdict
    seconds: float | None = None
    """How long it took to find out; None: nothing was tried."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """What was seen, for programs: names and plain JSON values."""

    @property
    def is_fatal(self) -> bool:
        """Whether the machine cannot do without what is wrong here."""
        return self.required and self.verdict.state is State.FAILED
