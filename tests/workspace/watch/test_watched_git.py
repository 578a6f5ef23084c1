"""The part of a repository that is watched; `test_watch_job` has what is told of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from supervisor.workspace import ignore_rules
from supervisor.workspace.watch.git_place import GitPlace
from supervisor.workspace.watch.kernel_watches import KernelWatches
from supervisor.workspace.watch.watched_git import WatchedGit


class _Counting(KernelWatches):
    def __init__(self) -> None:
        super().__init__()
        self.added: list[bytes] = []

    def add(self, folder: bytes) -> int | None:
        self.added.append(folder)
        assert len(self.added) < 100
        return super().add(folder)


def test_the_top_of_a_repository_may_be_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git = os.fsencode(tmp_path / ".git")
    monkeypatch.setattr(ignore_rules, "repository", lambda _: (b"", b"/.git/info/exclude"))
    watches = _Counting()
    try:
        for workspace in (os.fsencode(tmp_path), b"/"):
            watches.added.clear()
            WatchedGit(workspace, GitPlace(git, git), watches).close()
            assert (b"/" in watches.added) is (workspace != b"/")
    finally:
        watches.close()
