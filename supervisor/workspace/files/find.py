"""Find: files and folders by a glob, or by a fuzzy query."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from operator import itemgetter

from platform_wire.environmentopts_pb2 import FindRequest, FindResponse
from supervisor.workspace.files.client_path import status_of
from supervisor.workspace.files.folder_walk import WalkedFolder, tracked_although_ignored, walk
from supervisor.workspace.files.fuzzy_match import Rank, ranker
from supervisor.workspace.files.glob_pattern import GlobPattern
from supervisor.workspace.jobs import UNARY, Job
from supervisor.workspace.names import all_shown, located, shown
from supervisor.workspace.ops_error import OpsError, refused

MOST_FILES = 65_536
"""Of one answer."""
_TYPES = (
    FindRequest.FILE_TYPE_UNSPECIFIED,
    FindRequest.FILE_TYPE_FILE,
    FindRequest.FILE_TYPE_DIRECTORY,
    FindRequest.FILE_TYPE_ANY,
)
_AT_ONCE = 1000
"""After so many files it is looked whether anybody still waits."""
_AROUND_BYTES = 16
"""What a file takes in the answer beside its path."""

_Hit = tuple[str, bytes, bool]
"""An entry that matches: its path from the start as clients see it, and as it is, and whether it is a folder. There may
be very many, so they are plain tuples."""
_RankedHit = tuple[Rank, str, bytes, bool]


def find(request: FindRequest, job: Job) -> FindResponse:
    """Find files. Raises OpsError, Cancelled."""
    if request.max_depth < 0:
        raise OpsError("invalid_argument", "cannot find files: max_depth must be 0 or more")
    if request.type not in _TYPES:
        raise OpsError("invalid_argument", f"cannot find files: there is no type {request.type}")
    start = _start(request.path, job)
    search = _Search(request, start, job)
    hits, truncated = search.fuzzy() if request.fuzzy and request.pattern else search.glob()
    return _answer(start, hits, truncated, job)


def _start(path: str, job: Job) -> bytes:
    """The folder to look in, absolute. Raises OpsError."""
    where, what = located(path, job.workspace), f'look in "{path or job.workspace}"'
    if not stat.S_ISDIR(status_of(where, what).st_mode):
        raise OpsError("invalid_argument", f"cannot {what}: it is no folder")
    # Without the dots that mean nothing. Those of `..` mean another folder where the one before is a link.
    parts = [part for part in where.split(b"/") if part not in (b"", b".")]
    return b"/" + b"/".join(parts)


def _answer(start: bytes, hits: list[_Hit], truncated: bool, job: Job) -> FindResponse:
    below = start.rstrip(b"/") + b"/"
    above = shown(below)
    job.reserve(sum(len(path) for _, path, _ in hits) + len(hits) * (len(below) + _AROUND_BYTES))
    response = FindResponse(truncated=truncated)
    add = response.files.add
    for number, (text, path, is_folder) in enumerate(hits):
        if number % _AT_ONCE == 0:
            job.check()
        if is_folder:
            add(path=above + text, is_directory=True)
        else:
            add(path=above + text, size=_size(below + path))
    return response


class _Search:
    """One search."""

    def __init__(self, request: FindRequest, start: bytes, job: Job) -> None:
        self._request = request
        self._start = start
        self._job = job

    def glob(self) -> tuple[list[_Hit], bool]:
        """The hits of a glob, ignored ones last, and whether there are more."""
        pattern = GlobPattern(self._request.pattern)
        first: list[_Hit] = []
        last: list[_Hit] = []
        for folder in self._walk(enter_ignored=True):
            self._look(folder, pattern, first, last)
            if len(first) > MOST_FILES:
                return first[:MOST_FILES], True
        if last and (tracked := tracked_although_ignored(self._start, self._job)):
            first += [hit for hit in last if hit[1] in tracked]
            last = [hit for hit in last if hit[1] not in tracked]
        hits = first + last
        return hits[:MOST_FILES], len(hits) > MOST_FILES

    def _look(self, folder: WalkedFolder, pattern: GlobPattern, first: list[_Hit], last: list[_Hit]) -> None:
        above, any_type = shown(folder.path), self._is_wanted(True) and self._is_wanted(False)
        names = all_shown([entry.name for entry in folder.entries])
        for index in pattern.matching(names, above):
            entry = folder.entries[index]
            is_folder = _is_folder(entry)
            if any_type or self._is_wanted(is_folder):
                hit = (above + names[index], folder.path + entry.name, is_folder)
                (last if folder.ignores(entry) else first).append(hit)

    def fuzzy(self) -> tuple[list[_Hit], bool]:
        """The hits of a query, the best first, without what git ignores, and whether there are more."""
        rank = ranker(self._request.pattern)
        hits: list[_RankedHit] = []
        any_ignored = False
        for folder in self._walk(enter_ignored=False):
            above = shown(folder.path)
            any_ignored = any_ignored or folder.has_rules
            for entry, name in zip(folder.entries, all_shown([e.name for e in folder.entries]), strict=True):
                found = rank(above + name)
                if found is None or not self._is_wanted(is_folder := _is_folder(entry)):
                    continue
                if not folder.ignores(entry):
                    hits.append((found, above + name, folder.path + entry.name, is_folder))
        if any_ignored and self._is_wanted(False):
            hits += self._tracked(rank)
        hits.sort(key=itemgetter(0, 1))
        return [hit[1:] for hit in hits[:MOST_FILES]], len(hits) > MOST_FILES

    def _tracked(self, rank: Callable[[str], Rank | None]) -> Iterator[_RankedHit]:
        """The hits among tracked files that a pattern would ignore."""
        for path in tracked_although_ignored(self._start, self._job):
            text, depth = shown(path), path.count(b"/") + 1
            found = rank(text)
            is_near = not self._request.max_depth or depth <= self._request.max_depth
            if found is not None and is_near and os.path.lexists(self._start + b"/" + path):
                yield found, text, path, False

    def _walk(self, enter_ignored: bool) -> Iterator[WalkedFolder]:
        try:
            yield from walk(self._start, self._request.max_depth, enter_ignored, self._job)
        except OSError as error:
            raise refused(f'look in "{self._request.path or self._job.workspace}"', error) from error

    def _is_wanted(self, is_folder: bool) -> bool:
        match self._request.type:
            case FindRequest.FILE_TYPE_FILE:
                return not is_folder
            case FindRequest.FILE_TYPE_DIRECTORY:
                return is_folder
            case _:
                return True


def _is_folder(entry: os.DirEntry[bytes]) -> bool:
    """Whether it is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in circles, or to where we may not look
        return False


def _size(path: bytes) -> int:
    """Of what a path leads to; 0 if that is nothing."""
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


UNARY["Find"] = (FindRequest, find)
