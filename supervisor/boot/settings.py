"""What a supervisor is told at its start, and whom it tells what happens."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from supervisor.config import Loaded
from supervisor.core.diff import Changes
from supervisor.model.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user asked for."""

    workspace: Path
    specified: Path | None = None
    """The automations file, if the user named it; None: looked up in the workspace."""
    state_dir: Path | None = None
    """None: the default for this workspace."""
    watch: bool = True
    log_limit_bytes: int = 64 * 1024 * 1024
    api: Api | None = None
    """None: no API is served."""
    user: str = ""
    """The name of the user that commands run as; empty: our own."""


@dataclass(frozen=True, slots=True)
class Api:
    """How the API is served beside the Unix socket in the state directory."""

    listen: str = ""
    """HOST:PORT, or none; empty: the default address, or a free port where that is taken."""
    public_url: str = ""
    host_names: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()


class Report(Protocol):
    """Who is told what happens to the file and to the supervisor itself."""

    def loaded(self, name: str, loaded: Loaded, kept: bool) -> None:
        """The file was read. `kept`: it is refused, and what the last good one said stays."""

    def applied(self, changes: Changes) -> None:
        """An edit was carried out."""

    def notice(self, text: str) -> None:
        """Something else that a person should know."""


def workspace_of(file: Path | None, workspace: Path | None) -> Path:
    """The folder that commands run in: as given, else that of the file (above `.ona` and `.gitpod`), else this one."""
    if workspace is not None:
        return workspace.absolute()
    if file is None or str(file) == "-":
        return Path.cwd()
    folder = file.absolute().parent
    return folder.parent if folder.name in (".ona", ".gitpod") else folder
