"""Messages and hints for wrong values: what must stand there, what stands there, and what was probably meant."""

from __future__ import annotations

import re
from collections.abc import Iterable

from supervisor.config import foreign_fields
from supervisor.config.document.mistakes import TEXT_FIELDS
from supervisor.config.document.nodes import Mapping, Node, Scalar, ScalarKind, Sequence, entries, is_null
from supervisor.config.document.spaces import BLANKS, blank_name, is_blank
from supervisor.config.problem import Path, quoted
from supervisor.model.spec import SERVICE_TRIGGERS, TASK_TRIGGERS, Trigger

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
_NO_SPACE = re.compile(
    rf"(?:(?P<field>[\w-]+:)|[-*\u2022\u00b7\u2010-\u2015])(?P<next>[\w\[{{\"'{BLANKS}]|$| )"
)
_EQUALS = re.compile(r"([\w-]+) = ")
_FIELDS_OF = {
    "commands": ("start", "ready", "stop", ""),
    "docker": ("image", "environment"),
    **dict.fromkeys(("runsOn", "runs_on"), ("docker", "machine")),
    **dict.fromkeys(_LISTS, ("",)),
}
"""The fields that may stand below a field; an empty name is an item of a list."""
_MINUTES = {"m": 60, "min": 60, "h": 3600}


def expected(kind: str, path: Path) -> str:
    """What must stand at `path`, where the schema expects a value of `kind`."""
    if kind == "array":
        return _LISTS.get(str(path[-1]), "a list")
    if kind == "object" and not path:
        return 'a mapping with "services" and "tasks"'
    if _is_trigger(path):
        return "the name of a trigger"
    return {"string": "a string", "boolean": "true or false", "object": "a mapping"}[kind]


def describe(node: Node) -> str:
    """The node in words."""
    match node:
        case Mapping():
            return "a mapping"
        case Sequence():
            return "a list"
        case Scalar(kind=ScalarKind.NULL):
            return "nothing"
        case Scalar(kind=ScalarKind.STRING):
            return f"the string {quoted(node.text)}"
        case Scalar():
            shown = node.text if len(node.text) <= 40 else node.text[:39] + "…"
            return f"the {node.kind.value} {shown}"


def for_type(kind: str, path: Path, node: Node, written: str, root: Node) -> str:
    """How to write what was probably meant, where the schema expects a value of `kind`.

    `written` is the first character of the value: it shows whether the value is in quotes or brackets.
    """
    field = str(path[-1]) if path else ""
    plain_text = node.text if isinstance(node, Scalar) and written not in ('"', "'", "|", ">") else ""
    if kind in ("array", "object") and (hint := _for_no_space_in(field, plain_text)):
        return hint
    match kind:
        case "array":
            return _as_list(field, node)
        case "object":
            return _as_mapping(field, node, root)
        case "boolean":
            return _BOOLEANS.get(node.text.lower(), "") if isinstance(node, Scalar) else ""
        case _:
            return _as_text(path, field, node, written)


def _for_no_space_in(field: str, text: str) -> str:
    """`for_no_space`, if the text can be such a mistake: `docker: node:20` is not."""
    if (found := _EQUALS.match(text)) is not None:
        return f'write "{found[1]}: "'
    found = _NO_SPACE.match(text)
    mark = (found and found["field"]) or ""
    return for_no_space(text) if mark[:-1] in _FIELDS_OF.get(field, (mark[:-1],)) else ""


def for_no_space(text: str) -> str:
    """A hint for a field or an item of a list that lacks its space: `name:x`, `-manual`."""
    if (found := _NO_SPACE.match(text)) is None:
        return ""
    mark = found["field"] or "-"
    if found["next"] and is_blank(found["next"]):
        return f'after "{mark}" stands {blank_name(found["next"])}: write a space'
    return f'write a space after each "{mark}"' if mark == "-" else f'write a space after "{mark}"'


