import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from platform_wire.environmentopts_pb2 import FindRequest, FindResponse
from supervisor.workspace.files import find as module
from supervisor.workspace.files.find import find
from supervisor.workspace.jobs import Job
from supervisor.workspace.ops_error import Cancelled, OpsError

FILE, DIRECTORY = FindRequest.FILE_TYPE_FILE, FindRequest.FILE_TYPE_DIRECTORY


@pytest.fixture(autouse=True)
def _no_rules_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "no-home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)


def make(folder: Path, *paths: str) -> None:
    for path in paths:
        where = folder / path
        if path.endswith("/"):
            where.mkdir(parents=True, exist_ok=True)
        else:
            where.parent.mkdir(parents=True, exist_ok=True)
            where.write_text("x" * len(where.name))


def answer(folder: Path, **fields: Any) -> FindResponse:
    return find(FindRequest(**fields), Job(str(folder)))


def found(folder: Path, **fields: Any) -> list[str]:
    """The paths found, from the folder, in their order."""
    start = f"{folder}/"
    paths = [file.path for file in answer(folder, **fields).files]
    assert all(path.startswith(start) for path in paths)
    return [path.removeprefix(start) for path in paths]


def code(folder: Path, **fields: Any) -> str:
    with pytest.raises(OpsError) as refused:
        answer(folder, **fields)
    return refused.value.code


def test_paths_are_absolute_and_folders_have_no_size(tmp_path: Path) -> None:
    make(tmp_path, "a/file.txt", "b/")

    files = {file.path: (file.is_directory, file.size) for file in answer(tmp_path).files}

    assert files == {
        f"{tmp_path}/a": (True, 0),
        f"{tmp_path}/a/file.txt": (False, 8),
        f"{tmp_path}/b": (True, 0),
    }


def test_the_start_may_be_named_in_many_ways(tmp_path: Path) -> None:
    make(tmp_path, "a/x", "b/")
    (tmp_path / "link").symlink_to("a")

    assert [file.path for file in answer(tmp_path, path="a").files] == [f"{tmp_path}/a/x"]
    assert [file.path for file in answer(tmp_path, path="./a//.").files] == [f"{tmp_path}/a/x"]
    assert [file.path for file in answer(tmp_path, path=f"{tmp_path}/a/").files] == [f"{tmp_path}/a/x"]
    assert [file.path for file in answer(tmp_path, path="b/../a").files] == [f"{tmp_path}/b/../a/x"]
    assert [file.path for file in answer(tmp_path, path="link").files] == [f"{tmp_path}/link/x"]


def test_types_and_depths(tmp_path: Path) -> None:
    make(tmp_path, "a/b/c", "d")

    assert sorted(found(tmp_path, type=FILE)) == ["a/b/c", "d"]
    assert sorted(found(tmp_path, type=DIRECTORY)) == ["a", "a/b"]
    assert sorted(found(tmp_path, max_depth=1)) == ["a", "d"]
    assert sorted(found(tmp_path, max_depth=2)) == ["a", "a/b", "d"]


def test_links_to_folders_are_told_and_not_entered(tmp_path: Path) -> None:
    make(tmp_path, "real/x")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "loop").symlink_to("loop")

    files = {file.path.rpartition("/")[2]: (file.is_directory, file.size) for file in answer(tmp_path).files}

    assert files == {"real": (True, 0), "x": (False, 1), "link": (True, 0), "loop": (False, 0)}


def test_hidden_files_are_found_and_the_inside_of_git_is_not(tmp_path: Path) -> None:
    make(tmp_path, ".env", ".git/config", ".hidden/x")

    assert sorted(found(tmp_path)) == [".env", ".git", ".hidden", ".hidden/x"]
    assert found(tmp_path, pattern="config") == []


def test_names_that_are_no_text_can_be_found(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"x\xff")).touch()
    make(tmp_path, "new\nline", 'quote"')

    assert sorted(found(tmp_path)) == ["new\nline", 'quote"', "x\uefff"]
    assert found(tmp_path, pattern="x\uefff") == ["x\uefff"]


