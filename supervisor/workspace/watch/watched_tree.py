"""The workspace's files as they are watched: which there are, which are ignored, and what events make of them.

Theory of operation. Every folder that is not ignored has a watch and a list of what is in it that is not ignored. A
folder is watched before it is listed, so that nothing comes in between; what happens in that moment is seen twice, and
merged by whoever gets the changes. Events say where something happened. What it means is decided by the list: an entry
that was there is UPDATED when another one takes its place, and what was never told of is not DELETED.

A list is compared with the folder again (`_look`) where it may be out of date: the rules of what is ignored have
changed, or the kernel has dropped events. What is seen for the first time because of new rules is no change.

Files that git tracks are never ignored. Where they lie in ignored folders, these are watched for them alone.

Links are files. `.git` is not there, at any depth.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from supervisor.workspace import ignore_rules
from supervisor.workspace.ignore_rules import IgnoreRules
from supervisor.workspace.jobs import Job
from supervisor.workspace.watch import kernel_watches as kernel
from supervisor.workspace.watch.kernel_watches import FolderEvent, KernelWatches
from supervisor.workspace.watch.unsent_changes import CREATED, DELETED, UPDATED, ChangeKind, FileChange

GIT = b".git"
_MOMENT_S = 0.05
"""An event is seen within this time, unless there are very many."""
_LATELY_S = 10.0
"""A file that was closed by a writer was written if its times are not older."""


@dataclass(frozen=True, slots=True)
class KeptFiles:
    """Files that are tracked although patterns exclude them, by their paths from the workspace on."""

    files: frozenset[bytes] = frozenset()
    folders: frozenset[bytes] = frozenset()
    """Those that they are in."""

    @classmethod
    def of(cls, files: Iterable[bytes]) -> KeptFiles:
        """With all folders above them."""
        kept = frozenset(files)
        folders = {path[:end] for path in kept for end, byte in enumerate(path) if byte == ord("/")}
        return cls(kept, frozenset(folders))


@dataclass(slots=True, eq=False)
class _Folder:
    """A folder that is watched."""

    path: bytes
    """From the workspace on, with a slash at its end; empty: the workspace itself."""
    rules: IgnoreRules
    is_ignored: bool
    """It is watched for what git tracks below it alone."""
    watch: int | None = None
    """None: it cannot be watched, since it may not be looked into or is gone by now."""
    is_known: bool = False
    """Whether it was listed."""
    folders: dict[bytes, _Folder] = field(default_factory=dict)
    files: set[bytes] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _ToLook:
    """A folder that is to be compared with its list."""

    folder: _Folder
    before: IgnoreRules | None
    """The rules by which the list was made; None: all was ignored."""
    told: bool
    """Whether what is in a folder that has no list yet is news."""


class WatchedTree:
    """A workspace. Not for several threads."""

    def __init__(self, root: bytes, watches: KernelWatches, job: Job) -> None:
        """`root`: absolute, and no link; `job`: on whose behalf. Nothing is watched before `look`."""
        self.root = root
        self.kept = KeptFiles()
        self.users_patterns: bytes | None = None
        """See `ignore_rules.at`."""
        self.is_gone = False
        """The workspace folder was removed, or moved away."""
        self.rules_changed_s: float | None = None
        """A file of patterns has changed, by now or at this time on the wall clock."""
        self.rules_may_change = False
        """A file of patterns is being written."""
        self.git_folder_changed = False
        """`.git` of the workspace has come or gone."""
        self._watches = watches
        self._job = job
        self._by_watch: dict[int, _Folder] = {}
        self._top = _Folder(b"", IgnoreRules(root), is_ignored=False)
        self._told: list[FileChange] = []
        self._new_since_s: float | None = None

    def look(self, new_since_s: float | None = None) -> list[FileChange]:
        """See what is there, the first time or again, and what has changed meanwhile.

        `new_since_s`: what counts by new rules alone is told if it has changed since this time on the wall clock.
        Raises TooFewWatches, Cancelled.
        """
        self.rules_changed_s, self.rules_may_change = None, False
        self._new_since_s = new_since_s
        before = self._top.rules
        self._top.rules = ignore_rules.at(self.root, self.users_patterns)
        self._look([_ToLook(self._top, before, told=False)])
        self.is_gone = self._top.watch is None
        if self.is_gone:
            # What was moved away with it is watched no more, and what comes in its place is not compared with it.
            for each in _all_below(self._top):
                self._unwatch(each)
            self._top = _Folder(b"", self._top.rules, is_ignored=False)
        return self._taken()

    def __contains__(self, watch: int) -> bool:
        """Whether a watch is one of this tree."""
        return watch in self._by_watch

    def changes(self, event: FolderEvent) -> list[FileChange]:
        """What an event of this tree tells. Raises TooFewWatches, Cancelled."""
        folder = self._by_watch[event.watch]
        if not event.name:
            self._on_folder_itself(folder, event.mask)
        elif event.name == GIT:
            self.git_folder_changed = self.git_folder_changed or folder is self._top
        else:
            if event.name == ignore_rules.NAME:
                self._on_rules(folder, event.mask)
            self._on_entry(folder, event.name, event.mask)
        return self._taken()

    def _taken(self) -> list[FileChange]:
        told, self._told = self._told, []
        return told

    def _tell(self, path: bytes, kind: ChangeKind, is_folder: bool) -> None:
        self._told.append(FileChange(path, kind, is_folder))

    # Events -----------------------------------------------------------------------------------------------------------

    def _on_folder_itself(self, folder: _Folder, mask: int) -> None:
        if mask & kernel.REMOVED and folder.watch is not None:
            self._by_watch.pop(folder.watch, None)
            folder.watch = None
        lost = kernel.REMOVED | kernel.DELETED_ITSELF | kernel.MOVED_ITSELF | kernel.UNMOUNTED
        if folder is self._top and mask & lost:
            self.is_gone = True

    def _on_rules(self, folder: _Folder, mask: int) -> None:
        """An editor has more to write while it has the file open; what takes the file's place is whole."""
        if mask & (kernel.WRITTEN | kernel.MOVED_TO | kernel.MOVED_FROM | kernel.DELETED):
            self.rules_changed_s = changed_s(self._absolute(folder.path + ignore_rules.NAME))
        elif mask & (kernel.MODIFIED | kernel.CREATED):
            self.rules_may_change = True

    def _on_entry(self, folder: _Folder, name: bytes, mask: int) -> None:
        is_folder = bool(mask & kernel.IS_FOLDER)
        if mask & (kernel.CREATED | kernel.MOVED_TO):
            # Nothing is made in another one's place: what is in the list was found when its folder was listed.
            was_found = mask & kernel.CREATED and name in (folder.folders if is_folder else folder.files)
            self._look(self._came(folder, name, is_folder, told=not was_found))
        elif mask & (kernel.DELETED | kernel.MOVED_FROM):
            self._went(folder, name, is_folder)
        elif is_folder:
            self._on_attributes(folder, name)
        elif not mask & kernel.WRITTEN or _was_written(self._absolute(folder.path + name)):
            # One that is not in the list was made before its folder was watched, removed, and made again.
            self._look(self._came(folder, name, is_folder=False, told=True))

    def _on_attributes(self, folder: _Folder, name: bytes) -> None:
        """Of a folder: maybe it can be looked into by now."""
        child = folder.folders.get(name)
        if child is not None:
            self._tell(folder.path + name, UPDATED, is_folder=True)
            if child.watch is None:
                self._look([_ToLook(child, child.rules, told=True)])

    # Lists ------------------------------------------------------------------------------------------------------------

    def _came(self, folder: _Folder, name: bytes, is_folder: bool, told: bool) -> list[_ToLook]:
        """An entry is there, maybe in the place of another one. Returns what is to be looked into."""
        if not self._counts(folder, name, is_folder):
            return []
        child, was_file = folder.folders.get(name), name in folder.files
        if told:
            self._tell(folder.path + name, UPDATED if child or was_file else CREATED, is_folder)
        if not is_folder:
            if child is not None:
                self._leave(folder, name)
            folder.files.add(name)
            return []
        folder.files.discard(name)
        if child is None:
            child = folder.folders[name] = self._below(folder, name)
        return [_ToLook(child, child.rules, told)]

    def _went(self, folder: _Folder, name: bytes, is_folder: bool) -> None:
        """An entry is gone, with all that was in it."""
        if name not in (folder.folders if is_folder else folder.files):
            return
        if is_folder:
            self._leave(folder, name)
        else:
            folder.files.discard(name)
        self._tell(folder.path + name, DELETED, is_folder)

    def _leave(self, folder: _Folder, name: bytes) -> None:
        """A folder is gone: tell so of all that was in it."""
        for each in _all_below(folder.folders.pop(name)):
            self._unwatch(each)
            for file in each.files:
                self._tell(each.path + file, DELETED, is_folder=False)
            for child in each.folders:
                self._tell(each.path + child, DELETED, is_folder=True)

    def _look(self, wanted: list[_ToLook]) -> None:
        """Watch folders and tell how they differ from their lists; all below them too."""
        while wanted:
            self._job.check()
            each = wanted.pop()
            if self._watch(each.folder):
                wanted += self._compare(each)

    def _compare(self, look: _ToLook) -> list[_ToLook]:
        folder, was_known = look.folder, look.folder.is_known
        folder.is_known = True
        there = _listed(self._absolute(folder.path))
        for name in [name for name in folder.folders if not there.get(name)]:
            self._went(folder, name, is_folder=True)
        for name in [name for name in folder.files if there.get(name, True)]:
            self._went(folder, name, is_folder=False)
        deeper: list[_ToLook] = []
        for name, is_folder in there.items():
            if not self._counts(folder, name, is_folder):
                self._drop(folder, name)
            elif name not in (folder.folders if is_folder else folder.files):
                # By rules that have not changed it is new, else it was ignored until now.
                counted = look.before is not None and not look.before.ignores(name, is_folder)
                is_new = counted if was_known else look.told
                found = self._came(folder, name, is_folder, is_new or self._is_new(folder.path + name))
                deeper += [replace(each, told=is_new) for each in found]
            elif is_folder:
                deeper.append(self._renewed(folder, name))
        return deeper

    def _is_new(self, path: bytes) -> bool:
        return self._new_since_s is not None and changed_s(self._absolute(path)) >= self._new_since_s

    def _renewed(self, folder: _Folder, name: bytes) -> _ToLook:
        """A folder that stays, under new rules."""
        child = folder.folders[name]
        before = None if child.is_ignored else child.rules
        fresh = self._below(folder, name)
        child.rules, child.is_ignored = fresh.rules, fresh.is_ignored
        return _ToLook(child, before, told=True)

    def _watch(self, folder: _Folder) -> bool:
        """Whether the folder is watched from now on."""
        watch = self._watches.add(self._absolute(folder.path).rstrip(b"/") or b"/")
        if watch != folder.watch:  # another folder has taken its place
            self._unwatch(folder)
        if watch is None:
            return False
        other = self._by_watch.get(watch)
        if other is not None and other is not folder:
            # The same folder under an old name: it was moved, and the event that says so is on its way.
            other.watch = None
        folder.watch = watch
        self._by_watch[watch] = folder
        return True

    def _counts(self, folder: _Folder, name: bytes, is_folder: bool) -> bool:
        """Whether an entry is told of."""
        if name == GIT:
            return False
        if not folder.is_ignored and not folder.rules.ignores(name, is_folder):
            return True
        return folder.path + name in (self.kept.folders if is_folder else self.kept.files)

    def _below(self, folder: _Folder, name: bytes) -> _Folder:
        is_ignored = folder.is_ignored or folder.rules.ignores(name, is_folder=True)
        return _Folder(folder.path + name + b"/", folder.rules.below(name), is_ignored)

    def _drop(self, folder: _Folder, name: bytes) -> None:
        """An entry does not count, or not any more."""
        folder.files.discard(name)
        if child := folder.folders.pop(name, None):
            for each in _all_below(child):
                self._unwatch(each)

    def _unwatch(self, folder: _Folder) -> None:
        if folder.watch is not None and self._by_watch.get(folder.watch) is folder:
            del self._by_watch[folder.watch]
            self._watches.remove(folder.watch)
        folder.watch = None

    def _absolute(self, path: bytes) -> bytes:
        return self.root.rstrip(b"/") + b"/" + path


def _all_below(folder: _Folder) -> Iterator[_Folder]:
    """A folder, and all that are in it at any depth."""
    left = [folder]
    while left:
        each = left.pop()
        yield each
        left += each.folders.values()


def _listed(folder: bytes) -> dict[bytes, bool]:
    """`{name: whether it is a folder}`; nothing if the folder is gone by now."""
    found: dict[bytes, bool] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                found[entry.name] = entry.is_dir(follow_symlinks=False)
    except OSError:
        pass
    return found


def changed_s(path: bytes) -> float:
    """When a file has changed last, on the wall clock; if it is gone, that was a moment ago."""
    try:
        return os.lstat(path).st_ctime
    except OSError:
        return time.time() - _MOMENT_S


def _was_written(path: bytes) -> bool:
    """Whether a file that a writer has closed differs: one may be opened for writing and left as it was."""
    try:
        status = os.lstat(path)
    except OSError:
        return False  # its end is an event of its own
    return stat.S_ISREG(status.st_mode) and time.time() - status.st_ctime < _LATELY_S
