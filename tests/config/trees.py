"""Data trees for property tests: right ones, slightly wrong ones, and their text with the line of every part."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from supervisor.config.document.nodes import MapEntry, Mapping, Node, Scalar, ScalarKind, Sequence
from supervisor.model.spec import SERVICE_TRIGGERS, TASK_TRIGGERS, Trigger

Data = Any
Way = tuple[str | int, ...]

# ---- right ones ----

REFERENCES = ["web", "db", "build", "test", "lint", "0", "a-b_C", "x" * 128]
texts = st.sampled_from(
    ["x", " ", "npm start", "a\nb\n", "é𝄞", "yes", "12", "#", "- a: b", '"', "\u2028", "\x85", "\x07"]
)
maybe_empty = st.just("") | texts
variables = st.lists(st.sampled_from(["A=b", "A=", "A"]), max_size=2)
targets: st.SearchStrategy[Data] = st.one_of(
    st.just({"machine": {}}),
    st.just({"machine": {}, "docker": None}),
    st.fixed_dictionaries(
        {"docker": st.fixed_dictionaries({"image": texts}, optional={"environment": variables})}
    ),
)
durations = st.sampled_from(
    ["0s", "600s", "86400s", "86400.000s", "1.5s", "0.123456789s", "000600s", "9999s", "79999s"]
)


def triggers(allowed: frozenset[Trigger]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(sorted(trigger.value for trigger in allowed)), max_size=3)


services = st.fixed_dictionaries(
    {
        "name": texts,
        "commands": st.fixed_dictionaries(
            {"start": texts}, optional={"ready": maybe_empty, "stop": maybe_empty}
        ),
    },
    optional={
        "description": maybe_empty,
        "triggeredBy": triggers(SERVICE_TRIGGERS),
        "role": st.sampled_from(["", "default", "editor", "ai-agent"]),
        "runsOn": targets,
        "readinessTimeout": durations,
    },
)
tasks = st.fixed_dictionaries(
    {"name": texts, "command": texts},
    optional={
        "description": maybe_empty,
        "dependsOn": st.lists(st.sampled_from(REFERENCES), max_size=2),
        "triggeredBy": triggers(TASK_TRIGGERS),
        "runsOn": targets,
        "prebuildRequiresSuccess": st.booleans(),
    },
)
references = st.sampled_from(REFERENCES)
files: st.SearchStrategy[Data] = st.fixed_dictionaries(
    {},
    optional={
        "services": st.dictionaries(references, services, max_size=2),
        "tasks": st.dictionaries(references, tasks, max_size=3),
    },
)

# ---- slightly wrong ones ----

KEYS = [
    *(
        "services",
        "tasks",
        "name",
        "description",
        "commands",
        "command",
        "start",
        "ready",
        "stop",
        "docker",
        "machine",
    ),
    *(
        "triggeredBy",
        "triggered_by",
        "dependsOn",
        "depends_on",
        "runsOn",
        "runs_on",
        "role",
        "image",
        "environment",
    ),
    *("readinessTimeout", "readiness_timeout", "prebuildRequiresSuccess", "prebuild_requires_success"),
    *(
        "nmae",
        "strt",
        "ports",
        "",
        "web",
        "web\n",
        "we b",
        "wéb",
        "x" * 129,
        "<<",
        "null",
        "a\0b",
        "\x1b",
        "[",
    ),
]
VALUES: list[Data] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        float("inf"),
        "",
        "x",
        "true",
        "a\0b",
        "\0",
        [],
        {},
        [None],
        [""],
        [12],
        ["x", "x"],
    ),
    *(
        "600",
        "600s",
        "-1s",
        "86401s",
        "86400.000000001s",
        "99999s",
        "100000s",
        "1.0000000001s",
        ".5s",
        "1.s",
        "s",
        "1s\n",
    ),
    *(
        "00086400s",
        "086401s",
        "٣s",
        "10m",
        "1e3s",
        "web",
        "default",
        "Editor",
        "manual",
        "beforeSnapshot",
        "post",
    ),
    *(
        ["manual"],
        ["beforeSnapshot"],
        ["web"],
        {"machine": {}},
        {"docker": {}},
        {"docker": {"image": "x"}, "machine": {}},
    ),
    *(
        {"machine": None},
        {"machine": {"x": 1}},
        {"name": "x", "command": "y"},
        {"name": "x", "commands": {"start": "y"}},
    ),
]
# Copies: what a test changes must not change the next test's values.
values: st.SearchStrategy[Data] = st.sampled_from(VALUES).map(copy.deepcopy)


def ways(data: Data, way: Way = ()) -> Iterator[Way]:
    """The ways to every part of the data."""
    yield way
    parts = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, part in parts:
        yield from ways(part, (*way, key))


def at(data: Data, way: Way) -> Data:
    for part in way:
        data = data[part]
    return data


@st.composite
def mutated(draw: st.DrawFn, originals: st.SearchStrategy[Data], most: int = 2) -> Data:
    """A file with up to `most` things changed: a part removed, renamed, doubled, replaced, swapped, added to."""
    data = copy.deepcopy(draw(originals))
    for _ in range(draw(st.integers(0, most))):
        data = mutate(draw, data)
    return data


def mutate(draw: st.DrawFn, data: Data) -> Data:
    way = draw(st.sampled_from(list(ways(data))))
    if not way:
        return draw(st.sampled_from([data, [data]]) | values)
    owner, key = at(data, way[:-1]), way[-1]
    match draw(st.sampled_from(["remove", "rename", "double", "replace", "swap", "add"])):
        case "remove":
            del owner[key]
        case "rename" if isinstance(owner, dict):
            owner[draw(st.sampled_from([*KEYS, str(key) + "x", str(key)[1:]]))] = owner.pop(key)
        case "double" if isinstance(owner, dict):
            owner[draw(st.sampled_from([snake(str(key)), *KEYS]))] = copy.deepcopy(owner[key])
        case "double" | "rename":
            owner.append(copy.deepcopy(owner[key]))
        case "swap":
            owner[key] = copy.deepcopy(at(data, draw(st.sampled_from(list(ways(data))))))
        case "add" if isinstance(owner[key], dict):
            owner[key][draw(st.sampled_from(KEYS))] = draw(values)
        case _:
            owner[key] = draw(values)
    return data


def snake(name: str) -> str:
    return re.sub("[A-Z]", lambda capital: "_" + capital.group().lower(), name)


# ---- as a tree and as text ----


def node(data: Data) -> Node:
    """The tree that the text of the data has, all at place 0."""
    match data:
        case dict():
            return Mapping(0, {key: MapEntry(0, node(value)) for key, value in data.items()})
        case list():
            return Sequence(0, [node(item) for item in data])
        case None:
            return Scalar(0, ScalarKind.NULL, "")
        case bool():
            return Scalar(0, ScalarKind.BOOL, str(data))
        case str():
            return Scalar(0, ScalarKind.STRING, data)
        case _:
            return Scalar(0, ScalarKind.INT if isinstance(data, int) else ScalarKind.FLOAT, str(data))


class Written:
    """Data as YAML with one key or one item a line; `lines` has the line of each part: `{way: line}`."""

    def __init__(self, data: Data) -> None:
        self.lines: dict[Way, int] = {(): 1}
        self.text = ""
        self._line = 1
        self._write(data, (), "")

    def _write(self, data: Data, way: Way, indent: str) -> None:
        if not isinstance(data, dict | list) or not data:
            self._end(_word(data))
            return
        if way:
            self._end("")
        for key, part in data.items() if isinstance(data, dict) else enumerate(data):
            self.lines[(*way, key)] = self._line
            self.text += indent + (f"{_quoted(str(key))}:" if isinstance(data, dict) else "-")
            self._write(part, (*way, key), indent + " ")

    def _end(self, word: str) -> None:
        self.text += f" {word}\n"
        self._line += 1


def _word(data: Data) -> str:
    if isinstance(data, str):
        return _quoted(data)
    if data is None:
        return ""
    if isinstance(data, float):
        return ".inf" if data == float("inf") else repr(data)
    # Of the others only the booleans have letters, and the empty list and mapping are written as in Python.
    return str(data).lower()


def _quoted(text: str) -> str:
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text) + '"'
