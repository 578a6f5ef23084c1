"""The words of a command as bash takes a text apart, as far as that is beyond doubt.

The scanner knows these characters, and gives up at any other:

| characters | in a word they are |
|---|---|
| `PLAIN`, those in quotes, those after a backslash | literal |
| `_EXPANDED`, `$NAME`, `${NAME}`, `${NAME:-plain}`, `$(plain words)` | for bash to expand |

| after a word | then |
|---|---|
| blanks, a backslash with the end of the line | the next word |
| `>`, `<`, `2>`, `>>`, `2>&1`, `&>` and a literal word | a redirection, if it is of 0, 1 or 2 |
| `&&` | what went before must be `cd FOLDER` |
"""

from __future__ import annotations

from collections.abc import Sequence

from supervisor.host.runs.spawn.simple_command import (
    BUILTINS,
    HARMLESS,
    KEYWORDS,
    PLAIN,
    Direct,
    Inline,
    NotSimple,
    check_name,
)
from supervisor.lean.frozen import dataclass

_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
_EXPANDED = frozenset("*?[]~{}!")
_QUOTABLE = frozenset(map(chr, range(32, 127))) | {"\n", "\t"}
_ENDS = frozenset(" \t\n<>&")
_OPERATORS = ("&>>", "&>", ">>", ">&", "<&", ">", "<")
_OTHER_WITH_C = frozenset(("_", "LINENO", "SHLVL", "FUNCNAME"))
"""Variables that have another value with `-c`; so have those that begin with BASH."""


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    value: str
    """Without quotes; of no use if it is not literal."""
    is_literal: bool
    is_redirection: bool = False


_EXEC, _AND = _Word("exec", "exec", True), _Word("&&", "&&", False)


def form(text: str) -> Direct | Inline:
    """The form that a text may have. Raises NotSimple."""
    lines, body = _trimmed(text)
    words, folder = _words(body), list[_Word]()
    if any(word.text == "&&" for word in words):
        folder, words = words[:3], words[3:]
        _check_folder(folder)
    return _form(lines, body, folder, words)


def _trimmed(text: str) -> tuple[str, str]:
    """The ends of the lines before the command, which count in messages, and the command. Raises NotSimple."""
    lines = text.split("\n")
    first, last = 0, len(lines)
    while first < last and _says_nothing(lines[first]):
        first += 1
    while last > first and _says_nothing(lines[last - 1]):
        last -= 1
    if first == last or (last < len(lines) and lines[last - 1].endswith("\\")):
        raise NotSimple
    return "\n" * first, "\n".join(lines[first:last]).strip(" \t")


def _says_nothing(line: str) -> bool:
    line = line.strip(" \t")
    return not line or line.startswith("#")


def _words(body: str) -> list[_Word]:
    """The words, redirections and `&&` of a command. Raises NotSimple."""
    words, at = [], 0
    while at < len(body):
        if body[at] in " \t":
            at += 1
        elif body.startswith("\\\n", at):
            at += 2
        elif body.startswith("&&", at):
            words.append(_AND)
            at += 2
        else:
            word, at = _redirection(body, at, at) if body[at] in "<>&" else _word(body, at)
            words.append(word)
    return words


def _word(body: str, start: int) -> tuple[_Word, int]:
    """The word that begins here, or the redirection if it is its number, and where it ends. Raises NotSimple."""
    value, at, is_literal = "", start, True
    if body[at] in "#\n":
        raise NotSimple  # a comment, or another command
    while at < len(body) and (char := body[at]) not in _ENDS:
        end = at + 1
        if char in PLAIN or char == "#":
            value += char
        elif char in _EXPANDED:
            is_literal = False
        elif char == "$":
            is_literal, end = False, _expansion(body, at)
        elif char == "'":
            end = body.find("'", end) + 1
            value += _quotable(body[at + 1 : end - 1] if end else "\0")
        elif char == '"':
            piece, end, is_plain = _double_quoted(body, end)
            value, is_literal = value + piece, is_literal and is_plain
        elif char == "\\" and end < len(body):
            end += 1
            if body[at + 1] != "\n":
                value += _quotable(body[at + 1])
        else:
            raise NotSimple
        at = end
    text = body[start:at]
    if at < len(body) and body[at] in "<>":
        if text in ("0", "1", "2"):
            return _redirection(body, start, at)
        if text.isdecimal() or "{" in text or "\\\n" in text:
            raise NotSimple
    return _Word(text, value, is_literal), at


def _double_quoted(body: str, at: int) -> tuple[str, int, bool]:
    """What is in double quotes from here on, where they end, and whether it is literal. Raises NotSimple."""
    start, is_literal = at, True
    while at < len(body) and (char := body[at]) != '"':
        if char == "`" or (char == "\\" and at + 1 == len(body)):
            raise NotSimple
        if char in "$\\":
            is_literal = False
        at = _expansion(body, at) if char == "$" else at + 1 + (char == "\\")
    if at >= len(body):
        raise NotSimple
    return _quotable(body[start:at]), at + 1, is_literal


