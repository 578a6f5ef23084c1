"""What the transition tables of `service`, `execution` and `task_run` have in common.

A table is a literal, `{state: {event: cell}}`, with every cell written. A cell is `(step, phases)`, the function that
is called and the phases that it may lead to, or one of the words below. Events are strings, the words of
`docs/states.md`, because the start would wait half a millisecond for an enum of them.

The machines look up every event there; `docs/states.md` is written from the tables; `test_transitions` compares them
with what random histories do.
"""

from __future__ import annotations

from collections.abc import Mapping

from supervisor.lean.typing import TypeVar

IGNORED = "ignored"
"""The event may come, and changes nothing."""
NEVER = "never"
"""The event cannot come, for example because the state has no such run and no such deadline."""

Step = TypeVar("Step")


def step_of(row: Mapping[str, tuple[Step, object] | str], event: str) -> Step | None:
    """The function that a row of a table names for an event; None: the event is ignored."""
    cell = row[event]
    if isinstance(cell, str):
        assert cell == IGNORED, f"in this state it cannot be that {event}"
        return None
    return cell[0]
