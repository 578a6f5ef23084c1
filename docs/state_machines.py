"""The page `states.md`: diagrams and tables of the state machines, from the tables that the machines use."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from docs.markdown_page import code, page, table
from supervisor.core.state_machines import execution, operation, task_run
from supervisor.core.state_machines import service as service_machine
from supervisor.core.state_machines.transitions import IGNORED, NEVER

EMPTY_CELL = (
    "An empty cell: the event cannot come, for example because the state has no such run or deadline."
)
Row = tuple[str, list[enum.Enum], dict[str, Any]]
"""A state: its name, its phases, and its cells by event."""


def states() -> str:
    return page(
        "State machines",
        "What a service, a task run, an operation and an execution do, as the core looks it up: `TABLE` in "
        "`service.py`, `task_run.py`, `operation.py` and `execution.py` of `supervisor/core/state_machines`. An event "
        "is a fact, a wish or a deadline. "
        "Where a table names several phases, it depends on the record which of them follows. A wish that is ignored is "
        "looked at again after the next event.",
        *machine("Service", service_machine),
        *machine("Task run", task_run),
        *machine("Operation", operation),
        *machine("Execution", execution),
    )


def machine(title: str, module: Any) -> Iterator[str]:
    rows = rows_of(module.TABLE)
    yield f"## {title}"
    yield diagram(rows)
    yield matrix(rows)
    for name, _, cells in rows:
        steps: dict[tuple[str, str], list[str]] = {}
        for event, cell in cells.items():
            if not isinstance(cell, str):
                steps.setdefault((meant(cell[0]), phase_names(cell[1])), []).append(event)
        if steps:
            lines = (["; ".join(events), done, after] for (done, after), events in steps.items())
            yield f"### {title}: {name}\n\n" + table(["event", "what is done", "phase then"], lines)


def rows_of(transitions: dict[Any, dict[str, Any]]) -> list[Row]:
    """The rows of a table. A class of states has a phase; one that has several has those that no other has."""
    single = {
        row: row if isinstance(row, enum.Enum) else row.phase
        for row in transitions
        if isinstance(row, enum.Enum) or isinstance(row.phase, enum.Enum)
    }
    every = type(next(iter(single.values())))
    rest = [phase for phase in every if phase not in single.values()]
    return [
        (
            row.name if isinstance(row, enum.Enum) else row.__name__,
            [single[row]] if row in single else rest,
            cells,
        )
        for row, cells in transitions.items()
    ]


def diagram(rows: list[Row]) -> str:
    """How phases follow each other, in Mermaid's language. Events that leave the phase as it is are not shown."""
    edges: dict[tuple[str, str], list[str]] = {}
    for _, phases, cells in rows:
        for event, cell in cells.items():
            for after in () if isinstance(cell, str) else cell[1]:
                for before in phases:
                    if after not in phases:
                        edges.setdefault((before.name, after.name), []).append(event)
    arrows = [f"    {before} --> {after}: {'<br>'.join(events)}" for (before, after), events in edges.items()]
    begin = f"    [*] --> {rows[0][1][0].name}"
    return "\n".join(["```mermaid", "stateDiagram-v2", begin, *arrows, "```"])


def matrix(rows: list[Row]) -> str:
    head = ["event", *(code(name) for name, _, _ in rows)]
    words = {IGNORED: "ignored", NEVER: ""}
    lines = (
        [event, *(words[cell] if isinstance(cell, str) else phase_names(cell[1]) for cell in cells)]
        for event in rows[0][2]
        for cells in [[row[2][event] for row in rows]]
    )
    return f"{table(head, lines)}\n\n{EMPTY_CELL}"


def phase_names(phases: Iterable[enum.Enum]) -> str:
    return ", ".join(phase.name for phase in phases)


def meant(step: Callable[..., Any]) -> str:
    """The first sentence of what a function is documented to do."""
    return (step.__doc__ or "").partition("\n")[0].removesuffix(".")
