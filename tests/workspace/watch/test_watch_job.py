"""Watch on real folders: what is told, what is not, and when."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

from platform_wire import environmentopts_pb2 as pb
from supervisor.workspace.jobs import Job
from supervisor.workspace.ops_error import OpsError
from supervisor.workspace.watch import shared_watch, unsent_changes
from supervisor.workspace.watch.unsent_changes import MOST_UNSENT
from supervisor.workspace.watch.watch_job import watch
from tests.workspace.watch.watching import FILES, GIT, Watching, git


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for a second waits for less."""
    monkeypatch.setattr(unsent_changes, "GIT_PAUSE_S", 0.0)
    for pause in ("PLACE_S", "GONE_S", "KEPT_S"):
        monkeypatch.setattr(shared_watch, pause, 0.05)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace in no repository; the user has no patterns."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


@pytest.fixture
def repository(place: Path) -> Path:
    """A workspace that is a repository with a commit."""
    git(place, "init", "-q", "-b", "main")
    (place / "tracked").write_text("1\n")
    git(place, "add", "-A")
    git(place, "commit", "-q", "-m", "first")
    return place


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    assert shared_watch._shared == {}
    assert "watch" not in {thread.name for thread in threading.enumerate()}


def test_file_is_created_updated_and_deleted(place: Path) -> None:
    with Watching(place) as watching:
        (place / "a").write_text("1")
        assert watching.all() == ["+a"]
        (place / "a").write_text("2")
        os.chmod(place / "a", 0o600)
        assert watching.all() == ["*a"]
        os.rename(place / "a", place / "b")
        assert watching.all() == ["-a", "+b"]
        (place / "b").unlink()
        (place / "short").touch()
        (place / "short").unlink()
        assert watching.all() == ["-b"]


def test_change_is_told_within_a_second_and_not_at_once(place: Path) -> None:
    with Watching(place) as watching:
        begun_s = time.monotonic()
        (place / "a").touch()
        watching.until(lambda: watching.events, "the event")
        assert 0.1 <= watching.came[0][0] - begun_s < 1.0


def test_file_that_is_saved_by_a_rename_is_updated(place: Path) -> None:
    (place / "a").touch()
    with Watching(place) as watching:
        (place / ".a.swp").write_text("new")
        os.rename(place / ".a.swp", place / "a")
        assert watching.all() == ["*a"]
        (place / "a").unlink()
        (place / "a").touch()
        assert watching.all() == ["*a"]


def test_what_is_only_read_or_opened_is_no_change(place: Path) -> None:
    (place / "a").write_text("1")
    os.utime(place / "a", (1, 1))
    with Watching(place) as watching:
        watching.all()
        (place / "a").read_text()
        os.listdir(place)
        with open(place / "a", "r+"):
            pass
        # It is as new as the test, so it may be taken for written; an older one is not.
        assert watching.all() in ([], ["*a"])


def test_folder_that_appears_brings_what_is_in_it(place: Path, tmp_path: Path) -> None:
    (tmp_path / "aside/in/deep").mkdir(parents=True)
    (tmp_path / "aside/in/deep/file").touch()
    with Watching(place) as watching:
        os.rename(tmp_path / "aside", place / "new")
        assert watching.all() == ["+new/", "+new/in/", "+new/in/deep/", "+new/in/deep/file"]
        (place / "new/in/deep/later").touch()
        assert watching.all() == ["+new/in/deep/later"]
        os.rename(place / "new", place / "other")
        assert sorted(watching.all()) == sorted(
            f"{sign}{path}"
            for sign, top in (("-", "new"), ("+", "other"))
            for path in (
                f"{top}/",
                f"{top}/in/",
                f"{top}/in/deep/",
                f"{top}/in/deep/file",
                f"{top}/in/deep/later",
            )
        )
        (place / "other/in/deep/file").write_text("x")
        assert watching.all() == ["*other/in/deep/file"]
        shutil.rmtree(place / "other")
        assert {event[0] for event in watching.all()} == {"-"}
        os.makedirs(place / "a/b/c")
        (place / "a/b/c/d").touch()
        assert sorted(watching.all()) == ["+a/", "+a/b/", "+a/b/c/", "+a/b/c/d"]


