"""The command line of a run, and the sentence for why it could not start."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence

from supervisor.host.runs.run_directory import RunDir
from supervisor.lean.typing import TYPE_CHECKING, Protocol
from supervisor.model.action import RunKind, Spawn
from supervisor.model.errors import MachineError
from supervisor.model.spec import Docker
from supervisor.shim.protocol import SpawnFailed, SpawnRequest

if TYPE_CHECKING:
    from supervisor.shim.probe_protocol import ProbeRequest


class ScriptFiles(Protocol):
    """Has a file for each text that a shell is to read from one."""

    def script_path(self, text: str) -> str:
        """The path of the file, which is made if it is missing. Raises MachineError."""


def argv(
    spawn: Spawn, folder: RunDir, env: Mapping[str, str], workspace: str, scripts: ScriptFiles
) -> list[str]:
    """The command line of a run. Raises MachineError if no program can run it."""
    path = env.get("PATH", os.defpath)
    stop_on_error = spawn.kind is RunKind.TASK
    if isinstance(spawn.runs_on, Docker):
        # Not at the top: most files have no containers.
        from supervisor.host.runs.spawn.containers import docker_argv

        docker, *rest = docker_argv(
            spawn.run_id,
            spawn.runs_on.image,
            spawn.runs_on.environment,
            env,
            workspace,
            spawn.script,
            "" if spawn.kind is RunKind.READY else folder.path,
            item={variable.name for variable in spawn.env},
            stop_on_error=stop_on_error,
        )
        return [program((docker,), path), *rest]
    return [
        program(("bash", "sh"), path),
        *(["-e"] if stop_on_error else []),
        scripts.script_path(spawn.script),
    ]


_found: dict[tuple[str, str], str] = {}
"""`{(first name, PATH): the program that was found}`"""


def program(names: Sequence[str], path: str) -> str:
    """The first of `names` that is a program in a folder of PATH `path`. Raises MachineError if none is."""
    known = _found.get((names[0], path), "")
    if not (known and os.access(known, os.X_OK)):
        known = _find(names, path)
        if known.endswith(f"/{names[0]}"):  # a missing first choice may be installed later
            _found[names[0], path] = known
    return known


def _find(names: Sequence[str], path: str) -> str:
    for name in names:
        for folder in path.split(os.pathsep):
            found = os.path.join(folder, name)
            # A relative folder means another one to the shim than to us.
            if os.path.isabs(found) and os.path.isfile(found) and os.access(found, os.X_OK):
                return found
    raise MachineError(f'cannot run {" or ".join(names)}: not found on PATH "{path}"')


def why_failed(failed: SpawnFailed, request: SpawnRequest | ProbeRequest) -> str:
    """Why the shim could not start a command, as a sentence."""
    why, program = reason(failed.errno), request.argv[0]
    match failed.stage:
        case "chdir":
            return f"cannot enter the workspace {request.cwd}: {why}"
        case "user":
            return f"cannot become the user that commands run as: {why}"
        case "log" if isinstance(request, SpawnRequest):
            return f"cannot write the log {request.log}: {why}"
        case "exec":
            return f"cannot run {program}: {why}"
        case "fork":
            return f"cannot run {program}: {why}; there are too many processes or too little memory"
        case _:
            return f"cannot run {program}: {failed.text or why}"


def reason(number: int | None) -> str:
    """The text of an error number, as the rest of a sentence."""
    text = os.strerror(number or errno.EIO)
    return text[:1].lower() + text[1:]
