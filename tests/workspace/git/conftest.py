"""Repositories that the machine's settings do not reach."""

from pathlib import Path

import pytest

from tests.workspace.git.real_repository import RealRepository


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's settings of git, in a home of the test's own."""
    home = tmp_path / "home"
    home.mkdir()
    path = home / ".gitconfig"
    path.write_text(
        "[user]\n\tname = Dev\n\temail = dev@example.com\n[init]\n\tdefaultBranch = main\n"
        '[advice]\n\tdetachedHead = false\n[protocol "file"]\n\tallow = always\n'
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return path


@pytest.fixture
def repository(tmp_path: Path) -> RealRepository:
    """An empty repository, before its first commit."""
    top = tmp_path / "repository"
    top.mkdir()
    made = RealRepository(top)
    made.git("init", "--quiet")
    return made
