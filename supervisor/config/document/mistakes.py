"""Mistakes that break the YAML of a file, recognised by the lines around them.

libyaml says where it gave up, often on a later line than the wrong one, in the words of its grammar. Here each mistake
that people make has a rule: a function that looks at the lines around that place and says what is wrong, where, and how
to correct it. The first rule that recognises the mistake wins. Nothing here decides whether a file is accepted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from supervisor.config.document.spaces import BLANKS, blank_name, no_space
from supervisor.config.document.text import Mistake
from supervisor.config.problem import LIMIT_PROBLEMS, quoted

_LOOK_BACK = 1000
"""How many lines above the error are examined: a mistake is near the place where it is noticed."""
_MANY = 100
"""How many lines that begin with an odd blank are examined: each needs a look at the lines above it."""

TEXT_FIELDS = frozenset({"name", "description", "command", "start", "ready", "stop", "image"})
_SCRIPTS = frozenset({"command", "start", "ready", "stop"})
_LISTS = frozenset({"triggeredBy", "triggered_by", "dependsOn", "depends_on"})

_AS_BLOCK = 'write "|" here and the text on the next line, indented more'
_BELOW = "write the text on the next line, indented more"

# What the first character of a value means in YAML, so that it cannot begin a text.
_INDICATORS = {
    "|": 'after "|" the text begins on the next line, so nothing else may stand on this one',
    ">": 'after ">" the text begins on the next line, so nothing else may stand on this one',
    "*": 'a value cannot start with "*", which in YAML repeats another value (an alias)',
    "&": 'a value cannot start with "&", which in YAML names a value (an anchor)',
    "[": 'a value that starts with "[" is a list in YAML, and nothing may follow the list',
    "{": 'a value that starts with "{" is a mapping in YAML, and nothing may follow the mapping',
    '"': "nothing may follow the closing quotes of a value",
    "'": "nothing may follow the closing quotes of a value",
    "-": 'a value cannot start with "- ", which in YAML begins a list',
    **{mark: f'a value cannot start with "{mark}"' for mark in "@`%],}?"},
}

_CONFLICT = re.compile(r"^(?:<{7}|>{7}|={7}|\|{7})(?=[ \r\n]|\Z)[^\r\n]*", re.MULTILINE)
_ODD_INDENT = re.compile(rf"^[ \t]*([{BLANKS}])(?=[ \t{BLANKS}]*[^\s{BLANKS}])", re.MULTILINE)
_LINE = re.compile(r"[^\r\n]+")
_KEY = r"""(?:"[^"]*"|'[^']*'|[^\s#"'\[\]{},:][^:#\t]*?)"""
_FIELD = re.compile(rf"(?P<indent>[ ]*(?:-[ ]+)*)(?P<key>{_KEY})[ ]*:(?:[ \t]+(?P<value>[^\s#].*)?|$)")
_HEADER = re.compile(r"[|>][-+0-9]*[ \t]*(#.*)?")
_CLOSED = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'(?:[^']|'')*')\s*""")

# What stands where "key: " or "- " should; `at` is the place, `mark` what it should be.
_NO_SPACE = re.compile(rf"[ ]*(?:-[ ]+)*(?P<at>)(?P<mark>[\w-]+:)(?P<next>[^\s/:]|[{BLANKS}])")
_NO_SPACE_IN_LIST = re.compile(rf"[ ]*(?P<at>)(?P<mark>-)(?P<next>[\w{BLANKS}])")
_NO_COLON = re.compile(r"[ ]*(?:-[ ]+)*(?P<mark>[\w-]+)[ ]*(?P<at>[=\uff1a\ufe55\ua789\u2236])")
_COMMENT = re.compile(r"[ ]*(?P<mark>//|/\*)")
_NO_DASH = re.compile(r"[ ]*(?P<at>[\u2022\u00b7\u2010-\u2015\u2212\u25e6*])[ ]")
_WORD = re.compile(r"[ ]*(?:-[ ]+)*(?P<mark>[\w-]+)(?=[ ]|$)")

