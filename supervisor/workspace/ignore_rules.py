"""What git ignores, by the patterns in its files: `.gitignore` of every folder, `.git/info/exclude`, the user's own.

An entry is judged with the rules of its folder, and only by patterns that match the entry itself: who walks down does
not enter a folder that is ignored, so all above is known not to be. Of one file the last pattern that matches decides,
of several files the deepest one. Files that git tracks are never ignored by it, but that is not seen here.

Names are bytes, as git matches them.

Source: gitignore(5).
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from supervisor.workspace.wildmatch import IgnorePattern, ignore_pattern

NAME = b".gitignore"
_MOST_BYTES = 1 << 20
"""Of a file with patterns; what is behind is not read."""


class Patterns:
    """The patterns of one file."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        """Lines that are no patterns never match."""
        self.lines = lines
        patterns = [found for line in lines if (found := ignore_pattern(line))]
        self._patterns = [(each, re.compile(_whole(each), re.DOTALL)) for each in reversed(patterns)]
        # Most paths match none: that takes one search.
        self._any = re.compile(b"|".join(map(_whole, patterns)), re.DOTALL)

    def verdict(self, path: bytes, is_folder: bool) -> bool | None:
        """Whether the entry at a path, from the file's folder, is ignored; None: no pattern matches it."""
        if not self._any.fullmatch(path):
            return None
        for pattern, regex in self._patterns:
            if (is_folder or not pattern.folders_only) and regex.fullmatch(path):
                return pattern.ignores
        return None

    def exclude(self, path: bytes, is_folder: bool) -> bool:
        """Whether a path, or a folder that it is in, is ignored by these patterns alone."""
        end = path.find(b"/")
        while end >= 0:
            if self.verdict(path[:end], True):
                return True
            end = path.find(b"/", end + 1)
        return bool(self.verdict(path, is_folder))


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """The rules at one folder."""

    folder: bytes
    """Absolute."""
    files: tuple[tuple[int, Patterns], ...] = ()
    """`(where paths begin that the patterns are for, patterns)`, the weakest first."""

    def ignores(self, name: bytes, is_folder: bool) -> bool:
        """Whether an entry of the folder is ignored."""
        path = self.folder + b"/" + name
        for start, patterns in reversed(self.files):
            verdict = patterns.verdict(path[start:], is_folder)
            if verdict is not None:
                return verdict
        return False

    def below(self, name: bytes) -> IgnoreRules:
        """The rules at a folder in this one, with its own file."""
        return with_own_file(self.folder + b"/" + name, self.files)


def with_own_file(folder: bytes, files: tuple[tuple[int, Patterns], ...]) -> IgnoreRules:
    """The rules at a folder: those that come from elsewhere, and its own file."""
    own = read(folder + b"/" + NAME, follow=False)
    return IgnoreRules(folder, (*files, (len(folder) + 1, own)) if own else files)


def at(folder: bytes, users: bytes | None = None) -> IgnoreRules:
    """The rules at a folder, with those of the repository that it is in and of the user. No git is asked.

    `users`: the user's own file of patterns; None: where it is unless git was told otherwise.
    """
    top, exclude = repository(folder)
    files: list[tuple[int, Patterns]] = []
    for path in (_users() if users is None else users, exclude):
        if path and (patterns := read(path)):
            files.append((len(top) + 1, patterns))
    rules = with_own_file(top, tuple(files))
    for name in filter(None, folder[len(top) :].split(b"/")):
        rules = rules.below(name)
    return rules


def is_ignored(folder: bytes) -> bool:
    """Whether a folder, or one of those that it is in within its repository, is ignored."""
    top, _ = repository(folder)
    rules = at(top)
    for name in filter(None, folder[len(top) :].split(b"/")):
        if rules.ignores(name, is_folder=True):
            return True
        rules = rules.below(name)
    return False


def read(path: bytes, follow: bool = True) -> Patterns | None:
    """The patterns in a file; None: there are none, or it is no file that may be read."""
    content = _content(path, follow)
    return Patterns(content.removeprefix(b"\xef\xbb\xbf").split(b"\n")) if content.strip() else None


def _content(path: bytes, follow: bool = True) -> bytes:
    """What is in a file; empty if it cannot be read. Nothing is waited for: anybody may have put a FIFO there."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError):  # ValueError: a path with a NUL
        return b""
    try:
        return os.read(descriptor, _MOST_BYTES) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _whole(pattern: IgnorePattern) -> bytes:
    """For the whole path of an entry."""
    return pattern.regex if pattern.by_path else rb"(?:.*/)?" + pattern.regex


def repository(folder: bytes) -> tuple[bytes, bytes]:
    """The top folder of the repository that a folder is in, and its file of patterns; the folder itself if in none."""
    for top in (folder, *map(os.fsencode, PurePosixPath(os.fsdecode(folder)).parents)):
        entry = top.rstrip(b"/") + b"/.git"
        if os.path.isdir(entry):
            return top.rstrip(b"/"), entry + b"/info/exclude"
        if os.path.isfile(entry):  # of a worktree or a submodule
            return top.rstrip(b"/"), _named_git_folder(entry) + b"/info/exclude"
    return folder, b""


def _named_git_folder(file: bytes) -> bytes:
    """The folder that `.git` names where it is a file, or the one that it has in common with other worktrees."""
    named = _line(file).partition(b"gitdir:")[2].strip()
    folder = os.path.join(os.path.dirname(file), named)
    return os.path.join(folder, _line(folder + b"/commondir").strip())


def _line(path: bytes) -> bytes:
    """The first line of a file; empty if it cannot be read."""
    return _content(path).partition(b"\n")[0]


def _users() -> bytes:
    """The user's own file of patterns, where it is by default."""
    configuration = os.environb.get(b"XDG_CONFIG_HOME") or os.environb.get(b"HOME", b"") + b"/.config"
    return configuration + b"/git/ignore"
