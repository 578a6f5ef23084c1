"""Reads the automations file of a workspace with the rights of everybody who can change what its path leads to.

Root may read every file, but a link in a user's workspace may lead to a file that this user may not read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from supervisor.bundle.archive import LeftOut
from supervisor.config.document import source
from supervisor.config.document.source import Unreadable
from supervisor.config.problem import Problem
from supervisor.host.users.account import owner
from supervisor.host.users.impersonation import open_as


def automations_file(path: Path, workspace: Path) -> bytes:
    """The content of the file, up to one byte over the limit for such a file. Raises LeftOut."""
    owners = set(_owners(path, workspace)) - {0} if os.geteuid() == 0 else set[int]()
    data: bytes | Problem = source.read(path) if not owners else Problem("")
    for uid in owners:
        data = source.read(path, partial(_open_as, uid))
        if isinstance(data, Problem):
            break
    if isinstance(data, Problem):
        raise LeftOut(data.message)
    return data


def _open_as(uid: int, path: Path | str) -> int:
    try:
        return open_as(owner(uid), path)
    except PermissionError:
        raise Unreadable(f"user {uid}, who could put it there, may not read what it leads to") from None


def _owners(path: Path, workspace: Path) -> Iterator[int]:
    """The owners of the workspace, of the folders between it and the file, and of the file or the link to it."""
    for part in (path, *path.parents):
        if part == workspace or part.is_relative_to(workspace):
            try:
                yield os.lstat(part).st_uid
            except OSError:
                pass  # it is gone, and the file with it
