"""What changed between a commit and the working tree: one change a path, however git puts it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from platform_wire.environment_pb2 import FileChange
from supervisor.workspace.git.git_command import Git
from supervisor.workspace.git.raw_diff import RawEntry, entries
from supervisor.workspace.git.repository import Repository
from supervisor.workspace.git.scratch_index import IndexEntry, scratch
from supervisor.workspace.names import shown
from supervisor.workspace.ops_error import OpsError

DIFF = (
    "diff",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--no-relative",
    "--no-abbrev",
    "--submodule=short",
    "--ignore-submodules=untracked",
    "--inter-hunk-context=0",
    "-O/dev/null",
)
LISTING = ("ls-files", "-z", "-t", "--others", "--unmerged", "--exclude-standard")
LONGEST_PATH = 255
_TRIES = 5
"""For what reads files that come and go meanwhile."""
_FEW_PATHS = 100
"""So many fit a command line, whatever their length."""
_TYPES = {
    "A": FileChange.CHANGE_TYPE_ADDED,
    "D": FileChange.CHANGE_TYPE_DELETED,
    "M": FileChange.CHANGE_TYPE_MODIFIED,
    "R": FileChange.CHANGE_TYPE_RENAMED,
    "T": FileChange.CHANGE_TYPE_MODIFIED,
    "U": FileChange.CHANGE_TYPE_UPDATED_BUT_UNMERGED,
    "?": FileChange.CHANGE_TYPE_UNTRACKED,
}


@dataclass(frozen=True, slots=True)
class PathChange:
    """How one path differs."""

    path: bytes
    kind: str
    """One of A, D, M, R, U (unmerged) and ? (untracked)."""
    old_path: bytes = b""
    """Of a rename alone."""

    def message(self) -> FileChange | None:
        """The change as clients see it; None if the wire has no room for a path."""
        path, old_path = shown(self.path), shown(self.old_path)
        if max(len(path), len(old_path)) > LONGEST_PATH:
            return None
        return FileChange(path=path, change_type=_TYPES[self.kind], old_path=old_path)


@dataclass(frozen=True, slots=True)
class Untold:
    """Paths that git does not compare with a commit, or not alone.

    Attributes:
        untracked: those that the index does not have and that are not ignored.
        unmerged: those of which a merge has left several versions.
    """

    untracked: frozenset[bytes]
    unmerged: frozenset[bytes]


def all_changes(repository: Repository, base: str) -> list[PathChange]:
    """All that differs between a commit and the working tree, sorted by path as clients see it. Raises OpsError."""
    git = repository.git
    with ThreadPoolExecutor(1) as beside:  # each looks at all files of the working tree
        listing = beside.submit(listed, git)
        raw = raw_entries(git, base)
        untold = listing.result()
    gone = {entry.path: entry for entry in split(raw, untold) if entry.status == "D"}
    returned = [entry for path, entry in gone.items() if path in untold.untracked]
    differing = still_differing(git, base, returned) if returned else set()
    found = list(combined(raw, untold, differing))
    found.sort(key=lambda change: shown(change.path))
    return found


def in_message(changes: Iterable[PathChange], most: int) -> list[FileChange]:
    """The first changes as clients see them, without those that the wire has no room for."""
    messages = (change.message() for change in changes)
    return list(islice((message for message in messages if message is not None), most))


def raw_entries(git: Git, base: str) -> list[RawEntry]:
    """What git says of all tracked paths, renames among them."""
    try:
        return entries(steady(git, *DIFF, "--raw", "-z", "-M", base))[0]
    except OpsError:
        # A rename is found by reading all new files, and one may not be for us to read.
        return entries(steady(git, *DIFF, "--raw", "-z", "--no-renames", base))[0]


def listed(git: Git, *paths: bytes) -> Untold:
    """What lies beside the index, below these paths or everywhere."""
    untracked, unmerged = set(), set()
    for line in git.output(*LISTING, "--", *paths).split(b"\0")[:-1]:
        if line.startswith(b"? "):
            untracked.add(line[2:].removesuffix(b"/"))  # another repository has a slash at its end
        else:
            unmerged.add(line.partition(b"\t")[2])
    return Untold(frozenset(untracked), frozenset(unmerged))


def still_differing(git: Git, base: str, gone: Iterable[RawEntry]) -> set[bytes]:
    """Which of the paths that left the index, but not the working tree, differ from the base there."""
    old = {entry.path: IndexEntry(entry.old_mode, entry.old_id) for entry in gone}
    # Git takes long to match many paths; without any it tells of all that the base has, which is sorted out here.
    paths = sorted(old) if len(old) <= _FEW_PATHS else []
    with scratch(git, old) as beside:
        told = steady(beside, *DIFF, "--raw", "-z", "--no-renames", base, "--", *paths)
    found = {entry.path for entry in entries(told)[0]}
    return found & old.keys()


def split(raw: Iterable[RawEntry], untold: Untold) -> Iterator[RawEntry]:
    """The entries, with a rename as two where it is none for us: the old file is there, or the new one unmerged."""
    for entry in raw:
        if entry.status == "R" and (entry.old_path in untold.untracked or entry.path in untold.unmerged):
            yield RawEntry("D", entry.old_path, b"", entry.old_mode, 0, entry.old_id)
            yield RawEntry("A", entry.path, b"", 0, entry.new_mode, "0" * len(entry.old_id))
        else:
            yield entry


def combined(raw: Iterable[RawEntry], untold: Untold, differing: Collection[bytes]) -> Iterator[PathChange]:
    """One change a path.

    Args:
        raw: what git says of the paths that the index or the commit has.
        untold: what git does not say there.
        differing: of the untracked paths that the commit has, those that differ from it.
    """
    told = set()
    for entry in split(raw, untold):
        told.add(entry.path)
        if entry.path in untold.unmerged:
            yield PathChange(entry.path, "U")
        elif entry.status == "D" and entry.path in untold.untracked:
            if entry.path in differing:
                yield PathChange(entry.path, "M")
        else:
            kind = "M" if entry.status == "T" else entry.status
            yield PathChange(entry.path, kind, entry.old_path)
    yield from (PathChange(path, "U") for path in untold.unmerged - told)
    yield from (PathChange(path, "?") for path in untold.untracked - told)


def steady(git: Git, *arguments: str | bytes) -> bytes:
    """What git prints once no file has vanished while git read it. Raises OpsError."""
    for _ in range(_TRIES - 1):
        done = git.run(*arguments)
        if done.status == 0:
            return done.stdout
    return git.output(*arguments)
