"""The command line of a supervisor, as it means the same in any folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from supervisor.settings import cwd
from supervisor.settings.setting import Setting
from supervisor.settings.table import AUTOMATIONS, BY_NAME, SETTINGS, WORKSPACE

_OTHERS_WITH_VALUE = ("--format",)
"""Options of `supervisor run` that are no settings."""
_PLACES = (AUTOMATIONS, WORKSPACE)
"""What says where commands run; without any of it they do where the supervisor was started."""
_PATHS = ("FILE", "FOLDER")


def absolute_arguments(arguments: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """The arguments with absolute paths; of a `run` that depends on the current folder that is said, too.

    `environ`: as of `os.environ`, whose settings count as well.
    """
    if arguments[:1] != ["run"]:
        return list(arguments)
    words, named = ["run"], {setting.name for setting in _PLACES if environ.get(setting.variable)}
    rest, options = list(arguments[1:]), True
    while rest:
        word = rest.pop(0)
        flag, equals, value = word.partition("=")
        setting = _setting(flag) if options else None
        if word == "--" and options:
            options = False
            words.append(word)
        elif not options or not word.startswith("-") or word == "-":
            named.add(AUTOMATIONS.name)
            words.append(_absolute(word))
        elif setting is None or setting.switch or not (equals or rest):
            words += [word, *_taken(rest, word in _OTHERS_WITH_VALUE)]
        else:
            named.add(setting.name)
            value = value if equals else rest.pop(0)
            if setting.metavar in _PATHS:
                value = _absolute(value)
            words += [f"{flag}={value}"] if equals else [flag, value]
    if named.isdisjoint(setting.name for setting in _PLACES) and (folder := cwd.started_in()):
        words[1:1] = [WORKSPACE.flag, folder]
    return words


def absolute_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Those variables among the settings that hold a path, with absolute ones."""
    return {
        setting.variable: _absolute(environ[setting.variable])
        for setting in SETTINGS
        if setting.metavar in _PATHS and environ.get(setting.variable)
    }


def _setting(flag: str) -> Setting[object] | None:
    return BY_NAME.get(flag.removeprefix("--")) if flag.startswith("--") else None


def _taken(words: list[str], wanted: bool = True) -> list[str]:
    """The next word, which is taken from the list; none if there is none."""
    return [words.pop(0)] if wanted and words else []


def _absolute(path: str) -> str:
    try:
        return cwd.absolute(path)
    except ValueError:
        return path  # it was not used, or there would be no supervisor
