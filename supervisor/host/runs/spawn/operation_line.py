"""The command line of an operation: `sh -c COMMAND`, as its client asked for it.

| the command | is executed as |
|---|---|
| any | `sh -c COMMAND` |
| begins with `-` or `+`, and would be taken for an option | `sh -c -- COMMAND` |
| is longer than one argument may be | `sh FILE` |
"""

from __future__ import annotations

import errno
import os

from supervisor.host.proc.disk_room import room_of, why_full
from supervisor.host.runs.spawn.command_line import CommandLine, ScriptFiles, program
from supervisor.model.action import Spawn

LONGEST_BYTES = 131071
"""MAX_ARG_STRLEN of linux/binfmts.h, less its NUL."""
_SHELL = "sh"
"""Also its first word, which begins what the shell says of a command."""


def operation_line(spawn: Spawn, env: dict[str, str], folder: str, scripts: ScriptFiles) -> CommandLine:
    """How the command of an operation is executed in `folder`. Raises MachineError if there is no shell."""
    shell = program((_SHELL,), env.get("PATH", os.defpath))
    return CommandLine(
        (shell, *(words := _words(spawn.script, scripts))), _env(env, folder), shell, (_SHELL, *words)
    )


def check_room(folder: str | os.PathLike[str]) -> None:
    """See that there is room for a result in this folder. Raises OSError: ENOSPC.

    Some filesystems have room for files when they have none for what is in them.
    """
    if why_full(room_of(folder), as_root=os.geteuid() == 0):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _words(command: str, scripts: ScriptFiles) -> tuple[str, ...]:
    if len(command.encode("utf-8", "surrogateescape")) > LONGEST_BYTES:
        return (scripts.script_path(command),)
    return ("-c", *(["--"] if command.startswith(("-", "+")) else []), command)


def _env(env: dict[str, str], folder: str) -> dict[str, str]:
    """The variables, with PWD only if it is as pwd(1) would print it: else the shell finds out by itself."""
    if folder == "/" or os.path.normpath(folder) == folder.rstrip("/"):
        return env | {"PWD": folder.rstrip("/") or "/"}
    return {name: value for name, value in env.items() if name != "PWD"}
