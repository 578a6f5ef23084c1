"""When a version of the automations file counts.

Who writes the file empties it first, or writes it line by line, and what is there meanwhile may be valid: an empty file
is. So what was seen is a candidate until nothing has happened to it for long enough:

| somebody has the file open for writing | the version removes something | it counts |
|---|---|---|
| no | no | after 0.5 s of quiet: a writer may close it between two lines |
| no | yes | after 2 s of quiet |
| yes | | not before it is closed; the quiet begins then |
| nobody can tell | no | after 1 s of quiet |
| nobody can tell | yes | after 2 s of quiet |

A file that is not there, or cannot be opened, is a version that removes everything. One that says what was told last
is no candidate. Source: contract/automations-file.md, "Changes to the file while running".
"""

from __future__ import annotations

from supervisor.lean.frozen import dataclass

QUIET_S = 0.5
BLIND_QUIET_S = 1.0
REMOVAL_QUIET_S = 2.0
LOOK_S = 0.5
LONGEST_LOOK_S = 5.0
"""How often a candidate is looked at: each time, a tenth of its age is waited, within these bounds."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version that does not count yet. Times are on the monotonic clock."""

    version: object
    """What tells it from another one; compared only."""
    writing: bool | None
    """Whether somebody has the file open for writing; None: nobody can tell."""
    quiet_since_s: float
    """Since when it was seen like this, and nobody was seen writing."""
    began_s: float
    """Since when there has been a candidate."""


def seen(before: Candidate | None, version: object, writing: bool | None, now_s: float) -> Candidate:
    """The candidate after a look at the file."""
    began_s = now_s if before is None else before.began_s
    same = before is not None and before.version == version and not writing
    return Candidate(version, writing, before.quiet_since_s if same and before else now_s, began_s)


def counts_at(candidate: Candidate, removes: bool) -> float | None:
    """When it counts if it stays as it is; None: not while somebody has it open."""
    if candidate.writing:
        return None
    quiet_s = BLIND_QUIET_S if candidate.writing is None else QUIET_S
    return candidate.quiet_since_s + (REMOVAL_QUIET_S if removes else quiet_s)


def look_at(candidate: Candidate, removes: bool, now_s: float) -> float:
    """When to look at the file again: nothing tells that a writer has closed it."""
    patience_s = min(max(LOOK_S, (now_s - candidate.began_s) / 10), LONGEST_LOOK_S)
    due_s = counts_at(candidate, removes)
    return now_s + patience_s if due_s is None else min(due_s, now_s + patience_s)
