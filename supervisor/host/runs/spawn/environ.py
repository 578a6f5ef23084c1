"""The environment of a command. Plain functions of mappings: nothing here reads or changes the real environment.

Values may hold lone surrogates, which stand for bytes that are not UTF-8 (`os.fsencode` gives the bytes back).
"""

from __future__ import annotations

import os.path
from collections.abc import Callable, Mapping, Sequence

from supervisor.host.proc.process import RUN_MARKER, RUNS_MARKER
from supervisor.lean.frozen import dataclass
from supervisor.model.action import Spawn
from supervisor.model.errors import NotFound, Precondition
from supervisor.model.spec import EnvVar, SecretRef

_OWN = frozenset(
    {
        # What the launchers and the virtual environment set for our Python; another Python would break on them.
        "PYTHONPATH",
        "PYTHONHOME",
        "PYTHONSAFEPATH",
        "PYTHONNOUSERSITE",
        "__PYVENV_LAUNCHER__",
        # What a service manager tells the supervisor, not its commands: sd_listen_fds(3), sd_notify(3),
        # sd_watchdog_enabled(3), systemd.exec(5).
        "LISTEN_FDS",
        "LISTEN_PID",
        "LISTEN_FDNAMES",
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "WATCHDOG_PID",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        # Of the shell that started the supervisor.
        "OLDPWD",
        "SHLVL",
        "_",
        # If the supervisor is itself a command of another one.
        "GITPOD_OUTPUT",
    }
)
_OWN_PREFIX = "SUPERVISOR_"


def cleaned(environ: Mapping[str, str], own_prefix: str) -> dict[str, str]:
    """The supervisor's environment without what is meant for the supervisor alone.

    Args:
        environ: the environment to clean, as of `os.environ`.
        own_prefix: the supervisor's virtual environment, which commands must not run in; empty: it has none.
    """
    clean = {
        name: value
        for name, value in environ.items()
        if name not in _OWN and not name.startswith(_OWN_PREFIX)
    }
    if not own_prefix:
        return clean
    prefix = os.path.normpath(own_prefix)
    if os.path.normpath(clean.get("VIRTUAL_ENV", "")) == prefix:
        del clean["VIRTUAL_ENV"]
        clean.pop("VIRTUAL_ENV_PROMPT", None)
    if "PATH" in clean:
        clean["PATH"] = _without(clean["PATH"], f"{prefix}/bin")
        if not clean["PATH"]:  # set and empty it means the current folder; unset, the shell has a default
            del clean["PATH"]
    return clean


def _without(path: str, folder: str) -> str:
    return ":".join(part for part in path.split(":") if not part or os.path.normpath(part) != folder)


@dataclass(frozen=True, slots=True)
class CommandEnvironment:
    """What the commands of one supervisor have in common."""

    base: Mapping[str, str]
    """The supervisor's environment, cleaned."""
    workspace: str
    """The folder that commands start in."""
    environment_id: str = ""
    """Empty: not known."""
    socket: str = ""
    """The path of the supervisor's own socket; empty: there is none."""

    def of(self, spawn: Spawn, output: str) -> dict[str, str]:
        """The environment of one command. `output`: the path of its GITPOD_OUTPUT file; empty: it has none.

        Raises what `compose` does.
        """
        return compose(
            self.base,
            {},
            spawn.env,
            lambda _secret_id: None,
            workspace=self.workspace,
            run_id=spawn.run_id,
            environment_id=self.environment_id,
            output=output,
            socket=self.socket,
        )

    def outside_of_runs(self) -> dict[str, str]:
        """What a process gets that acts for clients, and is no command of a run."""
        environ = {name: value for name, value in self.base.items() if name not in (RUN_MARKER, RUNS_MARKER)}
        known = {
            "PWD": self.workspace,
            "GITPOD_ENVIRONMENT_ID": self.environment_id,
            "SUPERVISOR_SOCKET": self.socket,
        }
        return environ | {name: value for name, value in known.items() if value}


def compose(
    base: Mapping[str, str],
    given: Mapping[str, str],
    item: Sequence[EnvVar],
    secret: Callable[[str], str | None],
    *,
    workspace: str,
    run_id: str,
    environment_id: str,
    output: str,
    socket: str,
) -> dict[str, str]:
    """What one command sees; of two that set a variable the later wins.

    Args:
        base: the supervisor's environment, cleaned.
        given: the environment's variables and secrets.
        item: the `env` of the service or task.
        secret: the value of the secret with an id, or None if there is none.
        workspace: the folder that the command starts in.
        run_id: marks every process of the run.
        environment_id: of the environment; empty: not known, and then not changed.
        output: the path of the GITPOD_OUTPUT file.
        socket: the path of the supervisor's own socket; empty: there is none.

    Raises:
        NotFound: a secret that `item` names does not exist.
        Precondition: a variable cannot be one. Neither message holds a value.
    """
    fixed = {
        "PWD": workspace,
        "GITPOD_ENVIRONMENT_ID": environment_id,
        "GITPOD_OUTPUT": output,
        "SUPERVISOR_SOCKET": socket,
        RUN_MARKER: run_id,
    }
    known = {name: value for name, value in fixed.items() if value}
    composed = {**base, **given, **item_variables(item, secret), **known}
    names = "".join(composed)
    # All at once, since a command has fifty of them; one by one only to say which one it is.
    if not all(composed) or "=" in names or "\0" in names or "\0" in "".join(composed.values()):
        for name, value in composed.items():
            if why := _unusable(name, value):
                raise Precondition(f'cannot set the variable "{name}": {why}')
    return composed


def item_variables(item: Sequence[EnvVar], secret: Callable[[str], str | None]) -> dict[str, str]:
    """The `env` of a service or task with its secrets looked up. Raises NotFound, which names the secret's id."""
    variables = {}
    for variable in item:
        match variable.value:
            case SecretRef(id=secret_id):
                value = secret(secret_id)
                if value is None:
                    raise NotFound(
                        f'cannot set the variable "{variable.name}": there is no secret "{secret_id}"; '
                        "add it to the environment or name another one"
                    )
            case value:
                pass
        variables[variable.name] = value
    return variables


def _unusable(name: str, value: str) -> str:
    if not name:
        return "its name is empty"
    if "=" in name or "\0" in name:
        return 'its name holds "=" or a NUL character'
    if "\0" in value:
        return "its value holds a NUL character"
    return ""
