"""The command line of a run, and the sentence for why it could not start."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Sequence

from supervisor.host.runs.run_directory import RunDir
from supervisor.host.runs.spawn import simple_command
from supervisor.host.runs.spawn.simple_command import Direct, Inline
from supervisor.lean.frozen import dataclass
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


_SHELLS_OWN = (
    "_ COMP_WORDBREAKS DIRSTACK EPOCHREALTIME EPOCHSECONDS EUID EXECIGNORE FUNCNAME FUNCNEST GROUPS HISTCMD IFS LINENO"
    " OLDPWD OPTERR OPTIND POSIXLY_CORRECT POSIX_PEDANTIC PPID PS1 PS2 PS4 RANDOM SECONDS SHELLOPTS SHLVL SRANDOM"
    " UID"
)
"""Variables that bash obeys, changes or does not pass on. So are all BASH..., exported functions among them."""
_OWN = frozenset(_SHELLS_OWN.split())
_READ_EARLY = ("PATH", "LANG", "LC_", "PWD", "SUPERVISOR_")
"""How variables begin that bash would use itself, or the supervisor, if a command has them in front."""
_NAME = "script.sh"
"""`$0`, which begins what bash says of a command that it did not read from a file."""


@dataclass(frozen=True, slots=True)
class CommandLine:
    """How a command is executed."""

    argv: tuple[str, ...]
    env: dict[str, str]
    program: str = ""
    """What is executed in place of `argv` if the kernel does it, since it needs no shell; empty: nothing."""
    words: tuple[str, ...] = ()
    """The arguments of `program`, from its name on."""


def command_line(
    spawn: Spawn, folder: RunDir, env: dict[str, str], workspace: str, scripts: ScriptFiles
) -> CommandLine:
    """How a run's command is executed with the variables `env`. Raises MachineError if no program can run it."""
    if isinstance(spawn.runs_on, Docker):
        # Not at the top: most files have no containers.
        from supervisor.host.runs.spawn.containers import docker_argv

        client = program(("docker",), env.get("PATH", os.defpath))
        words = docker_argv(
            spawn.run_id,
            spawn.runs_on.image,
            spawn.runs_on.environment,
            env,
            workspace,
            spawn.script,
            "" if spawn.kind is RunKind.READY else folder.path,
            item={variable.name for variable in spawn.env},
            stop_on_error=spawn.kind is RunKind.TASK,
        )
        return CommandLine((client, *words[1:]), env)
    shell = program(("bash", "sh"), env.get("PATH", os.defpath))
    options = ("-e",) if spawn.kind is RunKind.TASK else ()
    form = simple_command.read(spawn.script) if _is_bash(shell) and not is_read_by_bash(env) else None
    if isinstance(form, Direct) and not is_read_by_bash(form.variables, of_command=True):
        return _direct(form, {**env, **form.variables}, workspace, shell, options)
    if isinstance(form, Inline):
        # As for a script in a file: bash counts itself, and takes that back when it becomes its command.
        more = {} if form.by_exec else {"SHLVL": "1"}
        return CommandLine(_inline(shell, options, form.text), env | more)
    return CommandLine((shell, *options, scripts.script_path(spawn.script)), env)


def _direct(
    form: Direct, env: dict[str, str], workspace: str, shell: str, options: tuple[str, ...]
) -> CommandLine:
    """For a command that needs no shell: the environment is as bash would make it."""
    env["SHLVL"] = "0" if form.by_exec else "1"
    argv = _inline(shell, options, form.text)
    path = found(form.words[0], env.get("PATH", ""))
    # Of a folder that is written in another way than pwd would, bash changes PWD.
    if not path or os.path.normpath(workspace) != workspace or not all(map(str.isidentifier, env)):
        return CommandLine(argv, env)
    if not form.by_exec:
        env["_"] = path
    return CommandLine(argv, env, path, form.words)


def _inline(shell: str, options: tuple[str, ...], text: str) -> tuple[str, ...]:
    # Without --norc a bash with -c reads ~/.bashrc if SSH_CLIENT is set: it takes itself for a child of sshd.
    return (shell, "--norc", *options, "-c", text, _NAME)


def is_read_by_bash(names: Collection[str], *, of_command: bool = False) -> bool:
    """Whether bash reads or changes one of these variables. `of_command`: they stand before a command's words."""
    if not _OWN.isdisjoint(names) or any(name.startswith("BASH") for name in names):
        return True
    return of_command and any(name.startswith(_READ_EARLY) for name in names)


def found(name: str, path: str) -> str:
    """The program that bash executes for a name, with PATH `path`; empty: that is for bash to find out."""
    if "/" in name:
        return name
    for folder in path.split(os.pathsep):
        if not folder.startswith("/"):
            return ""  # this folder, or a home
        try:
            mode = os.stat(file := os.path.join(folder, name)).st_mode
        except FileNotFoundError:
            continue
        except OSError:
            return ""  # the user that the command runs as may see more
        if not stat.S_ISDIR(mode):
            return file if stat.S_ISREG(mode) and os.access(file, os.X_OK) else ""
    return ""


_bashes: dict[str, bool] = {}
"""`{path of a shell: whether it is bash, and no script in its place}`"""


def _is_bash(shell: str) -> bool:
    if shell not in _bashes:
        try:
            with open(shell, "rb") as file:
                _bashes[shell] = shell.endswith("/bash") and file.read(4) == b"\x7fELF"
        except OSError:
            return False
    return _bashes[shell]


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
            is_operation = isinstance(request, SpawnRequest) and request.err_log
            folder = "working directory" if is_operation else "workspace"
            return f"cannot enter the {folder} {request.cwd}: {why}"
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