# libyaml's problems that the rules look at.
_NO_KEY = "could not find expected ':'"
_COLON = "mapping values are not allowed in this context"
_NO_NAME = "did not find expected alphabetic or numeric character"
_KEY_EXPECTED = ("did not find expected key", "did not find expected '-' indicator")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the text without its end."""

    at: int
    content: str

    @property
    def indent(self) -> int:
        """How many spaces it begins with."""
        return len(self.content) - len(self.content.lstrip(" "))

    @property
    def begins(self) -> int:
        """Where its first word stands in the text."""
        return self.at + self.indent


@dataclass(frozen=True, slots=True)
class Stop:
    """Where and why libyaml gave up."""

    text: str
    problem: str
    at: int
    begun: int
    """Where the part begins that it could not read."""

    def line(self, at: int) -> Line:
        """The line of an offset."""
        start = max(self.text.rfind("\n", 0, at), self.text.rfind("\r", 0, at)) + 1
        found = _LINE.match(self.text, start)
        return Line(start, found[0] if found else "")

    def above(self, line: Line) -> Iterator[Line]:
        """The lines above one that hold more than a comment, nearest first."""
        for _ in range(_LOOK_BACK):
            if line.at == 0:
                return
            line = self.line(line.at - 1)
            if line.content.strip() and not line.content.lstrip().startswith("#"):
                yield line

    def block_of(self, line: Line) -> Line | None:
        """The line that begins the block of text (`|`, `>`) to which this one belongs by its indentation."""
        least = line.indent
        for each in self.above(line) if least else ():
            if each.indent < least:
                field = _FIELD.match(each.content)
                if field is not None and _HEADER.fullmatch(field["value"] or ""):
                    return each
                least = each.indent
            if least == 0:
                return None
        return None

    def unfinished(self) -> Line | None:
        """The line that should be a field or an item of a list and is not."""
        line = self.line(self.begun)
        if self.problem == _NO_KEY:
            return line
        line = self.line(self.at)
        if self.problem == _COLON:
            field = _FIELD.match(line.content)
            above = next(self.above(line), None)
            is_first = field is not None and line.at + field.end("key") <= self.at
            if is_first and above is not None and not _FIELD.match(above.content):
                return above
        if self.problem == _NO_NAME and self.begun == line.begins:
            return line
        return line if self.problem in _KEY_EXPECTED and self.at == line.begins else None


def mistakes(stop: Stop) -> list[Mistake]:
    """What broke the file: several mistakes if it is repeated, an empty list if no rule recognises it."""
    if found := list(islice(_conflicts(stop.text), LIMIT_PROBLEMS)):
        return found
    odd = [*odd_indents(stop)]
    if any(mistake.at <= stop.at for mistake in odd):
        return odd
    return next(([mistake] for rule in _RULES if (mistake := rule(stop)) is not None), [])


def _conflicts(text: str) -> Iterator[Mistake]:
    """Conflict markers of a merge: those that begin a conflict, or the others if those are gone."""
    markers = list(islice(_CONFLICT.finditer(text), 10 * LIMIT_PROBLEMS))
    beginnings = [marker for marker in markers if marker[0][0] == "<"]
    for marker in beginnings or markers:
        hint = "keep one of the versions and remove the lines with the markers" if beginnings else "remove it"
        yield Mistake(marker.start(), f"a merge conflict is not resolved: {quoted(marker[0])}", hint, False)


def odd_indents(stop: Stop) -> Iterator[Mistake]:
    """Lines that are indented by characters that only look like spaces, outside blocks of text."""
    for found in islice(_ODD_INDENT.finditer(stop.text), _MANY):
        if stop.block_of(stop.line(found.start(1))) is None:
            what = f"{blank_name(found[1])} cannot indent a line"
            yield Mistake(found.start(1), what, "use spaces", False)


# ---- the rules ----


def _value_start(stop: Stop) -> Mistake | None:
    """A value that begins with one of YAML's own characters: `| echo hi`, `*.py`, `&& x`, `[ -f x ] && y`."""
    line = stop.line(stop.at)
    field = _FIELD.match(line.content)
    value = field["value"] if field is not None else None
    if field is None or value is None or value[0] not in _INDICATORS:
        return None
    at = line.at + field.start("value")
    if at > stop.at or not _is_meant(
        value, stop.text[at : stop.begun if stop.begun > at else stop.at], stop.problem, field["key"]
    ):
        return None
    return Mistake(at, _INDICATORS[value[0]], _mend(value[0], field["key"]))


def _is_meant(value: str, read: str, problem: str, key: str) -> bool:
    """Whether the value's first character is what libyaml stumbled over; `read` is what it had read of the value."""
    match value[0]:
        case '"' | "'":
            return _CLOSED.fullmatch(read) is not None
        case "-":
            return key in TEXT_FIELDS and problem.startswith("block sequence entries")
        case "[" | "{" if "did not find expected ',' or" in problem:
            return key in TEXT_FIELDS  # of another field the list itself is looked at
        case _:
            return True


def _mend(indicator: str, key: str) -> str:
    """How to write a text that begins with one of YAML's own characters."""
    match indicator:
        case "|" | ">":
            return f"{_BELOW}, or put the whole value in quotes"
        case '"' | "'":
            quotes = "single" if indicator == '"' else "double"
            return f"put the whole value in {quotes} quotes" + (
                f", or {_AS_BLOCK}" if key in _SCRIPTS else ""
            )
        case _:
            return "put it in quotes" + (f", or {_AS_BLOCK}" if key in _SCRIPTS else "")


