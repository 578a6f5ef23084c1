"""What a check comes to."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


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


def findings_json(findings: Iterable[Finding]) -> dict[str, Any]:
    """The findings for programs; `ok`: nothing that is required failed."""
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
