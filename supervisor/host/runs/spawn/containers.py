"""The command lines by which a command runs in a container: `runsOn: docker`.

The container shares the machine's network, and sees the workspace and the run's directory where the machine has them.
The docker client is the run's main process: it waits for the container, passes signals on to it, copies its output to
the log and exits with its status. A client that is killed leaves the container behind, which is then removed by name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from supervisor.model.errors import MachineError

_OURS = ("GITPOD_", "SUPERVISOR_")
_MAX_SCRIPT_BYTES = 131071  # MAX_ARG_STRLEN of linux/binfmts.h, less its NUL
# $1 is the script, $2 the shell's option, if any. With -c the next word is $0, which begins the shell's error messages.
# The client would mix two streams in any order; one stream keeps its order.
_BOOT = (
    "exec 2>&1; "
    'if command -v bash >/dev/null 2>&1; then exec bash ${2:+$2} -c "$1" script.sh; '
    'else exec sh ${2:+$2} -c "$1" script.sh; fi'
)


def docker_argv(
    run_id: str,
    image: str,
    environment: tuple[str, ...],
    env: Mapping[str, str],
    workspace: str,
    script: str,
    rundir: str,
    *,
    item: Collection[str] = (),
    stop_on_error: bool = False,
) -> list[str]:
    """The command that runs `script` in a container of `image`; it needs the environment `env`.

    The image's user and environment count; its entrypoint does not. The script is on the command line, not in a file,
    because a user of the image may not read our files. For the same reason only root, or a user with our id, can write
    outputs.

    Args:
        run_id: names the container.
        image: the image; docker pulls it if it is not there.
        environment: `KEY=VALUE` entries as the automations file has them.
        env: what a command on the machine would see. Of it the container gets the variables in `item` and those that
            begin with GITPOD_ or SUPERVISOR_, by name only: their values stay out of what `ps` shows.
        workspace: the folder to start in.
        script: the text of the script.
        rundir: the run's directory, which holds its GITPOD_OUTPUT file; empty: it has none.
        item: the names of the service's or task's own variables.
        stop_on_error: whether the script ends at its first failing command.

    Raises MachineError for a script that is too long for this.
    """
    size = len(script.encode("utf-8", "surrogateescape"))
    if size > _MAX_SCRIPT_BYTES:
        raise MachineError(
            f"cannot run the command in a container: it has {size} bytes, {_MAX_SCRIPT_BYTES} are allowed; "
            "move it to a script in the workspace"
        )
    passed = [name for name in env if name in item or name.startswith(_OURS)]
    return [
        *("docker", "run", "--rm", "--name", container_name(run_id), "--label", f"supervisor.run={run_id}"),
        # As process 1 a shell would ignore SIGTERM, and would not reap orphans.
        "--init",
        *("--network", "host"),
        *(word for path in (workspace, rundir) if path for word in ("--mount", _bind(path))),
        *("--workdir", workspace),
        *(word for entry in environment for word in ("--env", entry)),
        *(word for name in passed for word in ("--env", name)),
        *("--entrypoint", "sh", "--", image, "-c", _BOOT, "sh", script),
        *(["-e"] if stop_on_error else []),
    ]


def docker_kill_argv(run_id: str) -> list[str]:
    """The command that ends a run's container and removes it; it succeeds if there is none."""
    return ["docker", "rm", "--force", container_name(run_id)]


def container_name(run_id: str) -> str:
    """The name of a run's container."""
    return "supervisor-" + re.sub(r"[^a-zA-Z0-9_.-]", "-", run_id)


def _bind(path: str) -> str:
    # --volume cannot name a path with a colon, and makes a folder that is missing. The fields are CSV.
    quoted = path.replace('"', '""')
    return f'type=bind,"source={quoted}","target={quoted}"'
