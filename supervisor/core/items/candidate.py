"""When a version of the automations file counts.

A program that writes the file empties it first, or writes it line by line, and what it holds meanwhile may be valid: an
empty file is. So a version is a candidate until nothing has happened to it for long enough:

| the file is open for writing | the version removes something | it counts |
|---|---|---|
| no | no | after 0.5 s of quiet: a writer may close it between two lines |
| no | yes | after 2 s of quiet |
| yes | | not before it is closed; the quiet begins then |
| unknown | no | after 1 s of quiet |
| unknown | yes | after 2 s of quiet |

A file that is missing, or cannot be opened, is a version that removes everything. A version that says the same as the
last one is not a candidate. Source: contract/automations-file.md, "Changes to the file while running".
"""

from __future__ import annotations

from supervisor.lean.frozen import dataclass

QUIET_S = 0.5
BLIND_QUIET_S = 1.0
REMOVAL_QUIET_S = 2.0
LOOK_S = 0.5
LONGEST_LOOK_S = 5.0
"""How often a candidate is looked at: each time after a tenth of its age, within these bounds."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version that does not count yet. Times are on the monotonic clock."""

    version: object
    """What distinguishes it from another version; it is only compared."""
    writing: bool | None
    """Whether the file is open for writing; None: unknown."""
    quiet_since_s: float
    """Since when it has been the same, and the file not open for writing."""
    began_s: float
    """Since when there has been a candidate."""


def seen(before: Candidate | None, version: object, writing: bool | None, now_s: float) -> Candidate:
    """The candidate after a look at the file."""
    began_s = now_s if before is None else before.began_s
    same = before is not None and before.version == version and not writing
    return Candidate(version, writing, before.quiet_since_s if same and before else now_s, began_s)


def counts_at(candidate: Candidate, removes: bool) -> float | None:
    """When it counts if it stays the same; None: not while the file is open for writing."""
    if candidate.writing:
        return None
    quiet_s = BLIND_QUIET_S if candidate.writing is None else QUIET_S
    return candidate.quiet_since_s + (REMOVAL_QUIET_S if removes else quiet_s)


def look_at(candidate: Candidate, removes: bool, now_s: float) -> float:
    """When to look at the file again: there is no event for a writer that closes it."""
    patience_s = min(max(LOOK_S, (now_s - candidate.began_s) / 10), LONGEST_LOOK_S)
    due_s = counts_at(candidate, removes)
    return now_s + patience_s if due_s is None else min(due_s, now_s + patience_s)
