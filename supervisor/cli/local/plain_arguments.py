"""The arguments of `supervisor run` as a unit file, a script or a Containerfile says them: read without click.

click takes 50 ms to import, and the first command would wait for it. What is written in full needs no parser: flags by
their whole names, each with its value, and one file. For anything else, and so for everything that is wrong, there is
click.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from supervisor.settings.table import AUTOMATIONS, BY_NAME


def flags(arguments: Sequence[str]) -> dict[str, str] | None:
    """`{setting: text}` of the arguments after `run`; None: click has to look at them."""
    given: dict[str, list[str]] = {}
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            name, value = AUTOMATIONS.name, word
        else:
            name, equals, value = word.removeprefix("--").partition("=")
            if word == f"-{name}" or name not in BY_NAME or BY_NAME[name].only_in_spec:
                return None
            if BY_NAME[name].switch:
                if equals:
                    return None
                value = "true"
            elif not equals:
                value = rest.pop(0) if rest else ""
        setting = BY_NAME[name]
        if not value or value.startswith("-") or _click_refuses(setting.metavar, value):
            return None
        if name in given and not setting.many:
            return None
        given.setdefault(name, []).append(value)
    return {name: ",".join(values) for name, values in given.items()}


def _click_refuses(metavar: str, value: str) -> bool:
    """Whether click would refuse a path: it is there, and is not what it has to be."""
    if metavar not in ("FILE", "FOLDER") or not os.path.exists(value):
        return False
    return os.path.isdir(value) is not (metavar == "FOLDER") or not os.access(value, os.R_OK)
