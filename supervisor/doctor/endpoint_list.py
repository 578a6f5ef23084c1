"""Reads a list of endpoints, the packaged one or `--endpoints FILE`: YAML or JSON. Every mistake has its place.

groups:
  - name: Release artifacts        # shown beside each of its endpoints
    required: true                 # whether a failure makes the doctor exit 1; an endpoint may have its own
    runner: standard               # only this kind of runner needs it: standard or enterprise; absent: both
    endpoints:
      - url: https://releases.example.com/manifest.json   # https://, http:// or udp:// (with a port)
        expect: success            # 2xx or 3xx; absent: any answer below 500
        plane: true                # the management plane: the URL of the settings takes its place
        direct: true               # never through a proxy
      - url: https://*.example.com:8443
        example: https://doctor.example.com:8443    # what the doctor tries if the url has a *
      - url: https://ec2.<region>.amazonaws.com     # <region> and <account-id> are filled in
      - yours: Your metrics endpoint                # an endpoint that no list can know: always skipped
"""

from __future__ import annotations

import enum
import fnmatch
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from supervisor.config.document import source
from supervisor.config.document.nodes import Mapping, Node, Scalar, ScalarKind, Sequence, is_null
from supervisor.config.document.parse import parse
from supervisor.config.document.text import Text, decode_text
from supervisor.config.problem import Path as Place
from supervisor.config.problem import Problem, path_text, quoted
from supervisor.config.suggest import Suggester
from supervisor.model.errors import SupervisorError

PACKAGED = Path(__file__).with_name("endpoints.yaml")
PLACEHOLDERS = ("<region>", "<account-id>")
_GROUP = ("name", "required", "runner", "endpoints")
_ENDPOINT = ("url", "yours", "example", "required", "runner", "expect", "plane", "direct")
_C = TypeVar("_C", bound=enum.Enum)
_T = TypeVar("_T")
_HOST = re.compile(r"[A-Za-z0-9._*-]+|[0-9A-Fa-f:.]+")


class Runner(enum.Enum):
    """The platform's kinds of runner."""

    STANDARD = "standard"
    ENTERPRISE = "enterprise"


