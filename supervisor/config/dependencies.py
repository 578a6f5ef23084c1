"""Checks the references of a file: each names one item, each dependency exists, and dependencies form no cycle.

It works on any tree, also on one with other mistakes, so that all are reported together. Nothing recurses: a file may
hold a chain of a hundred thousand tasks.
"""

from __future__ import annotations

from collections.abc import Iterator

from supervisor.config.document.nodes import Node, Scalar, Sequence, entries, is_string, listed_items
from supervisor.config.document.text import Text
from supervisor.config.problem import Path, Problem, Severity, path_text, quoted
from supervisor.lean.frozen import dataclass
from supervisor.lean.late import late
from supervisor.lean.typing import TYPE_CHECKING

if TYPE_CHECKING:
    from supervisor.config import suggest
else:
    suggest = late("supervisor.config.suggest")  # for mistakes alone

_CYCLE_BUDGET = 10_000
"""Once the reported cycles name so many tasks, no more are reported: a thousand long ones would fill the memory."""


@dataclass(frozen=True, slots=True)
class _Dependency:
    """One entry of a task's `dependsOn`."""

    on: str
    at: int
    path: Path


@dataclass(frozen=True, slots=True)
class _Item:
    """A service or a task: its path, the place of its reference, and its content."""

    path: Path
    at: int
    node: Node


@dataclass(frozen=True, slots=True)
class _References:
    """The parts of a tree that name something: items by reference, dependencies by task."""

    services: dict[str, _Item]
    tasks: dict[str, _Item]
    dependencies: dict[str, list[_Dependency]]


def reference_problems(root: Node | None, text: Text) -> Iterator[Problem]:
    """Everything that is wrong with the file's references."""
    references = _read(root)
    yield from _named_twice(references, text)
    yield from _cycles(references, text)
    yield from _bad_dependencies(references, text)


def _read(root: Node | None) -> _References:
    services = {str(item.path[-1]): item for item in _items(root, "services")}
    tasks = {str(item.path[-1]): item for item in _items(root, "tasks")}
    dependencies = {task: list(_dependencies(item)) for task, item in tasks.items()}
    return _References(services, tasks, dependencies)


def _items(root: Node | None, kind: str) -> Iterator[_Item]:
    """The items of a kind that have a reference, also those that are in a list by mistake."""
    for _, map_ in entries(root, kind):
        for reference, entry in entries(map_.value):
            yield _Item((kind, reference), entry.at, entry.value)
        for way, at, node in listed_items(map_.value):
            if len(way) > 1:
                yield _Item((kind, *way), at, node)


def _dependencies(task: _Item) -> Iterator[_Dependency]:
    for field, entry in entries(task.node, "dependsOn", "depends_on"):
        if isinstance(entry.value, Sequence):
            for index, item in enumerate(entry.value.items):
                if isinstance(item, Scalar) and is_string(item):
                    yield _Dependency(item.text, item.at, (*task.path, field, index))


def _named_twice(references: _References, text: Text) -> Iterator[Problem]:
    for reference in references.services.keys() & references.tasks.keys():
        service, task = references.services[reference], references.tasks[reference]
        first, second, kind = (service, task, "service") if service.at <= task.at else (task, service, "task")
        line, column = text.position(second.at)
        first_line, first_column = text.position(first.at)
        what = f"the {kind} at line {first_line}, column {first_column} has the reference {quoted(reference)} too"
        yield Problem(what, path_text(second.path), line, column, "rename one of them")


def _bad_dependencies(references: _References, text: Text) -> Iterator[Problem]:
    suggester = None
    known = references.tasks | references.services
    for task, dependencies in references.dependencies.items():
        seen: set[str] = set()
        for dependency in dependencies:
            path = path_text(dependency.path)
            line, column = text.position(dependency.at)
            if dependency.on == task:
                yield Problem("a task cannot depend on itself", path, line, column, "remove it")
            elif dependency.on in seen:
                what = f"{quoted(dependency.on)} is listed twice"
                yield Problem(what, path, line, column, "remove one", Severity.WARNING)
            elif dependency.on not in known:
                suggester = suggester or suggest.Suggester()
                near = suggester.did_you_mean(dependency.on, known)
                what = f"no task or service has the reference {quoted(dependency.on)}"
                yield Problem(what, path, line, column, near)
            seen.add(dependency.on)


# ---- cycles ----


def _cycles(references: _References, text: Text) -> Iterator[Problem]:
    budget = _CYCLE_BUDGET
    order = {task: index for index, task in enumerate(references.dependencies)}
    for cycle in _find_cycles(references.dependencies):
        budget -= len(cycle)
        # Reported from its first task in the file, wherever the search found it.
        start = min(range(len(cycle)), key=lambda index: order[cycle[index]])
        cycle = cycle[start:] + cycle[:start]
        first = cycle[0]
        edge = next(each for each in references.dependencies[first] if each.on == cycle[1])
        line, column = text.position(edge.at)
        way = " -> ".join([*cycle, first])
        yield Problem(f"the dependencies form a cycle: {way}", path_text(edge.path), line, column)
        if budget < 0:
            return


def _find_cycles(dependencies: dict[str, list[_Dependency]]) -> Iterator[list[str]]:
    """Depth first: each dependency that leads back to an open task is a cycle. That of a task on itself is left out."""
    done: set[str] = set()
    for root in dependencies:
        if root in done:
            continue
        way = {root: 0}
        stack = [(root, _tasks(root, dependencies))]
        while stack:
            task, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                stack.pop()
                del way[task]
                done.add(task)
            elif following in way:
                yield [each for each, _ in stack[way[following] :]]
            elif following not in done:
                way[following] = len(stack)
                stack.append((following, _tasks(following, dependencies)))


def _tasks(task: str, dependencies: dict[str, list[_Dependency]]) -> Iterator[str]:
    names = dict.fromkeys(dependency.on for dependency in dependencies[task])
    return (name for name in names if name in dependencies and name != task)
