"""The settings of one supervisor, typed: what follows for it from flags, variables and the runner's spec."""

from __future__ import annotations

import os
from pathlib import Path

from supervisor.host.state.state_path import default_path, system_path
from supervisor.lean.frozen import dataclass
from supervisor.model.errors import BadSettings
from supervisor.model.spec import Trigger
from supervisor.settings import cwd, table
from supervisor.settings.plane_token import Token, token_of
from supervisor.settings.resolved import Resolved, SettingSource
from supervisor.settings.values import Address


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user asked for."""

    workspace: Path
    specified: Path | None = None
    """The automations file, if the user named it; None: looked up in the workspace."""
    strict: bool = False
    """Whether an automations file that is missing or refused is an error, before anything starts."""
    state_dir: Path | None = None
    """None: the default for this workspace."""
    watch: bool = True
    log_limit_bytes: int = 64 * 1024 * 1024
    log_transport: str = "pipe"
    """`file` or `pipe`: see `shim/logs/log_pump`."""
    log_quiet_s: float = 0.2
    log_drain_s: float = 2.0
    """What the end of a command waits for: see `shim/logs/pending_exit`."""
    drain_grace_s: float = 30.0
    """How long a drain waits before it kills what is left."""
    api: ApiSettings | None = None
    """None: no API is served."""
    user: str = ""
    """The user that commands run as; empty: the supervisor's own."""
    pass_env: tuple[str, ...] = ()
    """Patterns of our variables that commands of `user` see or do not see."""
    environment_id: str | None = None
    """As the runner gives it; None: made once and kept in the state directory."""
    trigger_filter: tuple[Trigger, ...] = ()
    """The triggers that may fire; empty: all."""
    plane: PlaneSettings | None = None
    """None: activity is not reported."""
    notices: tuple[str, ...] = ()
    """Sentences about settings that have no effect."""


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """How the API is served beside the Unix socket in the state directory."""

    listen: Address | None = Address()
    """None: on the Unix socket alone."""
    public_url: str = ""
    host_names: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlaneSettings:
    """The management plane, which learns that the environment is in use."""

    url: str
    """The base of its API, without a final slash."""
    token: Token
    heartbeat_interval_s: float = 300.0


def workspace_of(file: Path | None, workspace: Path | None) -> Path:
    """The folder that commands run in: as given, else that of the file (above `.ona` and `.gitpod`), else this one.

    Paths are absolute. Raises BadSettings if it is this one, and that was removed.
    """
    if workspace is not None:
        return workspace
    if file is None:
        return Path(cwd.current("find the workspace"))
    folder = file.parent
    return folder.parent if folder.name in (".ona", ".gitpod") else folder


def settings_from(resolved: Resolved) -> Settings:
    """The settings of a supervisor. Raises BadSettings if two of them exclude each other.

    A workspace that does not exist is a mistake, unless a supervisor has served it before: then it may be made
    again.
    """
    file, folder = resolved[table.AUTOMATIONS], resolved[table.WORKSPACE]
    workspace = workspace_of(file, folder)
    if folder is not None and not workspace.is_dir() and not state_dir_of(resolved).is_dir():
        origin = resolved.origin(table.WORKSPACE)
        raise BadSettings([f'cannot use {origin.name} "{folder}": there is no such folder'])
    plane, why_none = _plane(resolved)
    return Settings(
        workspace=workspace,
        specified=file,
        strict=is_strict(resolved),
        state_dir=resolved[table.STATE_DIR],
        watch=not resolved[table.NO_WATCH],
        log_limit_bytes=resolved[table.LOG_LIMIT] << 20,
        log_transport=resolved[table.LOG_TRANSPORT],
        log_quiet_s=resolved[table.LOG_QUIET],
        log_drain_s=resolved[table.LOG_DRAIN],
        drain_grace_s=resolved[table.DRAIN_GRACE],
        api=None if resolved[table.NO_API] else _api(resolved),
        user=resolved[table.USER],
        pass_env=resolved[table.PASS_ENV],
        environment_id=resolved[table.ENVIRONMENT_ID],
        trigger_filter=resolved[table.TRIGGER_FILTER],
        plane=plane,
        notices=(*resolved.notices, *why_none),
    )


def state_dir_of(resolved: Resolved) -> Path:
    """Where a supervisor with these settings keeps its state. Raises BadSettings as `workspace_of` does."""
    if (given := resolved[table.STATE_DIR]) is not None:
        return given
    workspace = str(workspace_of(resolved[table.AUTOMATIONS], resolved[table.WORKSPACE]))
    if resolved[table.USER] and os.geteuid() == 0:
        return system_path(workspace)
    return default_path(workspace, os.environ)


def is_strict(resolved: Resolved) -> bool:
    """Whether a user has named the file, or waits for an end that could not come.

    Elsewhere a mistake in the workspace's file must not cost its user the API. Source: contract/api.md, "Which file".
    """
    named = resolved.origin(table.AUTOMATIONS).source is SettingSource.FLAG
    return named or resolved[table.EXIT_WHEN_DONE] or Trigger.PREBUILD in resolved[table.TRIGGER]


def _api(resolved: Resolved) -> ApiSettings:
    return ApiSettings(
        listen=resolved[table.LISTEN],
        public_url=resolved[table.PUBLIC_URL] or "",
        host_names=resolved[table.HOST_NAME],
        origins=resolved[table.ALLOW_ORIGIN],
    )


def _plane(resolved: Resolved) -> tuple[PlaneSettings | None, tuple[str, ...]]:
    """The management plane, or why there is none, where something of it was given."""
    url, token = resolved[table.CONTROL_PLANE_URL], token_of(resolved)
    missing = [
        what
        for what, value in (
            ("its URL", url),
            ("a token", token),
            ("an environment id", resolved[table.ENVIRONMENT_ID]),
        )
        if value is None
    ]
    if url is not None and token is not None and not missing:
        return PlaneSettings(url, token, resolved[table.HEARTBEAT_INTERVAL]), ()
    if url is None and token is None:
        return None, ()  # stand-alone, with an id of its own or a given one
    return None, (f"activity is not reported to the management plane: {' and '.join(missing)} is missing",)