def _as_text(path: Path, field: str, node: Node, written: str) -> str:
    match node:
        case Scalar() if field in ("readinessTimeout", "readiness_timeout"):
            return f"write {node.text}s" if node.text.isdecimal() else "write it as in 600s"
        case Scalar():
            return "put it in quotes"
        case Mapping() if _is_trigger(path):
            return _as_trigger(node, path[0] == "services")
        case Sequence() if field in ("command", "start", "ready", "stop"):
            return 'write one script: "|", then one command a line'
        case Mapping() if field == "ready" and not _is_braced_script(node):
            return "write a command that exits 0 once the service is ready"
        case Mapping() if field in TEXT_FIELDS and written == "{":
            return f'a value that starts with "{written}" is a mapping in YAML: put it in quotes'
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


def _as_mapping(field: str, node: Node, root: Node) -> str:
    text = node.text if isinstance(node, Scalar) else ""
    match field:
        case "commands" if text or isinstance(node, Sequence):
            return f'write {"it" if text else "one script"} as "start" below "commands"'
        case "docker" if text:
            return 'write it as "image" below "docker"'
        case "runsOn" | "runs_on" if text == "machine":
            return 'write "machine: {}" below it'
        case "runsOn" | "runs_on" if text:
            image = "NAME" if text == "docker" else text
            return f'write "docker:" below it, and below that "image: {image}"'
        case "tasks" if isinstance(node, Sequence) and _is_classic(node, root):
            return foreign_fields.CLASSIC
        case "services" | "tasks" if isinstance(node, Sequence):
            example = "web" if field == "services" else "build"
            return f'write a reference in place of each "-", as in "{example}:"'
        case _ if isinstance(node, Sequence) and all(isinstance(item, Mapping) for item in node.items):
            return 'remove the "-" before its fields'
        case _:
            return ""


def _is_braced_script(node: Mapping) -> bool:
    """Whether a script in braces was read as a mapping: `{ test -e x; }`."""
    return all(is_null(entry.value) for entry in node.entries.values())


def _is_classic(tasks: Sequence, root: Node) -> bool:
    """Whether it is the list of tasks of a classic `.gitpod.yml`."""
    fields = {key for item in tasks.items for key, _ in entries(item)}
    return bool(fields & foreign_fields.CLASSIC_TASK_FIELDS) or any(
        key in foreign_fields.CLASSIC_FILE_FIELDS for key, _ in entries(root)
    )


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


def for_unknown(path: Path, key: str, node: Node) -> str:
    """A hint for a field that is unknown at `path`; `node` is its value."""
    if not path and isinstance(node, Mapping) and (kind := _kind_of_item(node)):
        return f'indent it, with all below it, to stand below "{kind}"'
    return foreign_fields.for_unknown(_kind(path), key)


def _kind_of_item(node: Mapping) -> str:
    """Where an item belongs that stands beside `services` and `tasks`; empty if it is not an item."""
    return "services" if "commands" in node.entries else "tasks" if "command" in node.entries else ""


def for_missing(node: Node, field: str) -> str:
    """A hint for a missing field, if the other fields show what was meant."""
    if field == "commands" and isinstance(node, Mapping) and {"start", "command"} & node.entries.keys():
        return 'write the script as "start" below "commands"'
    return ""


def known_fields(known: Iterable[str]) -> str:
    """The fields that may stand there, in the usual spelling."""
    names = [name for name in known if "_" not in name]
    return f"the fields are {', '.join(names)}" if names else "it has no fields"


def for_duration(text: str) -> tuple[str, str]:
    """Message and hint for a wrong readiness timeout."""
    found = re.fullmatch(r"([0-9]{1,9})(m|min|h|ms|)", text)
    if re.fullmatch(r"[0-9]+(\.[0-9]{1,9})?s", text):
        return f"{quoted(text)} is longer than a day", "write at most 86400s, or 0s for no limit"
    if text.startswith("-"):
        return f"{quoted(text)} is negative", "write 0s for no limit"
    message = f"{quoted(text)} is not a number of seconds"
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
        case (_, _, "runsOn" | "runs_on", "docker"):
            return "docker"
        case _:
            return ""
