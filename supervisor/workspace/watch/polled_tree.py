"""The workspace where the machine gives no watch for it: the state of every file is compared with that of before.

It is told what `WatchedTree` tells, with less care: a file that comes to count by new rules is CREATED.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from supervisor.workspace import ignore_rules
from supervisor.workspace.ignore_rules import IgnoreRules
from supervisor.workspace.jobs import Job
from supervisor.workspace.watch.git_place import GitPlace
from supervisor.workspace.watch.unsent_changes import CREATED, DELETED, UPDATED, FileChange
from supervisor.workspace.watch.watched_tree import GIT, KeptFiles

_States = dict[bytes, tuple[bool, int]]
"""`{path from the workspace on: (whether it is a folder, a number that differs when it has changed)}`"""


class PolledTree:
    """A workspace. Not for several threads."""

    def __init__(self, root: bytes, job: Job) -> None:
        """`root`: absolute, and no link; `job`: on whose behalf."""
        self._root = root
        self._job = job
        self._states: _States = {}

    def look(self, kept: KeptFiles, users: bytes | None) -> list[FileChange]:
        """What has changed since the last look; the first one finds all that is there. Raises Cancelled.

        `users`: see `ignore_rules.at`.
        """
        before, self._states = self._states, dict(self._seen(kept, users))
        told = [
            FileChange(path, DELETED, is_folder)
            for path, (is_folder, _) in before.items()
            if path not in self._states
        ]
        for path, state in self._states.items():
            was = before.get(path)
            if was is None:
                told.append(FileChange(path, CREATED, state[0]))
            elif was != state:
                told.append(FileChange(path, UPDATED, state[0]))
        return told

    def _seen(self, kept: KeptFiles, users: bytes | None) -> Iterator[tuple[bytes, tuple[bool, int]]]:
        left: list[tuple[bytes, IgnoreRules | None]] = [(b"", ignore_rules.at(self._root, users))]
        while left:
            self._job.check()
            path, rules = left.pop()  # no rules: all is ignored that is not kept
            for entry in _entries(self._root + b"/" + path):
                is_folder = entry.is_dir(follow_symlinks=False)
                ignored = rules is None or rules.ignores(entry.name, is_folder)
                whole = path + entry.name
                if entry.name == GIT or (
                    ignored and whole not in (kept.folders if is_folder else kept.files)
                ):
                    continue
                state = _state(entry, is_folder)
                if state is None:
                    continue
                yield whole, (is_folder, state)
                if is_folder:
                    left.append((whole + b"/", None if ignored or rules is None else rules.below(entry.name)))


def git_state(place: GitPlace) -> int:
    """A number that differs when HEAD, the index or refs have changed."""
    files = {
        folder + b"/" + name for folder in (place.own, place.common) for name in (b"HEAD", b"packed-refs")
    }
    files |= {place.own + b"/index", place.common + b"/config"}
    for folder in (place.own, place.common):
        for part in (b"/refs", b"/reftable"):
            for path, _, names in os.walk(folder + part):
                files.update(path + b"/" + name for name in names if not name.endswith(b".lock"))
    return hash(tuple((path, _file_state(path)) for path in sorted(files)))


def _entries(folder: bytes) -> list[os.DirEntry[bytes]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []  # gone, or not to be looked into


def _state(entry: os.DirEntry[bytes], is_folder: bool) -> int | None:
    """None: it is gone by now."""
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    # A folder's times are those of what is in it.
    times = () if is_folder else (status.st_mtime_ns, status.st_ctime_ns, status.st_size)
    return hash((status.st_ino, stat.S_IMODE(status.st_mode), *times))


def _file_state(path: bytes) -> tuple[int, ...]:
    try:
        status = os.lstat(path)
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino
