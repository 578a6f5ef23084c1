"""What one reader of a watch has not got yet: changes are merged here until it takes them.

Theory of operation. Changes of one path become one, by the table `MERGED`. They wait until nothing more has come for
QUIET_S, or the first of them, or the batch before, is LONGEST_S ago; then MOST_SENT of them may go. So a flood goes
slowly, and the rest at once when it is over. A reader that does not take them finds later ones merged into them. Beyond
MOST_UNSENT paths they are given up for one overflow, which tells the reader to ask for everything again; so what comes
until it is taken is covered by it.

A change of the git status is one flag. It goes at most once in GIT_PAUSE_S.

There is no clock here and no lock: times come as arguments, in seconds of any clock that does not go back.

Source: contract/ops.md, Watch.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

QUIET_S = 0.1
LONGEST_S = 0.5
GIT_PAUSE_S = 1.0
MOST_SENT = 1000
MOST_UNSENT = 10_000


class ChangeKind(enum.Enum):
    """What has become of a path."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


CREATED, UPDATED, DELETED = ChangeKind
MERGED: Mapping[tuple[ChangeKind, ChangeKind], ChangeKind | None] = {
    (CREATED, CREATED): CREATED,
    (CREATED, UPDATED): CREATED,
    (CREATED, DELETED): None,
    (UPDATED, CREATED): UPDATED,
    (UPDATED, UPDATED): UPDATED,
    (UPDATED, DELETED): DELETED,
    (DELETED, CREATED): UPDATED,
    (DELETED, UPDATED): UPDATED,
    (DELETED, DELETED): DELETED,
}
"""`{(what was not sent yet, what came): what is to be sent}`; None: nothing."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """A change of one path, from the workspace on."""

    path: bytes
    kind: ChangeKind
    is_folder: bool


@dataclass(frozen=True, slots=True)
class GitChange:
    """The git status may be another one."""


@dataclass(frozen=True, slots=True)
class Overflow:
    """Changes were lost; `reason` is a sentence."""

    reason: str


Sent = list[FileChange] | GitChange | Overflow


@dataclass(slots=True)
class UnsentChanges:
    """See above."""

    _waiting: dict[bytes, FileChange] = field(default_factory=dict)
    """`{path: its change}`, in the order in which they came."""
    _first_s: float | None = None
    """When the first of them came, or the overflow, or the last batch went if that was later; None: nothing waits."""
    _last_s: float = 0.0
    _overflow: str = ""
    _git_noted_s: float | None = None
    _git_sent_s: float = float("-inf")

    def note(self, change: FileChange, now_s: float) -> None:
        """A path has changed."""
        self._last_s = now_s
        if self._overflow:
            return
        before = self._waiting.get(change.path)
        if before is None:
            self._waiting[change.path] = change
            if self._first_s is None:
                self._first_s = now_s
            if len(self._waiting) > MOST_UNSENT:
                self.lose(f"over {MOST_UNSENT} changes were not sent yet", now_s)
            return
        kind = MERGED[before.kind, change.kind]
        if kind is None:
            del self._waiting[change.path]
            self._first_s = self._first_s if self._waiting else None
        else:
            self._waiting[change.path] = FileChange(change.path, kind, change.is_folder)

    def note_git(self, now_s: float) -> None:
        """The git status may have changed."""
        if self._git_noted_s is None:
            self._git_noted_s = now_s

    def lose(self, reason: str, now_s: float) -> None:
        """Changes were lost: the reader has to ask for everything again."""
        self._waiting.clear()
        self._overflow = self._overflow or reason
        self._last_s = now_s
        self._first_s = now_s if self._first_s is None else self._first_s

    def due_s(self) -> float | None:
        """From when on there is something to take; None: there is nothing unless more comes."""
        return min((at for at in (self._changes_due_s(), self._git_due_s()) if at is not None), default=None)

    def take(self, now_s: float) -> Sent | None:
        """What is to be sent now; None: nothing, before `due_s`."""
        changes_due_s, git_due_s = self._changes_due_s(), self._git_due_s()
        if changes_due_s is not None and now_s >= changes_due_s:
            return self._take_overflow() if self._overflow else self._take_changes(now_s)
        if git_due_s is not None and now_s >= git_due_s:
            self._git_noted_s, self._git_sent_s = None, now_s
            return GitChange()
        return None

    def _take_overflow(self) -> Overflow:
        reason, self._overflow, self._first_s = self._overflow, "", None
        return Overflow(reason)

    def _take_changes(self, now_s: float) -> list[FileChange]:
        found = list(islice(self._waiting.values(), MOST_SENT))
        for change in found:
            del self._waiting[change.path]
        self._first_s = now_s if self._waiting else None
        return found

    def _changes_due_s(self) -> float | None:
        if self._first_s is None:
            return None
        return min(self._last_s + QUIET_S, self._first_s + LONGEST_S)

    def _git_due_s(self) -> float | None:
        if self._git_noted_s is None:
            return None
        return max(self._git_noted_s + QUIET_S, self._git_sent_s + GIT_PAUSE_S)
