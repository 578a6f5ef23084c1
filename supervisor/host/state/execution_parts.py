"""The parts of executions in the store: groups of plans, and the states of groups that were passed.

Executions of one firing share them, so each part is a row of its own that names the part below it. They are deleted
with the last execution of their firing. `record_reader` reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from supervisor.host.state.codec import to_json
from supervisor.lean.typing import TYPE_CHECKING, Any
from supervisor.model.record import Execution
from supervisor.model.shared_sequence import SharedSequence
from supervisor.model.step_states import NO_STEPS

if TYPE_CHECKING:
    from supervisor.host.state.record_reader import Reading
    from supervisor.lean.sqlite import sqlite

_WRITE = "REPLACE INTO parts VALUES (?, ?, ?, ?)"


class _Firing:
    """What the store holds of one firing."""

    __slots__ = ("executions", "live", "parts")

    def __init__(self) -> None:
        self.executions: set[str] = set()
        self.live: set[str] = set()
        self.parts: set[str] = set()
        """Ids; empty once none of its executions is live."""


class Parts:
    """Writes what is new in executions. It remembers what the store holds."""

    def __init__(self) -> None:
        """The store holds nothing yet."""
        self._firings: dict[str, _Firing] = {}
        self._live: dict[str, Execution] = {}
        """`{id: the execution as it was last written}`"""
        self._new: list[Execution] = []
        """Written since the transaction began, which may be rolled back."""
        self._new_parts: dict[str, set[str]] = {}
        """`{firing: ids of parts}`, likewise."""
        self._erased: dict[str, Execution] = {}

    def begin(self, executions: Iterable[Execution], reading: Reading) -> None:
        """Take over what the store holds."""
        for execution in executions:
            firing = self._firings.setdefault(execution.firing, _Firing())
            firing.executions.add(execution.id)
            if execution.ended_s is None and execution.id not in reading.outdated:
                firing.live.add(execution.id)
                firing.parts = reading.ids(execution.firing)
                self._live[execution.id] = execution

    def write(self, connection: sqlite.Connection, execution: Execution) -> None:
        """Write what has changed in an execution, except its own row."""
        before = self._live.get(execution.id)
        firing = self._firings.get(execution.firing)
        known, new = firing.parts if firing else set(), self._new_parts.setdefault(execution.firing, set())
        parts = [] if before else list(_unknown(execution.plan, known, new))
        if before is None or before.passed is not execution.passed:
            parts += _unknown(execution.passed, known, new)
        if parts:
            rows = [(execution.firing, part.id, part.below.id, to_json(part.last)) for part in parts]
            connection.executemany(_WRITE, rows)
            new.update(part.id for part in parts)
        same_group = before is not None and before.group == execution.group
        changed = execution.current.changed_since(before.current if before and same_group else NO_STEPS)
        steps = [(execution.id, id_, to_json(state)) for _, id_, state in changed]
        if steps:
            connection.executemany("REPLACE INTO steps VALUES (?, ?, ?)", steps)
        self._new.append(execution)

    def erase(self, connection: sqlite.Connection, execution: Execution) -> None:
        """Delete an execution, except its own row."""
        connection.execute("DELETE FROM plans WHERE id = ?", (execution.id,))
        connection.execute("DELETE FROM steps WHERE execution_id = ?", (execution.id,))
        self._erased[execution.id] = execution
        if self._is_unused(execution.firing):
            connection.execute("DELETE FROM parts WHERE firing = ?", (execution.firing,))

    def _is_unused(self, firing_id: str) -> bool:
        """Whether a firing has no execution left once the transaction is committed."""
        firing = self._firings.get(firing_id)
        known = firing.executions if firing else ()
        new = (execution.id for execution in self._new if execution.firing == firing_id)
        return all(id_ in self._erased for id_ in chain(known, new))

    def start(self) -> None:
        """A transaction begins."""
        self._new, self._new_parts, self._erased = [], {}, {}

    def saved(self) -> None:
        """The transaction is committed."""
        for id_, parts in self._new_parts.items():
            self._firings.setdefault(id_, _Firing()).parts.update(parts)
        for execution in self._new:
            firing = self._firings[execution.firing]
            firing.executions.add(execution.id)
            if execution.ended_s is None:
                firing.live.add(execution.id)
                self._live[execution.id] = execution
            else:
                self._forget(firing, execution.id)
        for execution in self._erased.values():
            firing = self._firings.get(execution.firing) or _Firing()
            firing.executions.discard(execution.id)
            self._forget(firing, execution.id)
            if not firing.executions:
                self._firings.pop(execution.firing, None)
        self.start()

    def _forget(self, firing: _Firing, id_: str) -> None:
        self._live.pop(id_, None)
        firing.live.discard(id_)
        if not firing.live:
            firing.parts = set()


def _unknown(part: SharedSequence[Any], known: set[str], new: set[str]) -> Iterator[SharedSequence[Any]]:
    """`part` and the parts below it, down to the first that is known or new: all below that one are, too."""
    for below in part.down_to(0):
        if below.id in known or below.id in new:
            return
        yield below
