"""Whether another user can change the program that root executes, for a supervisor that runs commands as another user.

That user starts any command. If the user may also write to a file that the supervisor imports, or to a folder on the
path to one, root executes the user's code at the next start or upgrade. The check covers the packages, the launchers
and lock files of a checkout, the virtual environment, the interpreter, and of the standard library only its folder: it
belongs to the machine and has thousands of files.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator

from supervisor.host.users.folder_trust import Doubt, doubt
from supervisor.model.errors import BadSettings

_PACKAGE = os.path.abspath(__file__).rpartition("/host/users/")[0]
_BESIDE_IT = ("connect_server", "platform_wire")
"""The packages that are installed with ours."""
_OF_A_CHECKOUT = ("bin", "schemas", "requirements.lock", "requirements-dev.lock")


def check(name: str) -> None:
    """Check that only root may change the program. `name`: the user that commands run as. Raises BadSettings."""
    try:
        found = first_doubt(roots())
    except OSError as error:
        raise _refused(name, f"cannot look at its files: {error}") from error
    if found is not None:
        raise _refused(name, f"{found.path} {found.why}")


def roots() -> list[str]:
    """The files and folders of the program."""
    above = os.path.dirname(_PACKAGE)
    found = [sys.executable, os.path.dirname(os.path.abspath(os.__file__)), _PACKAGE]
    found += [f"{above}/{name}" for name in _BESIDE_IT]
    if os.path.exists(f"{above}/bin/supervisor"):
        found += [f"{above}/{name}" for name in _OF_A_CHECKOUT]
    if sys.prefix != sys.base_prefix:
        return [*found, sys.prefix]
    return [*found, *(path for path in sys.path if path.endswith(("site-packages", "dist-packages")))]


def first_doubt(paths: list[str]) -> Doubt | None:
    """The first of these, of the folders on their paths and of everything below them, that others may write to.

    Raises OSError.
    """
    library = os.path.dirname(os.path.abspath(os.__file__))
    for path in paths:
        if not os.path.exists(path):
            continue
        found = doubt(path) or _of_file(path, os.stat(path))
        if found is None and os.path.isdir(path) and path != library:
            found = next(_below(path), None)
        if found is not None:
            return found
    return None


def _below(folder: str) -> Iterator[Doubt]:
    folders = [folder]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                mode = status.st_mode
                is_link = stat.S_ISLNK(mode)
                if is_link or status.st_uid != 0 or mode & 0o022:
                    found = _of_link(entry.path) if is_link else _of_file(entry.path, status)
                    if found is not None:
                        yield found
                if stat.S_ISDIR(mode):
                    folders.append(entry.path)


def _of_link(path: str) -> Doubt | None:
    found = doubt(path)
    return _of_file(path, os.stat(path)) if found is None and os.path.exists(path) else found


def _of_file(path: str, status: os.stat_result) -> Doubt | None:
    if status.st_uid != 0 and (found := doubt(path)) is not None:
        return found
    # Not even with the sticky bit: a module that is added may be found before another one.
    if status.st_mode & 0o022:
        return Doubt(path, "can be written by others")
    return None


def _refused(name: str, why: str) -> BadSettings:
    return BadSettings(
        [
            f'cannot run commands as user "{name}": the supervisor is root, and its program could be changed: {why}; '
            f"give its files to root (chown -R root, chmod -R go-w), or install it where only root may write"
        ]
    )
