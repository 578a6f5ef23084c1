"""The last changes, kept in memory for support: the records have only the last change of each thing.

A change is kept where a phase, its reason or the spec changed: which thing, from which phase to which, and why in
short. Never what a command printed, nor a variable. The ring takes each change on the writer's thread, in microseconds,
and keeps no record alive.
"""

from __future__ import annotations

from collections import deque

from supervisor.hub import Change, Hub, Resync
from supervisor.lean.late import late
from supervisor.lean.typing import TYPE_CHECKING, Any, assert_never
from supervisor.model.exit import exit_text
from supervisor.model.moment import Clock
from supervisor.model.phase import RunPhase
from supervisor.model.record import Environment, Execution, Record, Service, Task, TaskRun

if TYPE_CHECKING:
    from supervisor.model import operation_record
else:
    operation_record = late("supervisor.model.operation_record")

KEPT = 500
REASON_CHARACTERS = 120

_KINDS: dict[type[Record], str] = {
    Service: "service",
    Task: "task",
    TaskRun: "run",
    Execution: "execution",
    Environment: "environment",
}
"""Those that there may be before the first command; the other is the operation."""
_Entry = tuple[float, str, str, str, str | None, str | None, str]
"""Wall clock, kind, id, reference, phase before (None: new) and after (None: gone), reason."""


class RecentChanges:
    """The last changes."""

    def __init__(self, hub: Hub, clock: Clock, kept: int = KEPT) -> None:
        """Listen to `hub` from now on, for good."""
        self.total = 0
        """How many changes there were, including the forgotten ones."""
        self._entries: deque[_Entry] = deque(maxlen=kept)
        self._clock = clock
        # A subscription wakes for the first change of an empty queue. `on_changes` empties it, so it wakes for each.
        self._subscription = hub.subscribe(self)

    def as_json(self) -> dict[str, Any]:
        """The changes as JSON, the oldest first, and how many came before them."""
        names = ("time", "kind", "id", "reference", "before", "after", "reason")
        changes = [dict(zip(names, entry, strict=True)) for entry in self._entries]
        return {"forgotten": self.total - len(changes), "changes": changes}

    def on_changes(self) -> None:
        """Note what changed."""
        for change in self._subscription.take():
            if not isinstance(change, Resync):
                self._note(change)

    def _note(self, change: Change) -> None:
        before = None if change.before is None else _shown(change.before)
        after = None if change.after is None else _shown(change.after)
        # The record of a task's run or an operation is removed after its end: that is not a change of its phase.
        if before == after or (after is None and _is_of_a_run(change.before)):
            return
        record = change.record
        phase, reason, version = _shown(record)
        if before is not None and before[2] != version:
            reason = f"edited; {reason}" if reason else "edited"
        self.total += 1
        self._entries.append(
            (
                self._clock.now().wall_s,
                _KINDS.get(type(record), "operation"),
                record.id,
                _reference(record),
                before[0] if before else None,
                phase if after else None,
                reason[:REASON_CHARACTERS],
            )
        )


def _is_of_a_run(record: Record | None) -> bool:
    """Whether it is the record of a task's run or of an operation."""
    return isinstance(getattr(record, "phase", None), RunPhase)


def _shown(record: Record) -> tuple[str, str, int]:
    """Phase, reason and version of the spec."""
    match record:
        case Service():
            return record.phase.value, record.reason, record.spec_version
        case Execution():
            return record.phase.value, record.reason, 0
        case TaskRun():
            return record.phase.value, "" if record.exit is None else exit_text(record.exit), 0
        case Task():
            return "gone" if record.gone else "known", "", record.spec_version
        case Environment():
            # What is wrong with the file quotes it.
            refused = "the automations file is refused" if record.file_failure else ""
            return record.file_presence.lower(), refused, record.spec_version
        case operation_record.Operation():
            return record.phase.value, "" if record.exit is None else exit_text(record.exit), 0
        case _:
            assert_never(record)


def _reference(record: Record) -> str:
    match record:
        case Service() | Task():
            return record.item.reference
        case Execution() | TaskRun():
            return record.reference
        case Environment():
            return ""
        case operation_record.Operation():
            return record.operation_id
        case _:
            assert_never(record)
