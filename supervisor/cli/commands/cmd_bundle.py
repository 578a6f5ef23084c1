"""`supervisor bundle`: what support needs to know, in one file without secrets."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from supervisor.cli.commands.cmd_doctor import listed_endpoints, usable_settings
from supervisor.cli.remote import references
from supervisor.cli.remote.client import Client
from supervisor.cli.remote.discovery import NotRunning, find_socket
from supervisor.cli.remote.options import socket_option
from supervisor.model.errors import SupervisorError
from supervisor.settings import cwd

if TYPE_CHECKING:
    from supervisor.bundle.archive import Manifest
    from supervisor.bundle.context import BundleContext, Question
    from supervisor.doctor.findings import Finding
    from supervisor.doctor.network.target import Skip, Target
    from supervisor.settings.resolved import Resolved

ANSWER_S = 5.0
"""For each answer of the running supervisor, which may be the very thing that is broken."""
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

    Without FILE: supervisor-bundle-<time>.tar.zst here. An existing file is never overwritten. The bundle has settings
    and status, records and logs, the doctor's findings about this machine, and the versions of everything. Secrets,
    and what looks like one, are replaced by ***; manifest.json lists what is in it and what is not. It works without a
    running supervisor as well.

    \b
      supervisor bundle support.tar.zst
      supervisor bundle - | ssh laptop 'cat > support.tar.zst'
    """
    # Not at the top: --help and wrong usage need none of this.
    from supervisor.bundle.archive import pack
    from supervisor.bundle.collect import entries
    from supervisor.bundle.masker import Masker
    from supervisor.bundle.output_file import whole_file
    from supervisor.bundle.secrets import known_secrets

    listed = listed_endpoints(endpoints) if network or endpoints is not None else []
    context = _context(socket, state_dir, listed)
    masker = Masker(known_secrets(context))
    if str(file) == "-":
        _write_to_pipe(lambda out: pack(entries(context, masker), masker, out))
        return
    file = file or Path(time.strftime("supervisor-bundle-%Y%m%d-%H%M%S.tar.zst"))
    with whole_file(file) as out:
        manifest = pack(entries(context, masker), masker, out)
    click.echo(_summary(file, manifest, context.not_running))


def _write_to_pipe(pack_into: Callable[[IO[bytes]], object]) -> None:
    """Write to standard output. The reader sees from the end of the archive whether it is complete."""
    if sys.stdout.isatty():
        raise SupervisorError("cannot write a bundle to a terminal: it is binary; name a file, or use a pipe")
    try:
        with open(sys.stdout.fileno(), "wb", closefd=False) as out:
            pack_into(out)
    except BrokenPipeError:
        raise
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise SupervisorError(f"cannot write the bundle to standard output: {why}") from error


def _summary(file: Path, manifest: Manifest, not_running: str) -> str:
    size_kib = -(-file.stat().st_size // 1024)
    missing = f", {len(manifest.left_out)} left out (manifest.json says why)" if manifest.left_out else ""
    without = f"\n{not_running}" if not_running else ""
    return (
        f"wrote {file}: {len(manifest.included)} files, {size_kib} KiB{missing}{without}\n"
        "Secrets are replaced by ***; logs may hold other private data, so look before you send it:\n"
        f"  tar --zstd -xf {file}"
    )


def _context(socket: str | None, state_dir: Path | None, listed: list[Target | Skip]) -> BundleContext:
    from supervisor.bundle.context import BundleContext, holder
    from supervisor.bundle.start_options import named_files
    from supervisor.config import find_file
    from supervisor.settings.table import AUTOMATIONS, DEFAULT_SPEC, ENVIRONMENT_TOKEN_FILE, INITIAL_SPEC

    running, status, not_running = _running(socket)
    at = running.socket if running is not None else socket
    state = state_dir or (Path(at).parent if at else None)
    workspace = Path(status.get("workspace") or _workspace_of(state))
    state = state or _state_around(workspace)
    settings, problem = usable_settings()
    named = status.get("file", {}).get("path") or settings[AUTOMATIONS]
    pid = status.get("pid") or holder(state)
    return BundleContext(
        pid=pid,
        state=state,
        workspace=workspace,
        file=find_file(workspace, named).path,
        # Not from `settings`, which are all defaults if one of them is wrong.
        specs=[*named_files(INITIAL_SPEC, pid, os.environ, state), Path(DEFAULT_SPEC)],
        token_files=named_files(ENVIRONMENT_TOKEN_FILE, pid, os.environ, state),
        environ=dict(os.environ),
        sources=_Sources(running, settings, problem, state, workspace, listed),
        not_running=not_running,
    )


@dataclass(frozen=True)
class _Sources:
    """The bundle's sources that take a moment; see `supervisor.bundle.context.Sources`."""

    running: Client | None
    settings: Resolved
    settings_problem: str
    state: Path
    workspace: Path
    listed: list[Target | Skip]

    def answer(self, question: Question) -> Any:
        assert self.running is not None
        match question:
            case "status":
                return self.running.status()
            case "activity":
                return self.running.activity()
            case "recent":
                return self.running.recent()
            case "services":
                return references.services(self.running)
            case "tasks":
                return references.tasks(self.running)
            case "executions":
                return self.running.pages("ListTaskExecutions", "taskExecutions")

    def config(self) -> Any:
        from supervisor.cli.commands.cmd_config import config_json

        return {"error": self.settings_problem} if self.settings_problem else config_json(self.settings)

    def findings(self) -> list[Finding]:
        from supervisor.doctor.examine import examine

        return examine(self.listed, self.state, self.workspace, CHECK_S, lambda *_: None)


def _running(socket: str | None) -> tuple[Client | None, dict[str, Any], str]:
    """The running supervisor, its status, and why it cannot be asked if so. One that hangs is asked only this once."""
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


def _workspace_of(state: Path | None) -> str:
    """The workspace of a state directory, or the current folder."""
    from supervisor.shim.regular_file import read_regular

    try:
        if state is not None:
            return os.fsdecode(read_regular(state / "workspace", 4096)).rstrip("\n")
    except OSError:
        pass  # the state directory is older than this file
    return cwd.current("find a supervisor")


def _state_around(workspace: Path) -> Path:
    """The state directory of the workspace, or of the nearest folder above that has one."""
    from supervisor.host.state.state_path import default_path, system_path

    folders = [str(folder) for folder in (workspace, *workspace.parents)]
    places = [
        place for folder in folders for place in (default_path(folder, os.environ), system_path(folder))
    ]
    return next((place for place in places if os.path.isdir(place)), places[0])
