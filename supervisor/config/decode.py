"""From a tree to a typed file, quickly: it returns the file, or refuses it without a reason.

The rules are those of strict protobuf JSON. `schemas/automations.schema.json` is their published form, and `explainer`
uses it to find the reasons. A property test checks that both give the same verdict.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from types import MappingProxyType

from supervisor.config.document.nodes import Mapping, Node, Scalar, ScalarKind, Sequence, is_null
from supervisor.lean.typing import TypeVar
from supervisor.model.spec import (
    SERVICE_TRIGGERS,
    TASK_TRIGGERS,
    AutomationsFile,
    Docker,
    Machine,
    Role,
    RunsOn,
    ServiceItem,
    ServiceSpec,
    TaskItem,
    TaskSpec,
    Trigger,
)

READINESS_TIMEOUT_LIMIT_S = 86400

REFERENCE = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_DURATION = r"[0-9]+(\.[0-9]{1,9})?s"  # compiled for the first duration: the start does not wait for it
_CAPITAL = re.compile("[A-Z]")
_TRIGGERS = {trigger.value: trigger for trigger in Trigger}
_ROLES = {"": Role.DEFAULT, **{role.value: role for role in Role}}

Fields = dict[str, Node]
"""The fields of one message that have a value, by their first spelling."""
_T = TypeVar("_T")


class Undecodable(Exception):
    """The tree does not describe an automations file. It carries no reason: `explainer` finds the reasons."""


def snake(name: str) -> str:
    """The other spelling that protobuf JSON accepts: `triggeredBy` is `triggered_by`."""
    return _CAPITAL.sub(lambda capital: "_" + capital.group().lower(), name)


def _spellings(*names: str) -> dict[str, str]:
    return {spelling: name for name in names for spelling in (name, snake(name))}


_FILE = _spellings("services", "tasks")
_SERVICE = _spellings("name", "description", "commands", "triggeredBy", "role", "runsOn", "readinessTimeout")
_COMMANDS = _spellings("start", "ready", "stop")
_TASK = _spellings(
    "name", "description", "command", "dependsOn", "triggeredBy", "runsOn", "prebuildRequiresSuccess"
)
_RUNS_ON = _spellings("docker", "machine")
_DOCKER = _spellings("image", "environment")


def decode(root: Node | None) -> AutomationsFile:
    """The typed file; None, like null, is an empty one. `dependencies` checks the references. Raises Undecodable."""
    fields = {} if root is None or is_null(root) else _fields(root, _FILE)
    services = {
        reference: decode_service(reference, node) for reference, node in _items(fields.get("services"))
    }
    tasks = {reference: decode_task(reference, node) for reference, node in _items(fields.get("tasks"))}
    return AutomationsFile(MappingProxyType(services), MappingProxyType(tasks))


def decode_service(reference: str, node: Node) -> ServiceItem:
    """One service. Raises `Undecodable`."""
    fields = _fields(node, _SERVICE)
    commands = _fields(_present(fields.get("commands")), _COMMANDS)
    spec = ServiceSpec(
        start=_filled(commands.get("start")),
        ready=_text(commands.get("ready")),
        stop=_text(commands.get("stop")),
        runs_on=_runs_on(fields.get("runsOn")),
        readiness_timeout_s=_duration_s(fields.get("readinessTimeout")),
    )
    return ServiceItem(
        reference=reference,
        name=_filled(fields.get("name")),
        spec=spec,
        description=_text(fields.get("description")),
        triggers=_triggers(fields.get("triggeredBy"), SERVICE_TRIGGERS),
        role=_member(_text(fields.get("role")), _ROLES),
    )


def decode_task(reference: str, node: Node) -> TaskItem:
    """One task. Raises `Undecodable`."""
    fields = _fields(node, _TASK)
    spec = TaskSpec(
        command=_filled(fields.get("command")),
        runs_on=_runs_on(fields.get("runsOn")),
        prebuild_requires_success=_flag(fields.get("prebuildRequiresSuccess")),
    )
    return TaskItem(
        reference=reference,
        name=_filled(fields.get("name")),
        spec=spec,
        description=_text(fields.get("description")),
        triggers=_triggers(fields.get("triggeredBy"), TASK_TRIGGERS),
        depends_on=_unique(_texts(fields.get("dependsOn"))),
    )


# ---- messages ----


def _items(node: Node | None) -> list[tuple[str, Node]]:
    """The items of a map. A null item is refused, as a null value of any protobuf map is."""
    if node is None:
        return []
    if not isinstance(node, Mapping) or not all(map(REFERENCE.fullmatch, node.entries)):
        raise Undecodable
    return [(reference, entry.value) for reference, entry in node.entries.items()]


def _fields(node: Node, spellings: dict[str, str]) -> Fields:
    """The message's fields that are not null. A field in both spellings is refused, even if one of them is null."""
    if not isinstance(node, Mapping):
        raise Undecodable
    found: Fields = {}
    for key, entry in node.entries.items():
        name = spellings.get(key)
        if name is None or name in found:
            raise Undecodable
        found[name] = entry.value
    return {name: value for name, value in found.items() if not is_null(value)}


def _runs_on(node: Node | None) -> RunsOn | None:
    if node is None:
        return None
    match _fields(node, _RUNS_ON):
        case {"docker": docker, **others} if not others:
            fields = _fields(docker, _DOCKER)
            return Docker(_filled(fields.get("image")), _texts(fields.get("environment")))
        case {"machine": machine, **others} if not others:
            _fields(machine, {})
            return Machine()
        case _:
            raise Undecodable


# ---- values ----


def _present(node: Node | None) -> Node:
    if node is None:
        raise Undecodable
    return node


def _text(node: Node | None) -> str:
    """A string; absent means empty. No string may hold a NUL: a process cannot be given one."""
    if node is None:
        return ""
    if not isinstance(node, Scalar) or node.kind is not ScalarKind.STRING or "\0" in node.text:
        raise Undecodable
    return node.text


def _filled(node: Node | None) -> str:
    text = _text(node)
    if not text:
        raise Undecodable
    return text


def _texts(node: Node | None) -> tuple[str, ...]:
    if node is None:
        return ()
    if not isinstance(node, Sequence):
        raise Undecodable
    return tuple(map(_text, node.items))


def _flag(node: Node | None) -> bool:
    if node is None:
        return False
    if not isinstance(node, Scalar) or node.kind is not ScalarKind.BOOL:
        raise Undecodable
    return node.text.lower() == "true"


def _duration_s(node: Node | None) -> float:
    if node is None:
        return 0.0
    text = _text(node)
    if not re.fullmatch(_DURATION, text):
        raise Undecodable
    seconds = float(text[:-1])
    if seconds > READINESS_TIMEOUT_LIMIT_S:
        raise Undecodable
    return seconds


def _triggers(node: Node | None, allowed: Collection[Trigger]) -> tuple[Trigger, ...]:
    triggers = _unique(_member(text, _TRIGGERS) for text in _texts(node))
    if not all(trigger in allowed for trigger in triggers):
        raise Undecodable
    return triggers


def _member(text: str, members: dict[str, _T]) -> _T:
    try:
        return members[text]
    except KeyError:
        raise Undecodable from None


def _unique(values: Iterable[_T]) -> tuple[_T, ...]:
    """In order, each once: to list a value twice has no effect."""
    return tuple(dict.fromkeys(values))
