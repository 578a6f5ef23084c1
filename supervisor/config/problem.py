"""What is wrong with a file, and where: one `Problem` for each mistake, written for people."""

from __future__ import annotations

import enum
import re

from supervisor.lean.frozen import dataclass
from supervisor.model.spec import AutomationsFile

Path = tuple[str | int, ...]
"""The path from the top of the file to a value: keys of mappings and indices (from 0) of lists."""

_PLAIN_KEY = r"[A-Za-z0-9_-]+"  # compiled for the first problem: the start does not wait for it
_QUOTE_LIMIT = 80

LIMIT_PROBLEMS = 1000
"""Further problems are not listed: nobody reads them, and a file of 10 MB could have a million."""


class Severity(enum.Enum):
    """An error refuses the file; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or looks wrong, at one place of the file."""

    message: str
    """Lower case, one line, quotes the offender."""
    path: str = ""
    """As `services.web.commands.strt`, `tasks.a.dependsOn[1]`; empty: the file as a whole or its syntax."""
    line: int = 0
    """From 1; 0: no place inside the file, as for a file that cannot be read."""
    column: int = 0
    """From 1, in characters; 0 where `line` is."""
    hint: str = ""
    """How to correct it, if that is known."""
    severity: Severity = Severity.ERROR

    @property
    def text(self) -> str:
        """Message and hint as one sentence."""
        return f"{self.message}; {self.hint}" if self.hint else self.message

    def as_json(self) -> dict[str, str | int]:
        """All fields, as `validate --format json` prints them and `/control/update` answers."""
        return {
            "severity": self.severity.value,
            "line": self.line,
            "column": self.column,
            "path": self.path,
            "message": self.message,
            "hint": self.hint,
        }

    def render(self, name: str) -> str:
        """The line for people and for editors that jump to places: `file:line:column: path: message`."""
        place = f"{name}:{self.line}:{self.column}" if self.line else name
        warning = "warning" if self.severity is Severity.WARNING else ""
        return ": ".join(part for part in (place, warning, self.path, self.text) if part)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The result for a file: its content, or why it is refused."""

    file: AutomationsFile | None
    """None if and only if `problems` holds an error."""
    problems: tuple[Problem, ...] = ()
    """Errors and warnings in the order of their places."""

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that refuse the file."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The problems that do not."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.WARNING)


def path_text(path: Path) -> str:
    """The path as people read it. A key with other characters stands in brackets: `services["my web"].name`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(_PLAIN_KEY, part):
            text += f".{part}" if text else part
        else:
            text += f"[{quoted(part)}]"
    return text


def quoted(text: str) -> str:
    """Text of the file for a message: on one line, short, without control characters."""
    shown = text if len(text) <= _QUOTE_LIMIT else text[: _QUOTE_LIMIT - 1] + "…"
    return '"' + "".join(_visible(character) for character in shown) + '"'


def _visible(character: str) -> str:
    if character == '"':
        return '\\"'
    return character if character.isprintable() else ascii(character)[1:-1]