class Expect(enum.Enum):
    """Which HTTP answers count as good."""

    ANSWER = "answer"
    SUCCESS = "success"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint of the list. It has a `url`, or `yours` says what kind of endpoint the user has there."""

    group: str
    required: bool
    url: str = ""
    yours: str = ""
    example: str = ""
    runner: Runner | None = None
    expect: Expect = Expect.ANSWER
    plane: bool = False
    direct: bool = False

    @property
    def name(self) -> str:
        """How people call it."""
        return self.url or self.yours


def read_listing(path: Path | str = PACKAGED) -> tuple[Endpoint, ...]:
    """The endpoints of the list at `path` ("-": standard input). Raises SupervisorError with every mistake."""
    name = "<stdin>" if str(path) == source.STDIN else str(path)
    data = source.read(path)
    entries, problems = ((), [data]) if isinstance(data, Problem) else parse_listing(data)
    if problems:
        lines = [problem.render(name) for problem in problems]
        raise SupervisorError("cannot use the list of endpoints:\n" + "\n".join(lines))
    return entries


def parse_listing(data: bytes) -> tuple[tuple[Endpoint, ...], list[Problem]]:
    """The endpoints in the text, or all problems."""
    text = decode_text(data)
    if isinstance(text, Problem):
        return (), [text]
    parsed = parse(text)
    if parsed.problems:
        return (), parsed.problems
    reader = _Reader(text)
    entries = tuple(reader.entries(parsed.root))
    problems = sorted(reader.problems, key=lambda problem: (problem.line, problem.column))
    return ((), problems) if problems else (entries, [])


class _Reader:
    """Walks the tree and collects problems. If there are any, the caller drops the endpoints: they may be wrong."""

    def __init__(self, text: Text) -> None:
        self.problems: list[Problem] = []
        self._text = text
        self._suggester = Suggester()

    def entries(self, root: Node | None) -> Iterator[Endpoint]:
        if root is None or is_null(root):
            self._note(0, (), "the file is empty", 'it needs a list "groups"')
            return
        fields = self._fields(root, (), ("groups",))
        for place, group in self._items(fields, root.at, (), "groups"):
            yield from self._group(group, place)

    def _group(self, node: Node, place: Place) -> Iterator[Endpoint]:
        fields = self._fields(node, place, _GROUP)
        name = self._string(fields, place, "name")
        if not name:
            self._note(node.at, place, 'field "name" is missing')
        required = self._flag(fields, place, "required")
        if "required" not in fields:
            self._note(node.at, place, 'field "required" is missing', "say true or false")
        runner = self._choice(fields, place, "runner", Runner)
        for below, endpoint in self._items(fields, node.at, place, "endpoints"):
            yield self._entry(endpoint, below, name, required, runner)

    def _entry(self, node: Node, place: Place, group: str, required: bool, runner: Runner | None) -> Endpoint:
        fields = self._fields(node, place, _ENDPOINT)
        if ("url" in fields) == ("yours" in fields):
            self._note(node.at, place, 'an endpoint has either "url" or "yours"')
        entry = Endpoint(
            group,
            self._flag(fields, place, "required") if "required" in fields else required,
            self._string(fields, place, "url"),
            self._string(fields, place, "yours"),
            self._string(fields, place, "example"),
            self._choice(fields, place, "runner", Runner) or runner,
            self._choice(fields, place, "expect", Expect) or Expect.ANSWER,
            self._flag(fields, place, "plane"),
            self._flag(fields, place, "direct"),
        )
        self._check_url(fields, place, "url", entry.url)
        self._check_url(fields, place, "example", entry.example)
        self._check_example(fields, node, place, entry)
        return entry

    def _check_url(self, fields: dict[str, Node], place: Place, field: str, url: str) -> None:
        if url and (why := url_problem(url)):
            self._note(fields[field].at, (*place, field), f"{quoted(url)} is not a URL to check: {why}")

    def _check_example(self, fields: dict[str, Node], node: Node, place: Place, entry: Endpoint) -> None:
        if "*" in entry.url and not entry.example:
            self._note(node.at, place, f'{quoted(entry.url)} has a *, but there is no "example" to try')
        elif entry.example and not fnmatch.fnmatchcase(entry.example, entry.url):
            at = fields["example"].at
            self._note(at, (*place, "example"), f"{quoted(entry.example)} does not match {quoted(entry.url)}")
        elif "*" in entry.example:
            self._note(fields["example"].at, (*place, "example"), "an example has no *")

    def _fields(self, node: Node, place: Place, names: tuple[str, ...]) -> dict[str, Node]:
        """The values of a mapping by name. An unknown name is a problem."""
        if not isinstance(node, Mapping):
            self._note(node.at, place, f"a mapping is expected here, with {', '.join(names)}")
            return {}
        for name, entry in node.entries.items():
            if name not in names:
                hint = self._suggester.did_you_mean(name, names)
                self._note(entry.at, (*place, name), f"unknown field {quoted(name)}", hint)
        return {
            name: entry.value
            for name, entry in node.entries.items()
            if name in names and not is_null(entry.value)
        }

    def _items(
        self, fields: dict[str, Node], at: int, place: Place, name: str
    ) -> Iterator[tuple[Place, Node]]:
        node = fields.get(name)
        if not isinstance(node, Sequence) or not node.items:
            self._note(
                at if node is None else node.at,
                (*place, name),
                "a list with at least one item is expected here",
            )
            return
        for index, item in enumerate(node.items):
            yield (*place, name, index), item

    def _string(self, fields: dict[str, Node], place: Place, name: str) -> str:
        return self._scalar(fields, place, name, ScalarKind.STRING, lambda text: text, "")

    def _flag(self, fields: dict[str, Node], place: Place, name: str) -> bool:
        return self._scalar(fields, place, name, ScalarKind.BOOL, lambda text: text.lower() == "true", False)

    def _choice(self, fields: dict[str, Node], place: Place, name: str, kind: type[_C]) -> _C | None:
        text = self._string(fields, place, name)
        if not text or text in [choice.value for choice in kind]:
            return kind(text) if text else None
        choices = " or ".join(f'"{choice.value}"' for choice in kind)
        self._note(fields[name].at, (*place, name), f"{quoted(text)} is not allowed here", f"it is {choices}")
        return None

    def _scalar(
        self,
        fields: dict[str, Node],
        place: Place,
        name: str,
        kind: ScalarKind,
        value: Callable[[str], _T],
        default: _T,
    ) -> _T:
        node = fields.get(name)
        if node is None:
            return default
        if isinstance(node, Scalar) and node.kind is kind:
            return value(node.text)
        self._note(node.at, (*place, name), f"a {kind.value} is expected here")
        return default

    def _note(self, at: int, place: Place, message: str, hint: str = "") -> None:
        line, column = self._text.position(at)
        self.problems.append(Problem(message, path_text(place), line, column, hint))


def url_problem(url: str) -> str:
    """Why a URL cannot be checked; empty if it can. Placeholders and stars count as names."""
    filled = url
    for placeholder in PLACEHOLDERS:
        filled = filled.replace(placeholder, "x")
    try:
        parts = urlsplit(filled)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        return str(error).lower()
    if parts.scheme not in ("https", "http", "udp"):
        return "it must begin with https://, http:// or udp://"
    if not _HOST.fullmatch(host):
        return "it names no host"
    if parts.username is not None:
        return "it must not hold a user or a password"
    if parts.scheme == "udp" and (not port or parts.path):
        return "udp:// takes a host and a port, nothing else"
    if not filled.isascii() or any(c.isspace() or not c.isprintable() for c in filled) or parts.fragment:
        return "it holds characters that a request cannot"
    return ""