def _comment(stop: Stop) -> Mistake | None:
    """A comment in the style of another language."""
    line = stop.unfinished()
    found = _COMMENT.match(line.content) if line is not None else None
    if line is None or found is None:
        return None
    return Mistake(line.begins, f"{quoted(found['mark'])} does not begin a comment", 'write "#"')


def _no_space(stop: Stop) -> Mistake | None:
    """`name:x`, `-manual`, `name = x`: what stands where "key: " or "- " should."""
    line = stop.unfinished()
    if line is None:
        return None
    for pattern in (_NO_SPACE, _NO_SPACE_IN_LIST):
        if (found := pattern.match(line.content)) is not None:
            return Mistake(line.at + found.start("at"), *no_space(found["mark"], found["next"]))
    if (found := _NO_COLON.match(line.content)) is not None:
        what = f"{quoted(found['at'] or ' ')} stands where a colon should"
        return Mistake(line.at + found.start("at"), what, f'write "{found["mark"]}: "')
    if (found := _NO_DASH.match(line.content)) is not None:
        at = found.start("at")
        return Mistake(
            line.at + at, f"{quoted(line.content[at])} does not begin an item of a list", 'write "- "'
        )
    if stop.problem == _COLON and (found := _WORD.match(line.content)) is not None:
        return Mistake(line.at + found.start("mark"), f'a ":" is missing after "{found["mark"]}"')
    return None


def _text_not_indented(stop: Stop) -> Mistake | None:
    """Lines of a text that are not indented more than the key above the text."""
    line = stop.unfinished()
    if line is None or _FIELD.match(line.content):
        return None
    for above in stop.above(line):
        field = _FIELD.match(above.content)
        if field is not None and stop.block_of(above) is None:
            break
    else:
        return None
    key = field["key"].strip("\"'")
    if len(field["indent"]) < line.indent and not _HEADER.fullmatch(field["value"] or ""):
        return None
    if _HEADER.fullmatch(field["value"] or ""):
        what = f'this line is not a field, and it is not indented enough for the text of "{key}"'
        return Mistake(line.begins, what, f'indent each line of the text more than "{key}"')
    if _COMMENT.match(line.content):
        return None
    hint = ""
    if key in TEXT_FIELDS:
        hint = f'for a text of several lines write "{key}: |" and indent each of its lines more than "{key}"'
    elif key in _LISTS:
        hint = f'for an item of "{key}" write "- " before it'
    return Mistake(line.begins, 'this line is not a field: a ":" is missing', hint)


def _indented_more(stop: Stop) -> Mistake | None:
    """A field that is indented more than the one above it, so that it would continue its value."""
    line = stop.line(stop.at)
    field = _FIELD.match(line.content)
    above = next(stop.above(line), None)
    if stop.problem != _COLON or field is None or above is None or field["key"].count(": "):
        return None
    one_above = _FIELD.match(above.content)
    if one_above is None or line.at + field.end("key") != stop.at or line.indent <= above.indent:
        return None
    what = "this line is indented more than the field above, so that it would continue its value"
    return Mistake(line.begins, what, "indent both alike")


def _fits_no_line(stop: Stop) -> Mistake | None:
    """A line whose indentation is between those of the lines above."""
    line = stop.line(stop.at)
    if stop.problem not in _KEY_EXPECTED or stop.at != line.begins:
        return None
    levels = sorted({each.indent for each in islice(stop.above(line), 20)})
    if line.indent in levels or not levels:
        return None
    spaces = "1 space" if line.indent == 1 else f"{line.indent} spaces"
    what = f"this line is indented by {spaces}, and no line above is indented like it"
    return Mistake(line.begins, what, f"indent it like the line that it belongs beside, by {_either(levels)}")


def _either(numbers: list[int]) -> str:
    *most, last = map(str, numbers)
    return f"{', '.join(most)} or {last}" if most else last


def _no_comma(stop: Stop) -> Mistake | None:
    """Two values of a list or mapping in brackets with nothing between them."""
    before = stop.text[stop.begun : stop.at].rstrip()
    if not stop.problem.startswith("did not find expected ',' or") or stop.text[
        stop.at : stop.at + 1
    ] not in ('"', "'"):
        return None
    if before[-1:] in ("[", "{", ",", ":"):
        return None
    return Mistake(stop.at, 'a "," is missing before this value')


_RULES: tuple[Callable[[Stop], Mistake | None], ...] = (
    _value_start,
    _no_space,
    _text_not_indented,
    _comment,
    _indented_more,
    _fits_no_line,
    _no_comma,
)