def _quotable(piece: str) -> str:
    if not _QUOTABLE.issuperset(piece):
        raise NotSimple
    return piece


def _expansion(body: str, at: int) -> int:
    """Where the expansion ends that begins here with `$`. Raises NotSimple."""
    begin = body[at + 1 : at + 2]
    if begin == "{":
        end = body.find("}", at)
        name, _, default = body[at + 2 : max(end, 0)].partition(":-")
        _check_variable(name)
        if not PLAIN.issuperset(default):
            raise NotSimple
        return end + 1
    if begin == "(":
        end = body.find(")", at)
        _check_inner(body[at + 2 : max(end, 0)])
        return end + 1
    end = at + 1
    while end < len(body) and body[end] in _NAME:
        end += 1
    _check_variable(body[at + 1 : end])
    return end


def _check_variable(name: str) -> None:
    if (
        not name.isidentifier()
        or not _NAME.issuperset(name)
        or name in _OTHER_WITH_C
        or name.startswith("BASH")
    ):
        raise NotSimple


def _check_inner(command: str) -> None:
    """`command` is what is between `$(` and `)`."""
    words = command.split(" ")
    for word in words:
        if word.startswith("$"):
            _check_variable(word[1:])
        elif not PLAIN.issuperset(word):
            raise NotSimple
    # `set` and `declare` print what stands after -c.
    if not words[0] or words[0] in KEYWORDS or words[0] in BUILTINS - {"echo", "pwd"} or "=" in words[0]:
        raise NotSimple


def _redirection(body: str, start: int, at: int) -> tuple[_Word, int]:
    """The redirection whose operator is at `at`. Raises NotSimple."""
    operator = next((one for one in _OPERATORS if body.startswith(one, at)), "")
    if not operator or (operator[0] == "&" and at != start):
        raise NotSimple
    at += len(operator)
    while body[at : at + 1] in (" ", "\t"):
        at += 1
    if at >= len(body) or body[at] in _ENDS:
        raise NotSimple
    target, end = _word(body, at)
    is_copy = operator in (">&", "<&")
    if not target.is_literal or target.is_redirection or not target.value:
        raise NotSimple
    if is_copy and target.text not in ("0", "1", "2"):
        raise NotSimple
    return _Word(body[start:end], "", False, is_redirection=True), end


def _check_folder(words: Sequence[_Word]) -> None:
    match words:
        case [_Word(text="cd"), _Word(is_redirection=False) as folder, _Word(text="&&")]:
            if folder.text.startswith("-") or folder.text == "&&":
                raise NotSimple
        case _:
            raise NotSimple


def _form(lines: str, body: str, folder: Sequence[_Word], words: list[_Word]) -> Direct | Inline:
    """The form of a command, which may have a `cd FOLDER &&` before it. Raises NotSimple."""
    redirections = [word for word in words if word.is_redirection]
    words = [word for word in words if not word.is_redirection]
    variables: dict[str, str] = {}
    while words and _sets_variable(words[0]):
        name, _, variables[name] = _literal(words.pop(0)).partition("=")
    by_exec = bool(words) and words[0].text == "exec"
    command = words[1:] if by_exec else words
    _check_command(command, by_exec)
    is_harmless = command[0].text in HARMLESS and not by_exec
    is_literal = all(word.is_literal for word in words)
    text = " ".join(word.text for word in words)
    if is_literal and not (is_harmless or folder or redirections):
        if not variables:
            text = body
        elif "\n" in body:
            raise NotSimple  # the numbers of lines would change
        return Direct(tuple(word.value for word in command), variables, lines + text, by_exec)
    if variables or (is_harmless and folder):
        raise NotSimple
    if is_harmless or by_exec or not redirections:
        return Inline(lines + body, by_exec)
    if "\n" in body or not is_literal:
        raise NotSimple
    # bash stays beside a command with redirections, but not with its own, which come before words are expanded.
    before = " ".join(word.text for word in (*folder, _EXEC, *redirections, _AND))
    return Inline(f"{lines}{before} {text}", False)


def _sets_variable(word: _Word) -> bool:
    name, equals, _ = word.text.partition("=")
    return bool(equals) and name.isidentifier() and _NAME.issuperset(name)


def _literal(word: _Word) -> str:
    if not word.is_literal:
        raise NotSimple
    return word.value


def _check_command(words: Sequence[_Word], by_exec: bool) -> None:
    """Whether these words are a command that bash does not do itself. Raises NotSimple."""
    if not words or any(word.text == "&&" for word in words):
        raise NotSimple
    first = words[0]
    check_name(first.text, by_exec=by_exec)
    if first.text in HARMLESS and not by_exec:
        return
    if first.is_literal:
        check_name(first.value, by_exec=True)
        if not by_exec and first.value in BUILTINS:
            raise NotSimple  # in quotes it is one all the same
    elif by_exec or "/" not in first.text:
        raise NotSimple  # it may become a builtin