def test_name_that_is_not_utf8_is_shown_as_everywhere(place: Path) -> None:
    with Watching(place) as watching:
        (place / os.fsdecode(b"a\xff\n")).touch()
        assert watching.all() == ["+a\uefff\n"]


def test_entry_that_becomes_another_kind_is_updated(place: Path) -> None:
    (place / "a").mkdir()
    (place / "a/in").touch()
    with Watching(place) as watching:
        shutil.rmtree(place / "a")
        (place / "a").touch()
        assert sorted(watching.all()) == ["*a", "-a/in"]
        (place / "a").unlink()
        (place / "a").mkdir()
        (place / "a/in").touch()
        assert sorted(watching.all()) == ["*a/", "+a/in"]


@pytest.mark.parametrize("seed", range(4))
def test_client_that_believes_what_it_is_told_knows_what_is_there(
    place: Path, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    (tmp_path / "outside").mkdir()
    with Watching(place) as watching:
        known: dict[str, bool] = {}
        for _ in range(5):
            for _ in range(40):
                change_something(dice, place, tmp_path / "outside")
            for event in watching.all():
                path = event[1:].rstrip("/")
                known.pop(path, None)
                if event[0] != "-":
                    known[path] = event.endswith("/")
            assert known == there(place)


def change_something(dice: random.Random, place: Path, outside: Path) -> None:
    """One change of the files below a folder; what cannot be done is not."""
    one, other = (place / "/".join(dice.choices("abc", k=dice.randrange(1, 4))) for _ in range(2))
    with suppress(OSError):
        match dice.randrange(8):
            case 0 | 1:
                one.mkdir(parents=dice.random() < 0.5)
            case 2 | 3:
                one.write_text("x")
            case 4:
                os.rename(one, other)
            case 5:
                shutil.rmtree(one) if one.is_dir() else one.unlink()
            case 6:
                os.rename(one, outside / str(dice.random()))
            case _:
                os.rename(dice.choice(sorted(outside.iterdir())), one) if any(outside.iterdir()) else None


def there(place: Path) -> dict[str, bool]:
    """`{path: whether it is a folder}`"""
    return {str(path.relative_to(place)): path.is_dir() for path in place.rglob("*")}


def test_links_are_told_and_not_followed(place: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (place / "there").symlink_to(tmp_path / "other")
    with Watching(place) as watching:
        (tmp_path / "other/file").touch()
        (place / "there/file2").touch()
        (place / "more").symlink_to(tmp_path / "other")
        (place / "more/file3").touch()
        assert watching.all() == ["+more"]


def test_workspace_may_be_reached_by_a_link(place: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(place)
    with Watching(tmp_path / "link") as watching:
        (place / "a").touch()
        assert watching.all() == ["+a"]


def test_wanted_kinds_and_excluded_files(repository: Path) -> None:
    (repository / "out").mkdir()
    with (
        Watching(repository, [FILES], ["*.log", "!keep.log", "/out/", "\uef80x"]) as files,
        Watching(repository, [GIT]) as status,
        Watching(repository, [99, 0], ["*"]) as unknown,  # type: ignore[list-item]  # of a newer client
        Watching(repository, [FILES, 99]) as known,  # type: ignore[list-item]
    ):
        (repository / "a.log").touch()
        (repository / "keep.log").touch()
        (repository / "out/file").touch()
        (repository / "sub/out").mkdir(parents=True)
        (repository / os.fsdecode(b"\x80x")).touch()
        assert sorted(files.all()) == ["+keep.log", "+sub/", "+sub/out/"]
        status.until(lambda: status.git_changes, "the change of the status")
        assert status.events == []
        assert files.git_changes == known.git_changes == 0
        assert len(known.all()) == 6
        assert unknown.came == []


def test_ignored_files_are_not_told_and_their_folders_not_watched(repository: Path) -> None:
    (repository / ".gitignore").write_text("build/\n*.o\n/deep/*/\n!/deep/kept/\n")
    for folder in ("build/a/b", "deep/x", "deep/kept", "src"):
        (repository / folder).mkdir(parents=True)
    with Watching(repository) as watching:
        for name in ("build/a/b/f", "a.o", "src/b.o", "deep/x/f", "deep/kept/f", "src/f"):
            (repository / name).touch()
        (repository / "src/build/c").mkdir(parents=True)
        (repository / "src/build/c/f").touch()
        assert sorted(watching.all()) == ["+deep/kept/f", "+src/f"]
        folders = {b"", b"deep/", b"deep/kept/", b"src/"}
        (shared,) = shared_watch._shared.values()
        assert {folder.path for folder in shared._watcher._tree._by_watch.values()} == folders


def wait_for_the_clock(path: Path) -> None:
    """Until a file that is changed now has a later time than this one."""
    probe = path.parent.parent / ".clock"
    while True:
        probe.touch()
        if probe.stat().st_ctime > path.stat().st_ctime:
            return


def test_edit_of_the_patterns_counts_at_once(repository: Path) -> None:
    (repository / "out").mkdir()
    (repository / "out/old").touch()
    wait_for_the_clock(repository / "out/old")
    with Watching(repository) as watching:
        (repository / ".gitignore").write_text("*.tmp\nout\n")
        (repository / "a.tmp").touch()
        (repository / "out/new").touch()
        assert watching.all() == ["+.gitignore"]
        (repository / ".gitignore").write_text("*.tmp\n")
        (repository / "out/newer").touch()
        (repository / "b.tmp").touch()
        assert sorted(watching.all()) == ["*.gitignore", "+out/", "+out/newer"]
        (repository / "out/old").write_text("x")
        assert watching.all() == ["*out/old"], "it was there, so it was not created"
        (repository / ".gitignore").unlink()
        (repository / "c.tmp").touch()
        assert watching.all() == ["-.gitignore", "+c.tmp"]
        (repository / ".git/info/exclude").write_text("d.*\n")
        (repository / "d.tmp").touch()
        (repository / "out/.gitignore").write_text("*\n!.gitignore\n")
        (repository / "out/f").touch()
        assert watching.all() == ["+out/.gitignore"]


def test_new_file_is_created_also_where_patterns_change_meanwhile(repository: Path) -> None:
    with Watching(repository) as watching:
        for number in range(20):
            (repository / f"new{number}").touch()
            (repository / ".gitignore").write_text(f"x{number}\n")
            os.mkdir(repository / f"folder{number}")
            (repository / f"folder{number}/in").touch()
        found = watching.all()
        expected = [f"+new{n}" for n in range(20)] + [f"+folder{n}/" for n in range(20)]
        expected += [f"+folder{n}/in" for n in range(20)]
        assert sorted(found) == sorted(["+.gitignore", *expected])


def test_patterns_above_the_workspace_count(repository: Path) -> None:
    (repository / "a/b").mkdir(parents=True)
    (repository / ".gitignore").write_text("*.o\n")
    with Watching(repository / "a/b") as watching:
        (repository / "a/b/x.o").touch()
        (repository / "a/.gitignore").write_text("*.p\n")
        watching.all()
        (repository / "a/b/x.p").touch()
        (repository / "a/b/x").touch()
        assert watching.all() == ["+x"]


@pytest.mark.usefixtures("hurried")
def test_tracked_files_are_never_ignored(repository: Path) -> None:
    (repository / "build/in").mkdir(parents=True)
    for name in ("build/in/kept", "build/other", "kept.o"):
        (repository / name).touch()
    git(repository, "add", "build/in/kept", "kept.o")
    with Watching(repository) as watching:
        (repository / ".gitignore").write_text("build\n*.o\n")
        (repository / "build/in/kept").write_text("2")
        (repository / "kept.o").write_text("2")
        (repository / "build/other").write_text("2")
        (repository / "build/in/new").write_text("2")
        assert sorted(watching.all()) == ["*build/in/kept", "*kept.o", "+.gitignore"]
        git(repository, "add", "-f", "build/other")
        (shared,) = shared_watch._shared.values()
        watching.until(lambda: b"build/other" in shared._watcher._tree.kept.files, "that it is tracked")
        (repository / "build/other").write_text("3")
        assert watching.all() == ["*build/other"]


@pytest.mark.usefixtures("hurried")
def test_git_status_changes_with_commits_refs_and_files(repository: Path) -> None:
    with Watching(repository, [GIT]) as watching:

        def told(what: str) -> None:
            watching.until(lambda: watching.git_changes, what)
            watching.came.clear()

        (repository / "new").touch()
        told("a new file")
        git(repository, "add", "new")
        told("a new index")
        git(repository, "commit", "-q", "-m", "second")
        told("a commit")
        git(repository, "update-ref", "refs/remotes/origin/deep/main", "HEAD")
        told("a ref in new folders")
        git(repository, "update-ref", "-d", "refs/remotes/origin/deep/main")
        told("a ref less")
        git(repository, "checkout", "-q", "--detach")
        told("another HEAD")


def test_git_status_is_told_at_most_once_a_second(repository: Path) -> None:
    with Watching(repository, [GIT]) as watching:
        begun_s = time.monotonic()
        number = 0
        while watching.git_changes < 2:
            number += 1
            (repository / "new").write_text(str(number))
            assert time.monotonic() - begun_s < 20
        times_s = [at_s for at_s, message in watching.came if message.HasField("git_status_changed")]
        assert all(later - sooner > 0.98 for sooner, later in pairwise(times_s))


@pytest.mark.usefixtures("hurried")
def test_repository_that_comes_and_goes_is_found(place: Path) -> None:
    (place / "a").touch()
    with Watching(place) as watching:
        (place / "a").write_text("1")
        assert watching.all() == ["*a"]
        assert watching.git_changes == 0
        git(place, "init", "-q")
        watching.until(lambda: watching.git_changes, "a repository")
        assert watching.all() == []
        shutil.rmtree(place / ".git")
        watching.until(lambda: watching.git_changes, "no repository")
        assert watching.all() == [], "what is in .git is never told of"


@pytest.mark.usefixtures("hurried")
def test_refs_of_a_worktree_are_those_of_its_repository(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "-q", str(tmp_path / "tree"))
    with Watching(tmp_path / "tree", [GIT]) as watching:
        git(repository, "branch", "other")
        watching.until(lambda: watching.git_changes, "a new branch")
        watching.came.clear()
        (tmp_path / "tree/f").touch()
        git(tmp_path / "tree", "add", "f")
        watching.until(lambda: watching.git_changes, "a new index")


def test_several_share_one_set_of_watches(place: Path) -> None:
    (place / "a").mkdir()

    def instances() -> int:
        links = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_open(fd)]
        return links.count("anon_inode:inotify")

    before = instances()
    with Watching(place) as first, Watching(place) as second:
        assert instances() == before + 1
        (place / "a/b").touch()
        assert first.all() == ["+a/b"]
        assert second.all() == ["+a/b"]
    assert instances() == before


def _is_open(fd: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{fd}")


def test_reader_that_stops_holds_nobody_up_and_gets_an_overflow(place: Path) -> None:
    with Watching(place) as stopped, Watching(place) as other:
        stopped.reads.clear()
        (place / "a").touch()
        stopped.until(lambda: stopped.events, "the first event")  # it reads no more
        for batch in range(6):
            (place / str(batch)).mkdir()
            for number in range(MOST_UNSENT // 5):
                os.link(place / "a", place / f"{batch}/{number}")
            other.all()
        stopped.reads.set()
        stopped.until(lambda: stopped.overflows, "an overflow")
        stopped.came.clear()
        (place / "later").touch()
        assert stopped.all() == ["+later"]
        assert other.overflows == []


def test_very_many_changes_are_an_overflow_and_then_it_is_as_before(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    (tmp_path / "many/7").touch()
    for number in range(MOST_UNSENT):
        os.link(tmp_path / "many/7", tmp_path / f"many/link{number}")
    with Watching(repository) as watching:
        os.rename(tmp_path / "many", repository / "many")
        watching.until(lambda: watching.overflows, "an overflow")
        watching.all()
        (repository / "later").touch()
        (repository / "many/7").write_text("x")
        assert sorted(watching.all()) == ["*many/7", "+later"]


@pytest.mark.usefixtures("hurried")
def test_workspace_folder_that_is_made_again_is_an_overflow(place: Path, tmp_path: Path) -> None:
    (place / "a").mkdir()
    with Watching(place) as watching:
        os.rename(place, tmp_path / "aside")
        (tmp_path / "aside/a/b").touch()
        os.mkdir(place)
        watching.until(lambda: watching.overflows, "an overflow")
        watching.came.clear()
        (place / "c").touch()
        (tmp_path / "aside/a/d").touch()
        assert watching.all() == ["+c"]


@pytest.mark.usefixtures("hurried")
def test_workspace_folder_that_is_not_there_yet_is_watched_when_it_comes(place: Path) -> None:
    place.rmdir()
    with Watching(place) as watching:
        place.mkdir()
        watching.until(lambda: watching.overflows, "an overflow")
        watching.came.clear()
        (place / "a").touch()
        assert watching.all() == ["+a"]


@pytest.mark.slow
@pytest.mark.parametrize("limit", [3, 12], ids=["from the beginning", "when folders come"])
def test_machine_with_few_watches_is_looked_at(repository: Path, limit: int) -> None:
    (repository / "a/b").mkdir(parents=True)
    (repository / "out").mkdir()
    (repository / ".gitignore").write_text("out\n")
    (repository / "kept").touch()
    git(repository, "add", "kept")
    program: list[str | Path] = [
        sys.executable,
        Path(__file__).with_name("few_watches.py"),
        repository,
        str(limit),
    ]
    done = subprocess.run(["unshare", "-Ur", *program], capture_output=True, text=True, check=False)
    if "unshare" in done.stderr:
        pytest.skip(f"there is no user namespace here: {done.stderr}")
    assert done.returncode == 0, done.stderr

    found = json.loads(done.stdout)

    for (reason,) in (found["overflows"], found["second"]):
        assert "too few inotify watches" in reason
    assert found["created"] == ["*kept", "+a/b/file", "+link"]
    assert found["renamed"] == ["*kept", "+a/c/", "+a/c/file", "-a/b/", "-a/b/file"]
    assert found["instances"] == [], "others may need them"


def test_pattern_with_a_nul_is_refused(place: Path) -> None:
    with pytest.raises(OpsError, match="NUL"):
        next(watch(pb.WatchRequest(file_exclude_patterns=["a\0"]), Job(str(place))))


def test_tree_that_is_deeper_than_python_calls_is_watched(place: Path, tmp_path: Path) -> None:
    subprocess.run(["mkdir", "-p", "/".join("d" * 1100)], cwd=tmp_path, check=True)
    with Watching(place) as watching:
        os.rename(tmp_path / "d", place / "d")
        assert len(watching.all()) == 1100
        subprocess.run(["rm", "-r", "d"], cwd=place, check=True)
        assert len(watching.all()) == 1100
