"""What people mean by the mistakes they make: the words for a wrong value, and how to put it right.

Most unknown fields in real files are right ones in the wrong place, or come from `.gitpod.yml` and its relatives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from supervisor.config.problem import Path, quoted
from supervisor.config.tree import Kind, Mapping, Node, Scalar, Sequence
from supervisor.model.spec import SERVICE_TRIGGERS, TASK_TRIGGERS, Trigger

_ONLY_TASKS_DEPEND = (
    "only a task can depend on others: let a task depend on this service and on what it needs"
)
_BELOW_COMMANDS = 'write it below "commands"'
_BELOW_DOCKER = 'write it below "runsOn", "docker"'
_NO_ENVIRONMENT = "export variables in the script itself; a container takes them in runsOn.docker.environment"
_ONLY_ITEMS = "the file has services and tasks; this belongs into the dev container's own configuration"
_TRIGGERS = 'write "triggeredBy" with a list of triggers'

# {where: {the field that does not belong there: what to do}}
_ELSEWHERE: dict[str, dict[str, str]] = {
    "file": {
        **dict.fromkeys(["image", "vscode", "env", "gitConfig", "github", "jetbrains"], _ONLY_ITEMS),
        "ports": "the file has services and tasks; a port is opened with the environment's own tools",
        "automations": 'write "services" and "tasks" at the top of the file',
        "version": "the file has no version",
        **dict.fromkeys(
            ["name", "command", "commands", "triggeredBy"],
            'write it below "services" or "tasks" and a reference',
        ),
    },
    "service": {
        **dict.fromkeys(["start", "ready", "stop"], _BELOW_COMMANDS),
        "command": 'write "start" below "commands"',
        "init": 'write a task for it, or put it into the "start" script',
        **dict.fromkeys(["dependsOn", "depends_on"], _ONLY_TASKS_DEPEND),
        "prebuildRequiresSuccess": "only a task has it",
        **dict.fromkeys(["triggers", "trigger", "on"], _TRIGGERS),
        **dict.fromkeys(["env", "environment"], _NO_ENVIRONMENT),
        "image": _BELOW_DOCKER,
        **dict.fromkeys(["docker", "machine"], 'write it below "runsOn"'),
        "port": "a service opens its ports itself",
        "ports": "a service opens its ports itself",
        "timeout": 'did you mean "readinessTimeout"?',
        "restart": "a service that has ended is not restarted by itself; loop in the script",
    },
    "task": {
        **dict.fromkeys(["init", "before", "prebuild"], 'write a task of its own and name it in "dependsOn"'),
        **dict.fromkeys(["commands", "start", "run", "script"], 'a task has one script, "command"'),
        **dict.fromkeys(["ready", "stop", "readinessTimeout", "role"], "only a service has it"),
        **dict.fromkeys(["triggers", "trigger", "on"], _TRIGGERS),
        **dict.fromkeys(["env", "environment"], _NO_ENVIRONMENT),
        "image": _BELOW_DOCKER,
        **dict.fromkeys(["docker", "machine"], 'write it below "runsOn"'),
        **dict.fromkeys(["needs", "requires", "after", "dependencies"], 'did you mean "dependsOn"?'),
    },
    "commands": {
        **dict.fromkeys(["command", "run"], 'did you mean "start"?'),
        "init": 'put it into the "start" script',
        **dict.fromkeys(
            ["name", "description", "triggeredBy", "role", "runsOn", "readinessTimeout"],
            'it belongs to the service, beside "commands"',
        ),
    },
}

_LISTS = {
    "dependsOn": "a list of references",
    "depends_on": "a list of references",
    "triggeredBy": "a list of triggers",
    "triggered_by": "a list of triggers",
    "environment": "a list of KEY=VALUE strings",
}
_BOOLEANS = {
    **dict.fromkeys(["yes", "y", "on", "1"], "write true"),
    **dict.fromkeys(["no", "n", "off", "0"], "write false"),
    **dict.fromkeys(["true", "false"], "write it without quotes"),
}
_LIST_WORD = re.compile(r"[\w=./-]+")
_MINUTES = {"m": 60, "min": 60, "h": 3600}


def expected(kind: str, path: Path) -> str:
    """What must stand at `path`, where the schema has a value of `kind`."""
    if kind == "array":
        return _LISTS.get(str(path[-1]), "a list")
    if kind == "object" and not path:
        return 'a mapping with "services" and "tasks"'
    if _is_trigger(path):
        return "the name of a trigger"
    return {"string": "a string", "boolean": "true or false", "object": "a mapping"}[kind]


def describe(node: Node) -> str:
    """What stands there, in words."""
    match node:
        case Mapping():
            return "a mapping"
        case Sequence():
            return "a list"
        case Scalar(kind=Kind.NULL):
            return "nothing"
        case Scalar(kind=Kind.STRING):
            return f"the string {quoted(node.text)}"
        case Scalar():
            shown = node.text if len(node.text) <= 40 else node.text[:39] + "…"
            return f"the {node.kind.value} {shown}"


def for_type(kind: str, path: Path, node: Node) -> str:
    """How to write what was probably meant, where the schema has a value of `kind`."""
    field = str(path[-1]) if path else ""
    match kind:
        case "array":
            return _as_list(field, node)
        case "object":
            return _as_mapping(field, node)
        case "boolean":
            return _BOOLEANS.get(node.text.lower(), "") if isinstance(node, Scalar) else ""
        case _:
            return _as_text(path, field, node)


def _as_text(path: Path, field: str, node: Node) -> str:
    match node:
        case Scalar() if field in ("readinessTimeout", "readiness_timeout"):
            return f"write {node.text}s" if node.text.isdecimal() else "write it as in 600s"
        case Scalar():
            return "put it in quotes"
        case Mapping() if _is_trigger(path):
            return _as_trigger(node, path[0] == "services")
        case Sequence() if field in ("command", "start", "ready", "stop"):
            return 'write one script: "|", then one command a line'
        case _:
            return ""


def _as_list(field: str, node: Node) -> str:
    if isinstance(node, Scalar):
        words = [node.text] if field == "environment" else re.split(r"[\s,]+", node.text)
        return (
            f"write [{', '.join(words)}]"
            if all(map(_LIST_WORD.fullmatch, words))
            else 'write each after "- "'
        )
    if field == "environment":
        return 'write each as "- KEY=VALUE"'
    return 'write each on a line of its own after "- "'


def _as_mapping(field: str, node: Node) -> str:
    text = node.text if isinstance(node, Scalar) else ""
    match field:
        case "commands" if text:
            return 'write it as "start" below "commands"'
        case "docker" if text:
            return 'write it as "image" below "docker"'
        case "runsOn" | "runs_on" if text == "machine":
            return 'write "machine: {}" below it'
        case "services" | "tasks" if isinstance(node, Sequence):
            return 'write a reference before each, as in "web:"'
        case _:
            return ""


def _as_trigger(node: Mapping, of_service: bool) -> str:
    """`- postEnvironmentStart: true` and `- event: postEnvironmentStart` name a trigger all the same."""
    allowed = [t.value for t in Trigger if t in (SERVICE_TRIGGERS if of_service else TASK_TRIGGERS)]
    for key, entry in node.entries.items():
        named = {key, entry.value.text} if isinstance(entry.value, Scalar) else {key}
        for trigger in named.intersection(allowed):
            return f'write "- {trigger}"'
    return f"the triggers are {', '.join(allowed)}"


def _is_trigger(path: Path) -> bool:
    return len(path) > 1 and path[-2] in ("triggeredBy", "triggered_by")


def for_unknown(path: Path, key: str) -> str:
    """Where a field belongs that is unknown at `path`."""
    return _ELSEWHERE.get(_kind(path), {}).get(key, "")


def for_missing(node: Node, field: str) -> str:
    """What to do about a field that is missing, if what stands there tells."""
    if field == "commands" and isinstance(node, Mapping) and {"start", "command"} & node.entries.keys():
        return 'write the script as "start" below "commands"'
    return ""


def known_fields(known: Iterable[str]) -> str:
    """The fields that may stand there, in the usual spelling."""
    names = [name for name in known if "_" not in name]
    return f"the fields are {', '.join(names)}" if names else "it has no fields"


def for_duration(text: str) -> tuple[str, str]:
    """Message and hint for a readiness timeout that is none."""
    found = re.fullmatch(r"([0-9]{1,9})(m|min|h|ms|)", text)
    if re.fullmatch(r"[0-9]+(\.[0-9]{1,9})?s", text):
        return f"{quoted(text)} is longer than a day", "write at most 86400s, or 0s for no limit"
    if text.startswith("-"):
        return f"{quoted(text)} is negative", "write 0s for no limit"
    message = f"{quoted(text)} is no number of seconds"
    if found is None:
        return message, "write it as in 600s"
    if found[2] == "ms":
        return message, f"write {int(found[1]) / 1000:g}s"
    return message, f"write {int(found[1]) * _MINUTES.get(found[2], 1)}s"


def _kind(path: Path) -> str:
    match path:
        case ():
            return "file"
        case ("services", _):
            return "service"
        case ("tasks", _):
            return "task"
        case ("services", _, "commands"):
            return "commands"
        case _:
            return ""
