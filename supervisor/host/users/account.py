"""The user that commands run as, if it is another than our own: `--user NAME`."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping

from supervisor.lean.frozen import dataclass, replace
from supervisor.lean.typing import TYPE_CHECKING
from supervisor.model.errors import MachineError

if TYPE_CHECKING:
    import pwd

_NO_LOGIN = frozenset({"nologin", "false", "true", "sync", "halt", "shutdown"})
"""Shells that refuse logins."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_OF_A_SESSION = frozenset(
    {
        "MAIL",
        "DBUS_SESSION_BUS_ADDRESS",
        "SSH_AUTH_SOCK",
        "XAUTHORITY",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_RUNTIME_DIR",
        "XDG_SEAT",
        "XDG_SESSION_CLASS",
        "XDG_SESSION_ID",
        "XDG_SESSION_TYPE",
        "XDG_STATE_HOME",
        "XDG_VTNR",
        "SUDO_COMMAND",
        "SUDO_GID",
        "SUDO_HOME",
        "SUDO_UID",
        "SUDO_USER",
    }
)
"""Variables of the session of the user that started us, and of that user's folders and sockets."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    """All groups, the primary one included."""
    home: str
    shell: str

    def environ(self, base: Mapping[str, str]) -> dict[str, str]:
        """The environment of this user's login; everything else is from `base`."""
        kept = {name: value for name, value in base.items() if name not in _OF_A_SESSION}
        own = {"HOME": self.home, "USER": self.name, "LOGNAME": self.name, "SHELL": self.shell}
        runtime = f"/run/user/{self.uid}"
        return kept | own | ({"XDG_RUNTIME_DIR": runtime} if os.path.isdir(runtime) else {})


def account(name: str) -> Account:
    """The account of the user with this name. Raises MachineError if commands cannot run as this user."""
    try:
        entry = pwd.getpwnam(name)
    except (KeyError, ValueError):
        raise _refused(name, "there is no such user; make it with useradd, or name another") from None
    if os.geteuid() not in (0, entry.pw_uid):
        raise _refused(name, "only root may run commands as another user; start the supervisor as root")
    if not os.path.isdir(entry.pw_dir):
        raise _refused(name, f'its home folder "{entry.pw_dir}" is not there; make it, or name another user')
    shell = entry.pw_shell or "/bin/sh"  # passwd(5)
    if os.path.basename(shell) in _NO_LOGIN or not os.access(shell, os.X_OK):
        raise _refused(
            name, f"its shell {shell} lets nobody in; give it one with usermod, or name another user"
        )
    return replace(_of(entry), shell=shell)


def completed(environ: Mapping[str, str], uid: int) -> dict[str, str]:
    """An environment with the variables of a login that it lacks: systemd and pid 1 set none of them."""
    wanted = {name for name in ("HOME", "USER", "LOGNAME", "SHELL") if not environ.get(name)}
    if not wanted and environ.get("PATH"):
        return dict(environ)
    known = {"PATH": _PATH, "SHELL": "/bin/sh"}
    try:
        known |= _of_login(_entry(uid)) if wanted else {}
    except KeyError:
        pass  # a container may run as a user that its image does not have
    return {**environ, **{name: value for name, value in known.items() if not environ.get(name)}}


def owner(uid: int) -> Account:
    """The user with this uid. A user that is not in the database has no group."""
    try:
        return _of(_entry(uid))
    except KeyError:
        return Account(str(uid), uid, -1, (), "/", "/bin/sh")


def _entry(uid: int) -> pwd.struct_passwd:
    return pwd.getpwuid(uid)


def _of_login(entry: pwd.struct_passwd) -> dict[str, str]:
    shell = entry.pw_shell if os.path.basename(entry.pw_shell) not in _NO_LOGIN else ""
    return {
        "HOME": entry.pw_dir,
        "USER": entry.pw_name,
        "LOGNAME": entry.pw_name,
        "SHELL": shell or "/bin/sh",
    }


def _of(entry: pwd.struct_passwd) -> Account:
    groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, groups, entry.pw_dir, entry.pw_shell)


def _refused(name: str, why: str) -> MachineError:
    return MachineError(f'cannot run commands as user "{name}": {why}')
