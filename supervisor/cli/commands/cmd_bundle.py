"""`supervisor bundle`: what support needs to know, in one file."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from supervisor.cli.remote import references
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.discovery import NotRunning, find_socket
from supervisor.cli.remote.options import socket_option
from supervisor.model.errors import SupervisorError
from supervisor.settings import cwd

if TYPE_CHECKING:
    from supervisor.bundle.archive import Manifest
    from supervisor.bundle.context import Scene
    from supervisor.doctor.finding import Finding
    from supervisor.doctor.network.target import Skip, Target

ANSWER_S = 5.0
"""For each answer of the running supervisor: it may be what support is needed for."""
CHECK_S = 5.0


@click.command("bundle")
@click.argument("file", required=False, type=click.Path(path_type=Path, allow_dash=True))
@socket_option
@click.option(
    "--state-dir",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the supervisor keeps its state [default: that of the running one, or of the workspace around here].",
)
@click.option("--network", is_flag=True, help="Also try the platform's endpoints, as the doctor does.")
@click.option(
    "--endpoints",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Also try the endpoints listed in FILE, as the doctor does.",
)
def bundle(
    file: Path | None, socket: str | None, state_dir: Path | None, network: bool, endpoints: Path | None
) -> None:
    """Write a support bundle to FILE ("-": standard output): a .tar.zst that holds no secret.

    Without FILE: supervisor-bundle-<time>.tar.zst here. An existing file is never overwritten. In the bundle are
    settings and status, records and logs, the doctor's findings about this machine, and the versions of everything.
    Values of secrets, and what looks like one, are replaced by ***; manifest.json says what is in it and what is not.
    It works without a running supervisor as well.

    \b
      supervisor bundle support.tar.zst
      supervisor bundle - | ssh laptop 'cat > support.tar.zst'
    """
    # Not at the top: what packs the bundle is needed by nothing else.
    from supervisor.bundle.archive import pack
    from supervisor.bundle.collect import parts
    from supervisor.bundle.masking import Masking
    from supervisor.bundle.output_file import whole_file
    from supervisor.bundle.secrets import known_secrets

    scene = _scene(socket, state_dir, _listed(network, endpoints))
    masking = Masking(known_secrets(scene))
    if str(file) == "-":
        _through_pipe(lambda out: pack(parts(scene, masking), masking, out))
        return
    file = file or Path(time.strftime("supervisor-bundle-%Y%m%d-%H%M%S.tar.zst"))
    with whole_file(file) as out:
        manifest = pack(parts(scene, masking), masking, out)
    click.echo(_summary(file, manifest, scene))


def _through_pipe(pack_into: Callable[[IO[bytes]], object]) -> None:
    """Unlike a file it cannot be taken back: whoever reads it sees by the end of the archive whether it is whole."""
    if sys.stdout.isatty():
        raise SupervisorError(
            "cannot write a bundle to a terminal: it is no text; name a file, or use a pipe"
        )
    try:
        with open(sys.stdout.fileno(), "wb", closefd=False) as out:
            pack_into(out)
    except BrokenPipeError:
        raise
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise SupervisorError(f"cannot write the bundle to standard output: {why}") from error


def _summary(file: Path, manifest: Manifest, scene: Scene) -> str:
    size_kib = -(-file.stat().st_size // 1024)
    missing = f", {len(manifest.left_out)} left out (manifest.json says why)" if manifest.left_out else ""
    told = f"\n{scene.not_running}" if scene.not_running else ""
    return (
        f"wrote {file}: {len(manifest.included)} files, {size_kib} KiB{missing}{told}\n"
        "Secrets are replaced by ***; logs may hold more that is yours alone, so look before you send it:\n"
        f"  tar --zstd -xf {file}"
    )


def _listed(network: bool, endpoints: Path | None) -> list[Target | Skip]:
    """The endpoints to try. Raises SupervisorError if a list cannot be used."""
    if not network and endpoints is None:
        return []
    from supervisor.cli.commands.cmd_doctor import plane_url
    from supervisor.doctor.endpoint_list import PACKAGED, read_listing
    from supervisor.doctor.network.target import Circumstances, targets

    known = Circumstances(os.environ.get("AWS_REGION", ""), "", plane_url())
    return targets(read_listing(endpoints or PACKAGED), known)


def _scene(socket: str | None, state_dir: Path | None, listed: list[Target | Skip]) -> Scene:
    from supervisor.bundle.context import Scene, holder
    from supervisor.bundle.start_options import told_files
    from supervisor.config import find_file
    from supervisor.settings.table import AUTOMATIONS, DEFAULT_SPEC, ENVIRONMENT_TOKEN_FILE, INITIAL_SPEC

    running, status, not_running = _running(socket)
    at = running.socket if running is not None else socket
    state = state_dir or (Path(at).parent if at else None)
    workspace = Path(status.get("workspace") or _workspace_of(state))
    state = state or _state_around(workspace)
    resolved, config = _settings()
    named = status.get("file", {}).get("path") or resolved[AUTOMATIONS]
    pid = status.get("pid") or holder(state)
    return Scene(
        pid=pid,
        state=state,
        workspace=workspace,
        file=find_file(workspace, named).path,
        # Not from `resolved`, which has nothing but defaults where one setting is wrong.
        specs=[*told_files(INITIAL_SPEC, pid, os.environ, state), Path(DEFAULT_SPEC)],
        token_files=told_files(ENVIRONMENT_TOKEN_FILE, pid, os.environ, state),
        environ=dict(os.environ),
        ask={} if running is None or not_running else _questions(running),
        not_running=not_running,
        config=config,
        examine=lambda: _examine(state, workspace, listed),
    )


def _running(socket: str | None) -> tuple[Client | None, dict[str, Any], str]:
    """The running supervisor and its status, or why there is none to ask; one that hangs is asked once."""
    try:
        client = Client(find_socket(socket), ANSWER_S)
    except NotRunning as error:
        return None, {}, error.message
    try:
        return client, client.status(), ""
    except NotRunning as error:
        return None, {}, error.message
    except (SupervisorError, OSError) as error:
        return client, {}, str(error)


def _questions(running: Client) -> dict[str, Callable[[], Any]]:
    return {
        "status": running.status,
        "activity": running.activity,
        "recent": running.recent,
        "services": lambda: references.services(running),
        "tasks": lambda: references.tasks(running),
        "executions": lambda: running.pages("ListTaskExecutions", "taskExecutions"),
    }


def _workspace_of(state: Path | None) -> str:
    """The workspace that a state directory belongs to, or the current folder."""
    from supervisor.shim.regular_file import read_regular

    try:
        if state is not None:
            return os.fsdecode(read_regular(state / "workspace", 4096)).rstrip("\n")
    except OSError:
        pass  # a state directory without one
    return cwd.current("find a supervisor")


def _state_around(workspace: Path) -> Path:
    """The state directory of the nearest folder that has one, from here upwards."""
    from supervisor.host.state.state_directory import default_path, system_path

    folders = [str(folder) for folder in (workspace, *workspace.parents)]
    places = [
        place for folder in folders for place in (default_path(folder, os.environ), system_path(folder))
    ]
    return next((place for place in places if os.path.isdir(place)), places[0])


def _settings() -> tuple[Any, Callable[[], Any]]:
    """The settings, and what is told of them: with ones that cannot be used the bundle goes on by the defaults."""
    from supervisor.cli.commands.cmd_config import config_json
    from supervisor.settings.initial_spec import read_settings
    from supervisor.settings.resolved import resolve

    try:
        resolved = read_settings({}, os.environ)
    except SupervisorError as error:
        why = str(error)
        return resolve({}, {}), lambda: {"error": why}
    return resolved, lambda: config_json(resolved)


def _examine(state: Path, workspace: Path, listed: list[Target | Skip]) -> list[Finding]:
    import anyio

    from supervisor.doctor.examine import examine
    from supervisor.doctor.machine import checks
    from supervisor.doctor.network.proxy import Proxies
    from supervisor.doctor.network.tls import Trust

    looks = checks(state, workspace)
    return anyio.run(
        examine, listed, looks, Proxies(os.environ), Trust.of_machine(), CHECK_S, lambda *_: None
    )
