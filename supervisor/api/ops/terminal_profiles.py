"""The shells that a client may offer: those that it has configured, and those of /etc/shells."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from supervisor.host.users.account import Account

SHELLS = Path("/etc/shells")
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ShellProfile:
    """A shell under the name that people see."""

    name: str
    path: str
    """Absolute."""
    is_detected: bool


class ShellPrograms:
    """Finds programs as the user that shells run as."""

    def __init__(self, account: Account | None, path: str) -> None:
        """`account`: the user, None: ours; `path`: where names are looked up, as PATH has it."""
        self._account = account
        self._folders = [folder for folder in path.split(":") if folder.startswith("/")]

    def candidates(self, path: str) -> list[str]:
        """The absolute paths that a path or a name may mean. A path that begins in some folder means nothing here."""
        if path.startswith("/"):
            return [path]
        return [] if "/" in path else [os.path.join(folder, path) for folder in self._folders]

    def executable(self, paths: Iterable[str]) -> set[str]:
        """Those that the user can execute. Raises MachineError, OSError."""
        wanted = [path for path in dict.fromkeys(paths) if "\0" not in path]
        if self._account is not None:
            from supervisor.host.users.impersonation import executable_as

            return executable_as(self._account, wanted)
        return {path for path in wanted if os.path.isfile(path) and os.access(path, os.X_OK)}


def profiles(
    configured: Mapping[str, str],
    detect: bool,
    programs: ShellPrograms,
    shells: Path = SHELLS,
) -> list[ShellProfile]:
    """Configured ones by name, then detected ones in the order of the file; of each, what can be executed.

    Args:
        configured: `{name: path}`; an empty path switches the detected one of that name off.
        detect: whether those of /etc/shells are wanted.
        programs: finds programs.
        shells: a file as shells(5) has it. If it is not there, none are detected.

    Raises MachineError, OSError.
    """
    listed = _listed(shells) if detect else []
    meant = {name: programs.candidates(path) for name, path in configured.items() if path}
    usable = programs.executable([*(path for paths in meant.values() for path in paths), *listed])
    chosen = {name: next(filter(usable.__contains__, paths), "") for name, paths in sorted(meant.items())}
    return [
        *(ShellProfile(name, path, False) for name, path in chosen.items() if path),
        *(
            ShellProfile(name, path, True)
            for name, path in _named(filter(usable.__contains__, listed)).items()
            if name not in configured
        ),
    ]


def _listed(shells: Path) -> list[str]:
    """The paths in a file of shells, each once."""
    try:
        with shells.open(encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read(_MOST_BYTES).splitlines()
    except OSError:
        return []
    paths = (line.partition("#")[0].strip() for line in lines)
    return list(dict.fromkeys(path for path in paths if path.startswith("/")))


def _named(paths: Iterable[str]) -> dict[str, str]:
    """`{name: path}`; the second of a name is "bash (2)"."""
    named: dict[str, str] = {}
    for path in paths:
        name, number = os.path.basename(path), 1
        shown = name
        while shown in named:
            number += 1
            shown = f"{name} ({number})"
        named[shown] = path
    return named
