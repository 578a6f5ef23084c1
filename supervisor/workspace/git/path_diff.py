"""The change of one path, and git's patch for it: the same that the list of all changes tells of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from supervisor.workspace.git.base_file import BaseFile, base_file
from supervisor.workspace.git.conversion import Attributes
from supervisor.workspace.git.git_command import Git
from supervisor.workspace.git.path_changes import DIFF, PathChange, listed, raw_entries, steady
from supervisor.workspace.git.raw_diff import LINK, SUBMODULE, RawEntry, entries
from supervisor.workspace.git.repository import Repository
from supervisor.workspace.git.scratch_index import IndexEntry, scratch
from supervisor.workspace.git.unified_diff import FilePatch, file_patches
from supervisor.workspace.git.worktree_path import status_of
from supervisor.workspace.names import text
from supervisor.workspace.ops_error import OpsError, refused

BINARY_ABOVE = 32 << 20
"""A file with more bytes on a side is binary, whatever git takes it for."""
_ANY_SIZE = 1 << 60
_ALL_LINES = 1_000_000_000
_FILE = 0o100644
_NO_PATCH = FilePatch((), False)
_BINARY = FilePatch((), True)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One path of the working tree against a commit.

    Attributes:
        git: which sees the path in its index.
        change: None if there is no difference.
        found: what lies there in the working tree.
    """

    git: Git
    base: str
    path: bytes
    change: PathChange | None
    found: os.stat_result | None = None

    @property
    def old_path(self) -> bytes:
        """Where the original is looked for."""
        return (self.change.old_path if self.change else b"") or self.path

    def original(self) -> BaseFile | None:
        """The old side."""
        return base_file(self.git, self.base, self.old_path)

    def size(self) -> int:
        """The bytes of a file in the working tree."""
        is_there = (
            self.found and stat.S_ISREG(self.found.st_mode) and (not self.change or self.change.kind != "D")
        )
        return self.found.st_size if self.found and is_there else 0

    def patch(self, unified: int) -> FilePatch:
        """What changes line by line, with so many lines around; nothing of a binary file. Raises OpsError."""
        if self.change is None or not self._has_patch():
            return _NO_PATCH
        if self._is_too_large():
            return _BINARY
        found = self._patch(f"-U{unified}")
        if not found.hunks:
            return _BINARY if found.is_binary or self.git_takes_for_binary() else _NO_PATCH
        shown_bytes = sum(len(hunk.body) for hunk in found.hunks)
        if max(self.size(), shown_bytes) > BINARY_ABOVE // 2:  # only then the original can be so large
            original = self.original()
            if original and original.size > BINARY_ABOVE:
                return _BINARY
        return found

    def whole(self) -> FilePatch:
        """The same with all lines of both sides, also of a binary file. Raises OpsError."""
        return self._patch("--text", f"-U{_ALL_LINES}")

    def is_binary(self) -> bool:
        """Whether the file is binary on a side. Raises OpsError."""
        original = self.original()
        is_too_large = self._is_too_large() or (original is not None and original.size > BINARY_ABOVE)
        return self._has_patch() and (is_too_large or self.git_takes_for_binary())

    def git_takes_for_binary(self) -> bool:
        """What git takes the file for, also where it has nothing to say line by line. Raises OpsError."""
        return b"-\t-\t" in self._diff("--numstat")

    def _patch(self, *options: str) -> FilePatch:
        raw, patch = entries(self._diff("--patch-with-raw", *options))
        return _patch_of(self.path, raw, file_patches(patch))

    def _is_too_large(self) -> bool:
        """Whether the working tree's file is; of a filtered one (LFS) git has another, so that one counts."""
        return self.size() > BINARY_ABOVE and not self._is_filtered()

    def _is_filtered(self) -> bool:
        return Attributes.of(self.git, self.path).has_filter

    def _has_patch(self) -> bool:
        """FIFOs and the like are no files that git could read; nor is a repository without a commit."""
        mode = self.found.st_mode if self.found else _FILE
        return stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode)

    def _diff(self, *options: str) -> bytes:
        renames = "-M" if self.change and self.change.old_path else "--no-renames"
        paths = [path for path in (self.change.old_path if self.change else b"", self.path) if path]
        most = _ANY_SIZE if self.size() > BINARY_ABOVE else BINARY_ABOVE
        limit = ("-c", f"core.bigFileThreshold={most}")
        try:
            return steady(self.git, *limit, *DIFF, "-z", renames, *options, self.base, "--", *paths)
        except OpsError:
            self._may_be_read()
            raise

    def _may_be_read(self) -> None:
        """Raises OpsError in the kernel's words if it lets nobody read the file."""
        if self.found is not None and stat.S_ISREG(self.found.st_mode):
            try:
                os.close(os.open(os.path.join(self.git.folder, self.path), os.O_RDONLY | os.O_NONBLOCK))
            except FileNotFoundError:
                pass
            except OSError as error:
                raise refused(f"read {text(self.path)!r}", error) from None


