"""Walks a folder, the nearest entries first, and knows what git ignores."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from supervisor.workspace import ignore_rules
from supervisor.workspace.git.git_command import Git
from supervisor.workspace.ignore_rules import IgnoreRules
from supervisor.workspace.jobs import Job
from supervisor.workspace.ops_error import OpsError

_GIT = b".git"


@dataclass(slots=True)
class WalkedFolder:
    """A folder, with what lies in it."""

    path: bytes
    """From the start, with a slash at its end; empty: the start itself."""
    depth: int
    """Of its entries; those of the start have 1."""
    rules: IgnoreRules | None
    """What is ignored in it; None: nothing, or everything."""
    is_ignored: bool
    entries: list[os.DirEntry[bytes]]

    @property
    def has_rules(self) -> bool:
        """Whether anything in it may be ignored."""
        return self.rules is not None and bool(self.rules.files)

    def ignores(self, entry: os.DirEntry[bytes]) -> bool:
        """Whether git would ignore an entry, if it does not track it."""
        rules = self.rules
        if rules is None or not rules.files:
            return self.is_ignored
        return rules.ignores(entry.name, entry.is_dir(follow_symlinks=False))


def walk(start: bytes, max_depth: int, enter_ignored: bool, job: Job) -> Iterator[WalkedFolder]:
    """The folders below `start`, itself the first. What cannot be read is left out; links are not followed.

    `max_depth`: of entries; 0: no limit. Raises Cancelled, and OSError if `start` cannot be read.
    """
    rules = None if ignore_rules.is_ignored(start) else ignore_rules.at(start)
    waiting = deque([(b"", 1, rules, False)])
    while waiting:
        job.check()
        path, depth, rules, is_ignored = waiting.popleft()
        try:
            with os.scandir(os.path.join(start, path)) as found:
                entries = list(found)
        except OSError:
            if not path:
                raise
            continue
        folder = WalkedFolder(path, depth, rules, is_ignored, entries)
        yield folder
        if depth == max_depth:
            continue
        for entry in entries:
            name = entry.name
            if entry.is_dir(follow_symlinks=False) and name != _GIT:
                ignored = folder.ignores(entry)
                if enter_ignored or not ignored:
                    below = None if ignored or rules is None else rules.below(name)
                    waiting.append((path + name + b"/", depth + 1, below, ignored))


def tracked_although_ignored(start: bytes, job: Job) -> set[bytes]:
    """The files below a folder that git tracks, so that no pattern ignores them, by their paths from there."""
    try:
        listed = Git(job, start).run("ls-files", "-z", "--cached", "--ignored", "--exclude-standard")
    except OpsError:  # no git
        return set()
    return set(filter(None, listed.stdout.split(b"\0")))
