"""What of a command's text needs a shell: a pure function of the text, for which ARCHITECTURE.md has the table.

| form | example |
|---|---|
| `Direct`: the program itself | `PORT=1 server 'a b'` |
| `Inline`: `bash -c`, which becomes the program | `cd web && server *.cfg` |
| None: bash reads a file; so in all doubt | `a; b`, `echo a >b` |

Everybody can read an `Inline` in `/proc` until its program is there, whose arguments everybody sees. So what nobody
could read before is in none: values of variables, and words of builtins. Nor is what is another with `-c`: `$0`, `$-`.
`setsid` waits for its program only if it leads no process group.
"""

from __future__ import annotations

from supervisor.lean.frozen import dataclass

_MOST = 8192
"""How long a text is looked at: a word of a command line may have 131,071 bytes, and all of them count."""
PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:,+@%=^")
"""What stands for itself in a word without quotes."""
_PLAIN_WORDS = PLAIN | {" ", "\t"}

_KEYWORDS = (
    "if then elif else fi time for in until while do done case esac coproc select function { } [[ ]] !"
)
_BUILTINS = (
    ". : [ alias bg bind break builtin caller cd command compgen complete compopt continue declare dirs disown echo"
    " enable eval exec exit export false fc fg getopts hash help history jobs kill let local logout mapfile popd printf"
    " pushd pwd read readarray readonly return set shift shopt source suspend test times trap true type typeset ulimit"
    " umask unalias unset wait"
)
KEYWORDS, BUILTINS = frozenset(_KEYWORDS.split()), frozenset(_BUILTINS.split())
HARMLESS = frozenset((":", "[", "exit", "false", "kill", "test", "true"))
"""Builtins that do the same with `-c`, and whose words are no secret."""


@dataclass(frozen=True, slots=True)
class Direct:
    """A command that needs no shell. If its program cannot be executed, `text` is for bash to say why."""

    words: tuple[str, ...]
    """The program, as it is written, and its arguments."""
    variables: dict[str, str]
    """What it has in its environment beside the others."""
    text: str
    """For `bash -c`, in an environment that has the variables."""
    by_exec: bool
    """Whether it was written with `exec`."""


@dataclass(frozen=True, slots=True)
class Inline:
    """A command that bash becomes when it gets it by `-c`."""

    text: str
    by_exec: bool


class NotSimple(Exception):
    """The text is not one simple command, or might not be."""


def read(text: str) -> Direct | Inline | None:
    """The form that a text may have. None: it is for a file."""
    if len(text) > _MOST or "setsid" in text:
        return None
    body = text.strip(" \t\n")
    words = body.split()
    try:
        if words and "=" not in words[0] and _PLAIN_WORDS.issuperset(body):
            return _plain(text.rstrip(" \t\n"), words)
        # Not at the top: a first command of plain words does not wait for it.
        from supervisor.host.runs.spawn import shell_words

        return shell_words.form(text)
    except NotSimple:
        return None


def _plain(text: str, words: list[str]) -> Direct | Inline:
    by_exec = words[0] == "exec"
    command = words[1:] if by_exec else words
    check_name(command[0] if command else "", by_exec=by_exec)
    if command[0] in HARMLESS and not by_exec:
        return Inline(text, False)
    return Direct(tuple(command), {}, text, by_exec)


def check_name(name: str, *, by_exec: bool) -> None:
    """Whether a command of this name, as it is written, is one that bash does not do itself. Raises NotSimple.

    `by_exec`: whether it stands after `exec`.
    """
    if not name or name in KEYWORDS or "=" in name or name[0] in "%-+":
        raise NotSimple
    if not by_exec and name in BUILTINS and name not in HARMLESS:
        raise NotSimple