@contextmanager
def compared(repository: Repository, base: str, path: bytes) -> Iterator[Comparison]:
    """Compare a path with a commit. Raises OpsError."""
    git = repository.git
    found = status_of(repository.top, path)
    entry = _entry(git, base, path)
    untold = listed(git, path)
    if path in untold.unmerged:
        yield Comparison(git, base, path, PathChange(path, "U"), found)
    elif found is not None and path in untold.untracked and (entry is None or entry.status == "D"):
        with compared_untracked(repository, base, path, found, entry) as comparison:
            yield comparison
    elif entry is None:
        yield Comparison(git, base, path, None, found)
    elif entry.status == "A":
        yield Comparison(git, base, path, _renamed(git, base, path) or PathChange(path, "A"), found)
    else:
        yield Comparison(
            git, base, path, PathChange(path, "M" if entry.status == "T" else entry.status), found
        )


@contextmanager
def compared_untracked(
    repository: Repository, base: str, path: bytes, found: os.stat_result, gone: RawEntry | None = None
) -> Iterator[Comparison]:
    """The same for a path that the index does not have. `gone`: what git says of it if the base has it."""
    git = repository.git
    if gone:
        entry = IndexEntry(gone.old_mode, gone.old_id)
    elif stat.S_ISDIR(found.st_mode):
        head = git.run("-C", path, "rev-parse", "--verify", "--quiet", "HEAD").stdout.decode().strip()
        if not head:
            yield Comparison(git, base, path, PathChange(path, "?"))
            return
        entry = IndexEntry(SUBMODULE, head)
    else:
        mode = LINK if stat.S_ISLNK(found.st_mode) else _FILE
        entry = IndexEntry(mode, repository.object_format.empty_blob)
    with scratch(git, {path: entry}) as beside:
        change = PathChange(path, "M" if gone else "?") if _entry(beside, base, path) else None
        yield Comparison(beside, base, path, change, found)


def _entry(git: Git, base: str, path: bytes) -> RawEntry | None:
    """What git says of one path by itself, or None if nothing differs."""
    told = steady(git, *DIFF, "--raw", "-z", "--no-renames", base, "--", path)
    return next((entry for entry in entries(told)[0] if entry.path == path), None)


def _renamed(git: Git, base: str, path: bytes) -> PathChange | None:
    """The rename that has brought a new path, if git finds one among all that differs."""
    for entry in raw_entries(git, base):
        if (
            entry.status == "R"
            and entry.path == path
            and entry.old_path not in listed(git, entry.old_path).untracked
        ):
            return PathChange(path, "R", entry.old_path)
    return None


def _patch_of(path: bytes, raw: list[RawEntry], files: list[FilePatch]) -> FilePatch:
    """What a patch says of one path: a change of type is a file that goes and one that comes."""
    at = 0
    for entry in raw:
        end = at + 2 if entry.status == "T" else at + 1
        if entry.path == path:
            halves = files[at:end] if len(raw) > 1 else files
            if any(half.is_binary for half in halves):
                return FilePatch((), True)
            return FilePatch(tuple(hunk for half in halves for hunk in half.hunks), False)
        at = end
    return _NO_PATCH
