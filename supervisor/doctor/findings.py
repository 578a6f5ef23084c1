"""A check, and its result: a verdict, and the facts that it rests on."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


class State(enum.Enum):
    """How good the result is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """The check cannot tell whether this works."""
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A state, and half a sentence that explains it: what was seen, then what to do about it."""

    state: State
    detail: str


@dataclass(frozen=True, slots=True)
class Check:
    """A check of the machine itself. `look` may block; nobody waits for it longer than the timeout."""

    name: str
    required: bool
    look: Callable[[], Verdict]


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict on one endpoint, or on one part of the machine."""

    group: str
    name: str
    required: bool
    verdict: Verdict
    seconds: float | None = None
    """How long the check took; None: it was skipped."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """What was seen, as JSON values by name. For programs."""

    @property
    def is_fatal(self) -> bool:
        """Whether this makes the doctor exit 1: something required failed."""
        return self.required and self.verdict.state is State.FAILED


def findings_json(findings: Iterable[Finding]) -> dict[str, Any]:
    """The findings as JSON. `ok`: nothing required failed."""
    findings = list(findings)
    return {
        "ok": not any(finding.is_fatal for finding in findings),
        "findings": [
            {
                "group": finding.group,
                "name": finding.name,
                "required": finding.required,
                "state": finding.verdict.state.value,
                "detail": finding.verdict.detail,
                "seconds": None if finding.seconds is None else round(finding.seconds, 3),
                **finding.facts,
            }
            for finding in findings
        ],
    }
