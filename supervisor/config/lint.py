"""Warnings: what is allowed and probably a mistake."""

from __future__ import annotations

from collections.abc import Iterator

from supervisor.config.document.nodes import Node, Scalar, Sequence, entries
from supervisor.config.document.text import Text
from supervisor.config.problem import Path, Problem, Severity, path_text, quoted
from supervisor.model.spec import AutomationsFile, ServiceItem, TaskItem


def advice(root: Node | None, file: AutomationsFile, text: Text) -> Iterator[Problem]:
    """Warnings for a file that decodes."""
    yield from _nothing_starts(root, file, text)
    for kind, items in entries(root):
        for reference, item in entries(items.value):
            yield from _about_item((kind, reference), item.value, text)


def _nothing_starts(root: Node | None, file: AutomationsFile, text: Text) -> Iterator[Problem]:
    items: list[ServiceItem | TaskItem] = [*file.services.values(), *file.tasks.values()]
    if not items or any(item.triggers for item in items):
        return
    first = min(entry.at for _, map_ in entries(root) for _, entry in entries(map_.value))
    what = "no service and no task has a trigger, so none starts by itself"
    yield _warning(what, 'add "triggeredBy" to what should start', (), first, text)


def _about_item(path: Path, item: Node, text: Text) -> Iterator[Problem]:
    for field, entry in entries(item, "triggeredBy", "triggered_by"):
        seen: set[str] = set()
        for index, trigger in _words(entry.value):
            if trigger.text in seen:
                what = f"{quoted(trigger.text)} is listed twice"
                yield _warning(what, "remove one", (*path, field, index), trigger.at, text)
            seen.add(trigger.text)
    for runs_on, target in entries(item, "runsOn", "runs_on"):
        for docker, container in entries(target.value, "docker"):
            for name, variables in entries(container.value, "environment"):
                for index, variable in _words(variables.value):
                    if "=" not in variable.text:
                        what = f"{quoted(variable.text)} has no value"
                        place = (*path, runs_on, docker, name, index)
                        yield _warning(what, "write it as KEY=VALUE", place, variable.at, text)


def _words(node: Node) -> Iterator[tuple[int, Scalar]]:
    if isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            if isinstance(item, Scalar):
                yield index, item


def _warning(message: str, hint: str, path: Path, at: int, text: Text) -> Problem:
    line, column = text.position(at)
    return Problem(message, path_text(path), line, column, hint, Severity.WARNING)
