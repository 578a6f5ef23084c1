"""Where a supervisor keeps its state: a folder that follows from the workspace's path."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Mapping
from pathlib import Path

from supervisor.lean.digest import sha256

_MAX_NAME_CHARACTERS = 32
"""How much of the workspace's name is in that of its folder. The paths of the sockets must not get too long."""
_SYSTEM_HOME = "/var/lib/supervisor"


def default_path(workspace: str, environ: Mapping[str, str]) -> Path:
    """The default state directory of a workspace.

    There is one for each workspace, however it was reached: links are followed. Source: the XDG base directory
    specification, which also says that a relative XDG_STATE_HOME does not count.
    """
    return _state_home(environ) / _name(workspace)


def system_path(workspace: str) -> Path:
    """The state directory of a workspace whose commands root runs as another user, who cannot reach root's home.

    Source: the Filesystem Hierarchy Standard, 5.8.
    """
    return Path(_SYSTEM_HOME, _name(workspace))


def home_in_tmp() -> Path:
    """The folder of all state of a user who has no home. It is in /tmp, where anybody may have been first."""
    return Path(f"/tmp/supervisor-{os.geteuid()}")


def _name(workspace: str) -> str:
    path = os.path.realpath(workspace)
    digest = sha256(os.fsencode(path)).hex()[:8]
    name = re.sub(r"[^A-Za-z0-9._-]", "_", os.path.basename(path))[:_MAX_NAME_CHARACTERS] or "root"
    return f"{name}-{digest}"


def _state_home(environ: Mapping[str, str]) -> Path:
    if os.path.isabs(home := environ.get("XDG_STATE_HOME", "")):
        return Path(home, "supervisor")
    for home in (environ.get("HOME", ""), _home_of_user()):
        if os.path.isabs(home) and os.path.isdir(home):
            return Path(home, ".local/state/supervisor")
    return home_in_tmp()


def _home_of_user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:  # a container may run as a user that its image does not know
        return ""
