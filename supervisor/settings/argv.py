"""The arguments of `supervisor run`, read by the table of settings, without click: its import would delay the start.

    --flag VALUE, --flag=VALUE    a setting, or --format; the last one counts, of those that may be repeated all do
    --switch                      a setting that takes no value
    -h, --help
    --                            whatever follows is FILE
    anything else                 FILE

What is refused, and in which words, is what click refuses: a test compares. click shows the error and the help.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from supervisor.lean.frozen import dataclass
from supervisor.lean.late import late
from supervisor.lean.typing import TYPE_CHECKING, Any
from supervisor.settings import cwd
from supervisor.settings.table import AUTOMATIONS, BY_NAME, SETTINGS, WORKSPACE, Setting
from supervisor.settings.values import path, plain, switch

if TYPE_CHECKING:
    from supervisor.config import suggest
else:
    suggest = late("supervisor.config.suggest")  # for mistakes alone

FORMATS = ("text", "json")
_FORMAT = Setting("format", plain, default=FORMATS[0], help="How to print the result.")
_HELP = Setting("help", switch, switch=True, help="Show the help.")
_FILE = Setting("file", path, metavar="FILE", help="The automations file.")
_BY_FLAG: dict[str, Setting[Any]] = {
    setting.flag: setting for setting in (*SETTINGS, _FORMAT, _HELP) if not setting.only_in_spec
}
_PATHS = ("FILE", "FOLDER")


class BadArguments(ValueError):
    """The arguments cannot be read; the text is the sentence for the user."""


class MisusedFlag(BadArguments):
    """A flag has a value that it does not take, or lacks one. The error is shown without the usage."""


class UnknownFlag(BadArguments):
    """There is no such flag; the text is the flag alone. `near`: those to look for a similar one among."""

    def __init__(self, flag: str, near: Sequence[str] = ()) -> None:
        super().__init__(flag)
        self.near = near


@dataclass(frozen=True, slots=True)
class RunArguments:
    """What the arguments say."""

    flags: Mapping[str, str]
    """`{setting's name: text}` of the flags that are given, and of FILE."""
    as_json: bool = False
    help: bool = False
    """Asks for the help; nothing else is read then."""


def read_arguments(arguments: Sequence[str]) -> RunArguments:
    """What the arguments after `run` say. Raises BadArguments."""
    given: dict[str, list[str]] = {}
    for setting, value in _pairs(arguments):
        given.setdefault(setting.name, []).append(value)
    if _HELP.name in given:
        return RunArguments({}, help=True)
    files = given.pop(_FILE.name, [])
    for name, values in given.items():
        _check(_BY_FLAG[f"--{name}"], f"--{name}", values[-1])
    for file in files[:1]:
        _check(_FILE, "[FILE]", file)
    if extra := files[1:]:
        raise BadArguments(
            f"Got unexpected extra argument{'s' if len(extra) > 1 else ''} ({' '.join(extra)})"
        )
    if files and AUTOMATIONS.name in given:
        raise BadArguments(f"FILE and {AUTOMATIONS.flag} say the same: give one of them")
    if files:
        given[AUTOMATIONS.name] = files
    formats = given.pop(_FORMAT.name, [_FORMAT.default])
    flags = {name: ",".join(values if BY_NAME[name].many else values[-1:]) for name, values in given.items()}
    return RunArguments(flags, as_json=formats[-1] == "json")


def absolute_arguments(arguments: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """The arguments of a supervisor as they mean the same in any folder: paths are absolute, FILE stands last.

    A `run` that runs its commands where it was started gets that folder as its workspace. Raises BadArguments.

    `environ`: as of `os.environ`, whose settings count as well.
    """
    if arguments[:1] != ["run"]:
        return list(arguments)
    flags, files = [], []
    named = {setting.name for setting in (AUTOMATIONS, WORKSPACE) if environ.get(setting.variable)}
    for setting, value in _pairs(arguments[1:]):
        named.add(AUTOMATIONS.name if setting is _FILE else setting.name)
        text = _absolute(value) if setting.metavar in _PATHS else value
        if setting is _FILE:
            files.append(text)
        else:
            flags += [setting.flag] if setting.switch else [setting.flag, text]
    if named.isdisjoint((AUTOMATIONS.name, WORKSPACE.name)) and (folder := cwd.started_in()):
        flags[:0] = [WORKSPACE.flag, folder]
    return ["run", *flags, *files]


def absolute_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Those variables among the settings that hold a path, with absolute ones."""
    return {
        setting.variable: _absolute(environ[setting.variable])
        for setting in SETTINGS
        if setting.metavar in _PATHS and environ.get(setting.variable)
    }


def _pairs(arguments: Sequence[str]) -> Iterator[tuple[Setting[Any], str]]:
    """Each flag with its value, and FILE."""
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            break
        if word[:1] != "-" or word == "-":
            yield _FILE, word
        elif word[:2] != "--":
            _refuse_all_but_help(word)
            yield _HELP, ""
        else:
            yield _flag(word, rest)
    yield from ((_FILE, word) for word in rest)


def _flag(word: str, rest: list[str]) -> tuple[Setting[Any], str]:
    """The setting and its value, which may be taken from the rest of the arguments."""
    flag, equals, value = word.partition("=")
    if flag not in _BY_FLAG:
        raise UnknownFlag(flag, tuple(_BY_FLAG))
    setting = _BY_FLAG[flag]
    if setting.switch:
        if equals:
            raise MisusedFlag(f"Option '{flag}' does not take a value.")
        return setting, "true"
    if not equals and not rest:
        raise MisusedFlag(f"Option '{flag}' requires an argument.")
    return setting, value if equals else rest.pop(0)


def _refuse_all_but_help(word: str) -> None:
    for letter in word[1:]:
        if letter != "h":
            raise UnknownFlag(f"-{letter}")


def _check(setting: Setting[Any], name: str, value: str) -> None:
    """See that a path can be what it is given for, and that a format is one of ours; the rest is looked at later."""
    why = ""
    if setting is _FORMAT and value not in FORMATS:
        why = _no_format(value)
    elif setting.metavar in _PATHS and os.path.exists(value):
        kind = "Path" if setting.metavar == "FILE" else "Directory"
        if setting.metavar == "FOLDER" and os.path.isfile(value):
            why = f"{kind} {value!r} is a file."
        elif not os.access(value, os.R_OK):
            why = f"{kind} {value!r} is not readable."
    if why:
        raise BadArguments(f"Invalid value for '{name}': {why}")


def _no_format(value: str) -> str:
    near = suggest.Suggester().did_you_mean(value, FORMATS)
    return "; ".join(filter(None, [f'there is no "{value}"', near, f"there are {', '.join(FORMATS)}"]))


def _absolute(path: str) -> str:
    try:
        return cwd.absolute(path)
    except ValueError:
        return path  # it was not used, or there would be no supervisor
