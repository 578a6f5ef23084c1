"""Makes records of the rows of the store: what `codec` and `execution_parts` have written, in this version and others.

Reading follows the annotations, so that a union finds its class again. A field that a row lacks takes its default, and
a field that the class lacks is ignored: a row that a neighbouring version wrote can be read. A database from before
version 2 has a plan and all steps for each execution: it is read as it is, and an execution is written in the new form
when it changes. The first command of a new environment does not wait for this module.
"""

from __future__ import annotations

import enum
import functools
import json
import types
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from supervisor.lean.frozen import is_frozen
from supervisor.lean.typing import TYPE_CHECKING
from supervisor.model.ids import StepId, derived
from supervisor.model.operation_record import Operation
from supervisor.model.phase import ExecutionPhase
from supervisor.model.record import (
    Environment,
    Execution,
    Group,
    Plan,
    Record,
    Service,
    Task,
    TaskRun,
    plan_of,
)
from supervisor.model.shared_sequence import EMPTY, SharedSequence
from supervisor.model.step_states import NO_STEPS, NOT_RUN, StepState, StepStates

if TYPE_CHECKING:
    from supervisor.lean.sqlite import sqlite

KINDS: Mapping[str, type[Service | Task | TaskRun | Environment | Operation]] = {
    kind.__name__: kind for kind in (Service, Task, TaskRun, Environment, Operation)
}

T = TypeVar("T")


def record_of(reading: Reading, id_: str, kind: str, body: dict[str, object]) -> Record:
    """The record that a row of the table of records holds. Raises ValueError, KeyError or TypeError on other data."""
    if kind in KINDS:
        if (kind == "Service" and "probed" not in body) or (kind == "TaskRun" and "state" not in body):
            # Imported late: only an earlier version wrote such rows.
            from supervisor.host.state.flat_rows import with_state

            body = dict(with_state(kind, body))
        return from_plain(KINDS[kind], body)
    return from_plain(Execution, {**body, **reading.execution(id_, body)})


class Reading:
    """Makes executions from rows; parts that they share are one object again."""

    def __init__(self, connection: sqlite.Connection) -> None:
        """Read from `connection`."""
        self._connection = connection
        self._rows: dict[str, dict[str, tuple[str, str]]] = {}
        """`{firing: {part id: (id of the part below, body)}}`"""
        self._parts: dict[str, SharedSequence[Any]] = {"": EMPTY}
        self.outdated: set[str] = set()
        """The executions that an earlier version wrote."""

    def ids(self, firing: str) -> set[str]:
        """The ids of the parts of a firing."""
        return set(self._of(firing))

    def execution(self, id_: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that an execution's own row lacks."""
        query = "SELECT id, body FROM steps WHERE execution_id = ?"
        steps = {step_id: json.loads(state) for step_id, state in self._connection.execute(query, (id_,))}
        if "plan" not in body:
            self.outdated.add(id_)
            return self._outdated(id_, body["group"], steps)
        plan = self._part(body["firing"], body["plan"], Group)
        passed = self._part(body["firing"], body["passed"], tuple[StepState, ...])
        # One that follows another has no steps of its own, and is not walked.
        group = plan[body["group"]] if steps and body["group"] < len(plan) else ()
        found = [(step.id, read_as(StepState, steps[step.id])) for step in group if step.id in steps]
        return {"plan": plan, "passed": passed, "current": StepStates(found)}

    def _outdated(self, id_: str, group: int, steps: Mapping[str, Any]) -> dict[str, Any]:
        (text,) = self._connection.execute("SELECT body FROM plans WHERE id = ?", (id_,)).fetchone()
        plan: Plan = plan_of(read_as(tuple[Group, ...], json.loads(text)))
        states: Mapping[StepId, StepState] = read_as(Mapping[str, StepState], steps)
        passed: SharedSequence[tuple[StepState, ...]] = EMPTY
        for number, done in enumerate(plan.cut(group)):
            passed = passed.grown(
                tuple(states[step.id] for step in done), derived(id_, "passed", str(number))
            )
        now = plan[group] if group < len(plan) else ()
        begun = any(states[step.id].phase is not ExecutionPhase.PENDING for step in now)
        not_run = all(states[step.id] == NOT_RUN for step in now)
        current = (
            StepStates((step.id, states[step.id]) for step in now) if begun and not not_run else NO_STEPS
        )
        return {"plan": plan, "passed": passed, "current": current}

    def _part(self, firing: str, id_: str, kind: Any) -> SharedSequence[Any]:
        rows = self._of(firing)
        missing = []
        while id_ not in self._parts:
            missing.append(id_)
            id_ = rows[id_][0]
        part = self._parts[id_]
        for id_ in reversed(missing):
            part = self._parts[id_] = part.grown(read_as(kind, json.loads(rows[id_][1])), id_)
        return part

    def _of(self, firing: str) -> dict[str, tuple[str, str]]:
        if firing not in self._rows:
            query = "SELECT id, below, body FROM parts WHERE firing = ?"
            found = self._connection.execute(query, (firing,)).fetchall()
            self._rows[firing] = {id_: (below, body) for id_, below, body in found}
        return self._rows[firing]


def from_plain(kind: type[T], data: Mapping[str, Any]) -> T:
    """The dataclass `kind` from what `to_json` wrote of it. Raises ValueError, KeyError or TypeError on other data."""
    any_kind: Any = kind
    return kind(**{name: read(data[name]) for name, read in _readers(any_kind) if name in data})


def read_as(kind: Any, data: Any) -> Any:
    """A value of the type `kind`, as annotations write it, from what `to_json` wrote. Raises as `from_plain` does."""
    return _reader(kind)(data)


_Reader = Callable[[Any], Any]


@functools.cache
def _readers(kind: Any) -> tuple[tuple[str, _Reader], ...]:
    """For each field its name, and the function that makes its value from JSON."""
    return tuple((name, _reader(hint)) for name, hint in get_type_hints(kind).items())


def _reader(hint: Any) -> _Reader:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _union_reader(arguments)
    if origin is tuple:
        item = _reader(arguments[0])
        return lambda data: tuple(map(item, data))
    if origin is Mapping:
        value = _reader(arguments[1])
        return lambda data: {key: value(item) for key, item in data.items()}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint
    if is_frozen(hint):
        return functools.partial(from_plain, hint)
    return _as_it_is


def _union_reader(members: tuple[Any, ...]) -> _Reader:
    """For one of several classes, which the object names; a value that names none stays as it is."""
    named = {member.__name__: member for member in members if is_frozen(member)}

    def read(data: Any) -> Any:
        if isinstance(data, dict) and "_" in data:
            return from_plain(named[data["_"]], data)
        return data

    return read if named else _as_it_is


def _as_it_is(data: Any) -> Any:
    return data