def test_what_cannot_be_looked_into(tmp_path: Path) -> None:
    make(tmp_path, "file")

    assert code(tmp_path, path="missing") == "not_found"
    assert code(tmp_path, path="file") == "invalid_argument"
    assert code(tmp_path, max_depth=-1) == "invalid_argument"
    assert code(tmp_path, pattern="[a") == "invalid_argument"
    assert code(tmp_path, path="a\0b") == "invalid_argument"
    assert code(tmp_path, type=7) == "invalid_argument"


def test_ignored_files_are_found_after_all_others(tmp_path: Path) -> None:
    make(tmp_path, ".env", "a.txt", "build/z.txt", "src/b.txt", "src/keep.env", "z.txt")
    (tmp_path / ".gitignore").write_text(".env\nbuild/\nz.txt\n")
    (tmp_path / "src/.gitignore").write_text("*.env\n")

    assert set(found(tmp_path, pattern="*.txt")[:2]) == {"a.txt", "src/b.txt"}
    assert set(found(tmp_path, pattern="*.txt")[2:]) == {"build/z.txt", "z.txt"}
    assert set(found(tmp_path, pattern="*.env")) == {".env", "src/keep.env"}


def test_truncation_takes_ignored_files_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 3)
    make(tmp_path, "a", "b", "ignored/1", "ignored/2")
    (tmp_path / ".gitignore").write_text("ignored\n")

    cut = answer(tmp_path, type=FILE)

    assert cut.truncated
    assert {file.path.rpartition("/")[2] for file in cut.files} == {".gitignore", "a", "b"}
    make(tmp_path, "c")
    assert answer(tmp_path, type=FILE).truncated
    assert not answer(tmp_path, pattern="?", type=FILE, max_depth=1).truncated


def test_a_fuzzy_search_leaves_out_what_git_ignores(tmp_path: Path) -> None:
    make(tmp_path, "src/main.py", "node_modules/main.py", "main.pyc")
    (tmp_path / ".gitignore").write_text("node_modules/\n*.pyc\n")

    assert found(tmp_path, pattern="main", fuzzy=True) == ["src/main.py"]


def test_from_an_ignored_start_nothing_is_ignored(tmp_path: Path) -> None:
    make(tmp_path, "node_modules/lib/main.py", "node_modules/lib/x.log", ".git/HEAD")
    (tmp_path / ".gitignore").write_text("node_modules/\n*.log\n")

    assert found(tmp_path, path="node_modules/lib", pattern="log", fuzzy=True) == ["node_modules/lib/x.log"]


def test_tracked_files_are_not_ignored_whatever_the_patterns_say(tmp_path: Path) -> None:
    make(tmp_path, "dist/kept.js", "dist/made.js")
    (tmp_path / ".gitignore").write_text("dist\n")
    git = ["git", "-c", "user.name=n", "-c", "user.email=e", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "-f", "dist/kept.js"], check=True)

    assert found(tmp_path, pattern=".js", fuzzy=True) == ["dist/kept.js"]
    assert found(tmp_path, pattern="*.js") == ["dist/kept.js", "dist/made.js"]
    assert found(tmp_path, pattern=".js", fuzzy=True, max_depth=1) == []


def test_fuzzy_hits_come_best_first(tmp_path: Path) -> None:
    make(tmp_path, "lib/user_api.py", "user/x.py", "api/user.py", "u/s/e/r.txt", "superuser.py", "other.txt")

    assert found(tmp_path, pattern="USER", fuzzy=True, type=FILE) == [
        "api/user.py",
        "lib/user_api.py",
        "superuser.py",
        "user/x.py",
        "u/s/e/r.txt",
    ]


def test_a_search_that_nobody_waits_for_ends(tmp_path: Path) -> None:
    make(tmp_path, "a/b")
    job = Job(str(tmp_path))
    job.cancel()

    with pytest.raises(Cancelled):
        find(FindRequest(), job)


def test_folders_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    make(tmp_path, "a/x", "b/x")

    class Removing(Job):
        """The folder goes away between the look at it and the look into it."""

        def check(self) -> None:
            if threading.current_thread() is threading.main_thread() and (tmp_path / "a/x").exists():
                (tmp_path / "a/x").unlink()
                (tmp_path / "a").rmdir()
                make(tmp_path, "a")

    assert "b/x" in [
        file.path.removeprefix(f"{tmp_path}/") for file in find(FindRequest(), Removing(str(tmp_path))).files
    ]
