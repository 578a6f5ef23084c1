"""What git ignores: random trees and files of patterns, with git itself as the judge."""

from __future__ import annotations

import os
import random
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from supervisor.workspace import ignore_rules
from supervisor.workspace.ignore_rules import IgnoreRules

NAMES = [b"a", b"b", b"foo", b"x.py", b"build", b".env", b"a b", b"\xc3\xa9", b"\xff", b"[z]", b"!n", b"#h"]
PATTERNS = [
    *("*", "*.py", "foo", "foo/", "/foo", "/*", "!*/", "!foo", "!/a", "a/b", "a/**", "**/b", "a/**/b", "**"),
    *(
        "b/*",
        "!b/",
        "\\!n",
        "\\#h",
        "[z]",
        "\\[z\\]",
        "[!a]",
        "?",
        "??",
        "build/",
        "!build/",
        "/build/",
        "a\\ b",
    ),
    *(
        "a b  ",
        "foo\\",
        "/",
        "//",
        "#c",
        "!",
        "!!",
        "/a/*",
        "!/a/b",
        "*/foo",
        "**/",
        "!**/",
        "f*o",
        "[a-f]oo",
    ),
    *(
        "é",
        "[é]",
        "/**/b",
        "a//b",
        "a/**/",
        "***",
        "**foo",
        "foo**",
        "*/*",
        "!x.py",
        ".*",
        "!.env",
        "\\a",
        "[[]z]",
    ),
    *(
        "[[:alpha:]]",
        "[[:punct:]a]",
        "[[:nope:]]",
        "[[:a]",
        "[]a]",
        "[!]a]",
        "[a-",
        "[a-]",
        "[-a]",
        "[\\]]",
        "[a\\-z]",
    ),
    *("[\\a-\\f]oo", "a\\ ", " ", "a\\\\ ", "[]]", "[", "a\\"),
]


def grow(folder: bytes, dice: random.Random, depth: int = 0) -> None:
    for name in NAMES:
        draw = dice.random()
        if draw < 0.25 and depth < 3:
            os.mkdir(folder + b"/" + name)
            grow(folder + b"/" + name, dice, depth + 1)
        elif draw < 0.55:
            Path(os.fsdecode(folder + b"/" + name)).touch()
    if depth == 0 or dice.random() < 0.4:
        lines = dice.choices(PATTERNS, k=dice.randrange(1, 6))
        text = dice.choice(["\n", "\r\n"]).join(lines) + dice.choice(["", "\n"])
        with open(folder + b"/.gitignore", "wb") as file:
            file.write(dice.choice([b"", b"\xef\xbb\xbf"]) + text.encode())


def left(rules: IgnoreRules) -> set[bytes]:
    """The files below a folder that are not ignored, by their absolute paths."""
    found = set()
    for entry in os.scandir(rules.folder):
        is_folder = entry.is_dir(follow_symlinks=False)
        if entry.name == b".git" or rules.ignores(entry.name, is_folder):
            continue
        if is_folder:
            found |= left(rules.below(entry.name))
        else:
            found.add(entry.path)
    return found


def git(folder: Path, *words: str) -> bytes:
    """What git prints; it reads no configuration of the machine's but for the environment's HOME."""
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True).stdout


def untracked(folder: Path) -> set[bytes]:
    names = git(folder, "ls-files", "-z", "--others", "--exclude-standard").split(b"\0")
    return {os.fsencode(folder) + b"/" + name for name in names if name}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path / "home"


@pytest.mark.parametrize("seed", range(30))
def test_rules_say_what_git_says(tmp_path: Path, seed: int) -> None:
    top = tmp_path / "top"
    git(tmp_path, "init", "-q", "top")
    grow(os.fsencode(top), random.Random(seed))

    assert left(ignore_rules.at(os.fsencode(top))) == untracked(top)


def test_rules_come_from_above_the_folder_from_the_repository_and_from_the_user(
    tmp_path: Path, home: Path
) -> None:
    top = tmp_path / "top"
    git(tmp_path, "init", "-q", "top")
    (top / "in/deep").mkdir(parents=True)
    for name in ("kept", "by-parent", "by-exclude", "by-user", "by-two", "anchored"):
        (top / "in/deep" / name).touch()
    (top / ".gitignore").write_text("by-parent\n/anchored\n!by-two\n")
    (top / "in/.gitignore").write_text("!by-user\nby-user\n")
    (top / ".git/info/exclude").write_text("by-exclude\nby-two\n")
    (home / ".config/git").mkdir(parents=True)
    (home / ".config/git/ignore").write_text("by-two\nanchored\n")

    found = left(ignore_rules.at(os.fsencode(top / "in/deep")))

    assert {os.path.basename(path) for path in found} == {b"kept", b"by-two"}
    assert found == {path for path in untracked(top) if b"/in/deep/" in path}


def test_rules_of_a_worktree_are_those_of_its_repository(tmp_path: Path) -> None:
    main, tree = tmp_path / "main", tmp_path / "tree"
    git(tmp_path, "init", "-q", "main")
    git(main, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "a")
    git(main, "worktree", "add", "-q", str(tree))
    (main / ".git/info/exclude").write_text("hidden\n")
    for name in ("hidden", "seen"):
        (tree / name).touch()

    assert left(ignore_rules.at(os.fsencode(tree))) == untracked(tree) == {os.fsencode(tree / "seen")}


def test_folder_in_no_repository_has_its_own_files_alone(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / ".gitignore").write_text("x\n")
    (tmp_path / "in/.gitignore").write_text("y\n")

    rules = ignore_rules.at(os.fsencode(tmp_path / "in"))

    assert [rules.ignores(name, False) for name in (b"x", b"y")] == [False, True]


@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "unreadable"])
def test_file_of_patterns_that_is_none_is_passed_over(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ".gitignore"
    match kind:
        case "link":
            (tmp_path / "other").write_text("*\n")
            path.symlink_to("other")
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case _:
            path.symlink_to("/proc/self/mem")

    assert not ignore_rules.at(os.fsencode(tmp_path)).ignores(b"x", False)


@pytest.mark.parametrize("named", [b"git", b"gi\0t"])
def test_git_folder_that_names_what_is_no_file_is_passed_over(tmp_path: Path, named: bytes) -> None:
    (tmp_path / "git").mkdir()
    os.mkfifo(tmp_path / "git/commondir")
    (tmp_path / ".git").write_bytes(b"gitdir: " + named)
    found: list[IgnoreRules] = []

    look = threading.Thread(target=lambda: found.append(ignore_rules.at(os.fsencode(tmp_path))), daemon=True)
    look.start()
    look.join(5)
    waits = look.is_alive()
    with suppress(OSError):  # ends one that waits; there should be none
        os.close(os.open(tmp_path / "git/commondir", os.O_WRONLY | os.O_NONBLOCK))
    look.join(5)

    assert not waits
    assert [rules.ignores(b"x", False) for rules in found] == [False]


def test_patterns_of_a_request_exclude_what_is_in_a_folder_too() -> None:
    patterns = ignore_rules.Patterns([b"node_modules/", b"*.log", b"!keep.log", b"/out"])
    excluded = [b"node_modules/a/b", b"x/node_modules/a", b"a.log", b"x/b.log", b"out", b"out/x/y"]
    others = [b"node_modules", b"keep.log", b"x/out", b"a.txt"]
    assert [path for path in excluded + others if patterns.exclude(path, is_folder=False)] == excluded
    assert patterns.exclude(b"node_modules", is_folder=True)
