"""libyaml's errors in plain words, at the place where a reader would look."""

from __future__ import annotations

import re

from supervisor.config.document.mistakes import Stop, mistakes
from supervisor.config.document.text import Mistake
from supervisor.config.problem import quoted
from supervisor.lean.libyaml import MarkedYAMLError, ReaderError, YAMLError

_CLOSERS = {"[": "]", "{": "}"}
_END = "found unexpected end of stream"
_TYPOGRAPHIC = re.compile("[\u2018-\u201f](?=\\s)")
"""Closing quotes as text processors write them."""

_ESCAPE = ("unknown escape after the backslash", "write the backslash twice or use single quotes")
# {libyaml's problem: (message, hint)}. libyaml gives a text and no code.
_PLAIN_WORDS = {
    "mapping values are not allowed in this context": (
        'a ":" cannot stand here',
        'put a value that holds ": " in quotes, or check the indentation',
    ),
    "did not find expected key": (
        "a key is expected here",
        "check the indentation and the quotes above",
    ),
    "did not find expected '-' indicator": (
        'a "-" is expected here: the list above goes on at this indentation',
        "check the indentation",
    ),
    "could not find expected ':'": ('a ":" is missing after this key', "check the indentation"),
    "block sequence entries are not allowed in this context": (
        'a "-" cannot stand here',
        "start the list on a line of its own",
    ),
    "block mapping entries are not allowed in this context": (
        "a key cannot stand here",
        "check the indentation",
    ),
    "mapping keys are not allowed in this context": ("a key cannot stand here", "check the indentation"),
    "did not find expected <document start>": (
        "the file goes on after its end",
        "check the indentation: the first line may be indented more",
    ),
    "did not find expected node content": ("a value is expected here", "check the brackets and commas above"),
    "did not find expected ',' or ']'": (
        'the list that starts here is not closed by "]"',
        "check its commas and quotes",
    ),
    "did not find expected ',' or '}'": (
        'the mapping that starts here is not closed by "}"',
        'put a value that starts with "{" in quotes',
    ),
    "found invalid Unicode character escape code": (
        "this escape names no character",
        "write the character itself",
    ),
    "found unknown escape character": _ESCAPE,
    "did not find expected hexdecimal number": _ESCAPE,
    "found a tab character that violates indentation": ("a tab cannot indent", "use spaces"),
    "found a tab character where an indentation space is expected": ("a tab cannot indent", "use spaces"),
    "found incompatible YAML document": ("this version of YAML is not known", "remove the line"),
    "found undefined tag handle": ("unknown tag", "remove it"),
}

# For these the beginning of the broken part says more than the place where libyaml gave up.
_AT_THE_BEGINNING = {
    "did not find expected ',' or ']'",
    "did not find expected ',' or '}'",
    "could not find expected ':'",
}


def syntax_problems(error: YAMLError, text: str, innermost: int | None) -> list[Mistake]:
    """The mistakes behind the parser's error; `innermost` is where the collection begins that it was reading."""
    if isinstance(error, ReaderError):
        return [_bad_character(error, text)]
    if not isinstance(error, MarkedYAMLError) or error.problem is None:
        return [Mistake(0, "the file is not YAML")]
    at = error.problem_mark.index if error.problem_mark else len(text)
    begun = error.context_mark.index if error.context_mark else at
    return mistakes(Stop(text, error.problem, at, begun)) or [_plain_words(error, text, innermost)]


def _plain_words(error: MarkedYAMLError, text: str, innermost: int | None) -> Mistake:
    assert error.problem is not None
    problem = error.problem
    at = error.problem_mark.index if error.problem_mark else len(text)
    beginning = error.context_mark.index if error.context_mark else at
    if problem == _END and "quoted" in (error.context or ""):
        closer = _TYPOGRAPHIC.search(text, beginning + 1)
        hint = f"{quoted(closer[0])} does not close them; write {text[beginning]}" if closer else ""
        return Mistake(beginning, "the quotes that open here are never closed", hint)
    if problem == "found character that cannot start any token":
        return _bad_start(at, text)
    if not text[at:].strip() and innermost is not None and text[innermost] in _CLOSERS:
        opener = text[innermost]
        return Mistake(
            innermost, f'the "{opener}" that opens here is never closed', f'write "{_CLOSERS[opener]}"'
        )
    message, hint = _PLAIN_WORDS.get(problem, (f"the file is not YAML: {problem}", ""))
    return Mistake(beginning if problem in _AT_THE_BEGINNING else at, message, hint)


def _bad_start(at: int, text: str) -> Mistake:
    character = text[at : at + 1]
    if character == "\t":
        return Mistake(at, "a tab cannot indent", "use spaces")
    return Mistake(at, f"a value cannot start with {quoted(character)}", "put it in quotes")


def _bad_character(error: ReaderError, text: str) -> Mistake:
    """The place that libyaml counts in bytes is counted in characters here."""
    at = len(text.encode()[: error.position].decode(errors="ignore"))
    number = error.character if isinstance(error.character, int) else 0
    return Mistake(at, f"the control character U+{number:04X} cannot stand in the file", "remove it")
