"""The part of a repository that the git status depends on, as it is watched: HEAD, the index, refs, and patterns.

What our own git does makes no event here: it writes nothing, and reading is not watched.
"""

from __future__ import annotations

import enum
import os
from contextlib import suppress

from supervisor.workspace import ignore_rules
from supervisor.workspace.watch import kernel_watches as kernel
from supervisor.workspace.watch.git_place import GitPlace
from supervisor.workspace.watch.kernel_watches import FolderEvent, KernelWatches
from supervisor.workspace.watch.watched_tree import changed_s

INDEX = b"index"
_STATUS_FILES = frozenset({b"HEAD", INDEX, b"packed-refs", b"config"})
_TELLING = kernel.MODIFIED | kernel.MOVED_FROM | kernel.MOVED_TO | kernel.CREATED | kernel.DELETED
_LOCK = b".lock"


class _Part(enum.Enum):
    GIT_FOLDER = "has HEAD, the index, packed refs"
    REFS = "all that is in it is a ref"
    PATTERNS = "has a file of patterns"


class WatchedGit:
    """A repository, and the folders above the workspace that have patterns for it. Not for several threads."""

    def __init__(self, workspace: bytes, place: GitPlace | None, watches: KernelWatches) -> None:
        """Watch it. `workspace`: absolute; `place`: None if there is no repository. Raises TooFewWatches."""
        self.status_changed = False
        """The git status may be another one."""
        self.index_changed = False
        """Other files may be tracked."""
        self.rules_changed_s: float | None = None
        """A file of patterns has changed, by now or at this time on the wall clock."""
        self.is_gone = False
        """The repository was removed, or moved away."""
        self._watches = watches
        self._parts: dict[int, tuple[_Part, bytes]] = {}
        """`{watch: (what the folder is, its path)}`"""
        self._own: int | None = None
        if place is None:
            return
        self._own = self._add(place.own, _Part.GIT_FOLDER)
        self._add(place.common, _Part.GIT_FOLDER)
        for folder in {place.own, place.common}:
            self._add_refs(folder + b"/refs")
            self._add_refs(folder + b"/reftable")
        self._add(place.common + b"/info", _Part.PATTERNS)
        top, _ = ignore_rules.repository(workspace)
        above = workspace
        while above != (top or b"/"):
            above = os.path.dirname(above)
            self._add(above, _Part.PATTERNS)

    def __contains__(self, watch: int) -> bool:
        """Whether a watch is one of these."""
        return watch in self._parts

    def note(self, event: FolderEvent) -> None:
        """Set the flags for an event of this repository. Raises TooFewWatches."""
        part, folder = self._parts[event.watch]
        if event.mask & kernel.REMOVED:
            del self._parts[event.watch]
            self.is_gone = self.is_gone or event.watch == self._own
        elif event.mask & kernel.MOVED_ITSELF and event.watch == self._own:
            self.is_gone = True
        elif event.name and event.mask & _TELLING:
            self._on_entry(part, folder, event)

    def close(self) -> None:
        """End its watches."""
        for watch in self._parts:
            self._watches.remove(watch)
        self._parts.clear()

    def _on_entry(self, part: _Part, folder: bytes, event: FolderEvent) -> None:
        match part:
            case _Part.GIT_FOLDER:
                self.status_changed = self.status_changed or event.name in _STATUS_FILES
                self.index_changed = self.index_changed or event.name == INDEX
            case _Part.REFS if not event.name.endswith(_LOCK):
                self.status_changed = True
                if event.mask & kernel.IS_FOLDER and event.mask & (kernel.CREATED | kernel.MOVED_TO):
                    self._add_refs(folder + b"/" + event.name)
            case _Part.REFS:
                pass
            case _Part.PATTERNS if event.name in (ignore_rules.NAME, b"exclude"):
                self.rules_changed_s = changed_s(folder + b"/" + event.name)
            case _Part.PATTERNS:
                pass

    def _add_refs(self, folder: bytes) -> None:
        """Watch a folder of refs, and those in it."""
        left = [folder]
        while left:
            each = left.pop()
            if self._add(each, _Part.REFS) is not None:
                with suppress(FileNotFoundError):  # a ref's folder goes with the ref
                    left += [entry.path for entry in os.scandir(each) if entry.is_dir(follow_symlinks=False)]

    def _add(self, folder: bytes, part: _Part) -> int | None:
        watch = self._watches.add(folder)
        if watch is not None:
            self._parts.setdefault(watch, (part, folder))
        return watch
