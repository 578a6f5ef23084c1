"""Which files changed: one entry a path, for the base against the working tree."""

import os
from pathlib import Path

import pytest

from supervisor.workspace.ops_error import OpsError
from tests.workspace.git.real_repository import RealRepository, conflict


def test_each_kind_of_change(repository: RealRepository) -> None:
    for name in ("edited", "staged", "gone", "removed", "mode", "same"):
        repository.write(name, f"{name}\n")
    repository.commit()
    repository.write("edited", "edited, and more\n")
    repository.write("staged", "staged, and more\n")
    repository.git("add", "staged")
    (repository.top / "gone").unlink()
    repository.git("rm", "--quiet", "removed")
    (repository.top / "mode").chmod(0o755)
    repository.write("added")
    repository.git("add", "added")
    repository.write("new/one")
    repository.write("new/two")
    repository.write(".gitignore", "*.log\n")
    repository.write("x.log")

    assert repository.changes() == {
        ".gitignore": "UNTRACKED",
        "added": "ADDED",
        "edited": "MODIFIED",
        "gone": "DELETED",
        "mode": "MODIFIED",
        "new/one": "UNTRACKED",
        "new/two": "UNTRACKED",
        "removed": "DELETED",
        "staged": "MODIFIED",
    }
    assert list(repository.changes()) == sorted(repository.changes())


def test_nothing_changed(repository: RealRepository) -> None:
    repository.write("f", "one\n")
    repository.commit()
    os.utime(repository.top / "f", (1, 1))  # another time alone is no change

    assert repository.changes() == {}


def test_before_the_first_commit_everything_is_new(repository: RealRepository) -> None:
    repository.write("staged")
    repository.git("add", "staged")
    repository.write("untracked")

    assert repository.changes() == {"staged": "ADDED", "untracked": "UNTRACKED"}


def test_a_change_that_was_staged_and_taken_back_is_none(repository: RealRepository) -> None:
    repository.write("f", "one\n")
    repository.commit()
    repository.write("f", "two\n")
    repository.git("add", "f")
    repository.write("f", "one\n")
    repository.write("new")
    repository.git("add", "new")
    (repository.top / "new").unlink()

    assert b"MM f\nAD new" in repository.git("status", "--short")
    assert repository.changes() == {}
    assert not repository.diff("f").hunks
    assert not repository.diff("new").HasField("file_change")


def test_a_file_that_left_the_index_alone_is_compared_with_the_working_tree(
    repository: RealRepository,
) -> None:
    for name in ("same", "edited", "mode", "replaced", "ignored"):
        repository.write(name, f"{name}\n")
    repository.commit()
    repository.git("rm", "--quiet", "--cached", "-r", ".")
    repository.write("edited", "another\n")
    (repository.top / "mode").chmod(0o755)
    (repository.top / "replaced").unlink()
    (repository.top / "replaced").symlink_to("same")
    (repository.top / ".git/info/exclude").write_text("ignored\n")

    assert repository.git("status", "--short").count(b"edited") == 2
    assert repository.changes() == {
        "edited": "MODIFIED",
        "ignored": "DELETED",
        "mode": "MODIFIED",
        "replaced": "MODIFIED",
    }
    assert [hunk.body for hunk in repository.diff("edited").hunks] == ["-edited\n+another\n"]
    assert [hunk.body for hunk in repository.diff("replaced").hunks] == ["-replaced\n", "+same"]
    assert not repository.diff("same").HasField("file_change")


def test_many_files_that_left_the_index_alone(repository: RealRepository) -> None:
    for number in range(150):
        repository.write(f"{number}/f", f"{number}\n")
    repository.write("kept", "x\n")
    repository.commit()
    repository.git("rm", "--quiet", "--cached", "-r", *map(str, range(150)))
    repository.write("7/f", "another\n")
    (repository.top / "8/f").unlink()

    assert repository.changes() == {"7/f": "MODIFIED", "8/f": "DELETED"}


def test_renames_are_found_staged_and_not(repository: RealRepository) -> None:
    for name in ("one", "two", "three", "four"):
        repository.write(name, "".join(f"{name} {line}\n" for line in range(20)))
    repository.commit()
    repository.git("mv", "one", "one moved")
    (repository.top / "two").rename(repository.top / "two moved")
    repository.git("add", "two moved")
    repository.git("mv", "three", "three moved")
    repository.write("three moved", (repository.top / "three moved").read_text() + "more\n")
    (repository.top / "four").rename(repository.top / "four moved")

    assert repository.changes() == {
        "four": "DELETED",
        "four moved": "UNTRACKED",
        "one moved": "RENAMED one",
        "three moved": "RENAMED three",
        "two moved": "RENAMED two",
    }


def test_a_renamed_file_whose_old_name_is_back_is_new(repository: RealRepository) -> None:
    repository.write("old", "".join(f"line {line}\n" for line in range(20)))
    repository.commit()
    repository.git("mv", "old", "moved")
    repository.write("old", "something else\n")

    assert repository.changes() == {"moved": "ADDED", "old": "MODIFIED"}
    assert repository.diff("moved").file_change.change_type == 1
    assert repository.diff("old").hunks[0].body.endswith("-line 19\n+something else\n")


def test_copies_are_not_looked_for_whatever_the_settings(repository: RealRepository, settings: Path) -> None:
    settings.write_text(settings.read_text() + "[diff]\n\trenames = copies\n[status]\n\trenames = false\n")
    content = "".join(f"line {line}\n" for line in range(20))
    repository.write("f", content)
    repository.write("g", content[1:])
    repository.commit()
    repository.write("f", content + "more\n")
    repository.write("copy", content)
    repository.git("mv", "g", "moved")
    repository.git("add", "copy")

    assert repository.changes() == {"copy": "ADDED", "f": "MODIFIED", "moved": "RENAMED g"}


def test_unmerged_files(repository: RealRepository) -> None:
    conflict(repository)

    assert repository.changes() == {
        "both": "UPDATED_BUT_UNMERGED",
        "gone here": "UPDATED_BUT_UNMERGED",
        "gone there": "UPDATED_BUT_UNMERGED",
        "new": "UPDATED_BUT_UNMERGED",
    }
    (hunk,) = repository.diff("both", unified=3).hunks
    assert "+<<<<<<< HEAD\n" in hunk.body
    assert ">>>>>>> other\n" in hunk.body
    (repository.top / "both").unlink()
    assert repository.changes()["both"] == "UPDATED_BUT_UNMERGED"
    assert repository.diff("both").hunks[0].body == "-here\n"


def test_a_submodule_is_one_entry(repository: RealRepository, tmp_path: Path) -> None:
    library = RealRepository(tmp_path / "library")
    library.top.mkdir()
    library.git("init", "--quiet")
    library.write("f", "one\n")
    library.commit()
    repository.git("submodule", "--quiet", "add", str(library.top), "library")
    repository.commit()
    inside = RealRepository(repository.top / "library")

    inside.write("untracked")
    assert repository.changes() == {}
    inside.write("f", "two\n")
    assert repository.changes() == {"library": "MODIFIED"}
    (hunk,) = repository.diff("library").hunks
    old = inside.git("rev-parse", "HEAD").decode().strip()
    assert hunk.body == f"-Subproject commit {old}\n+Subproject commit {old}-dirty\n"
    new = inside.commit()
    assert repository.changes() == {"library": "MODIFIED"}
    (hunk,) = repository.diff("library").hunks
    assert hunk.body == f"-Subproject commit {old}\n+Subproject commit {new}\n"
    content = repository.content("library")
    assert content.original_content.decode() == f"Subproject commit {old}\n"
    assert content.new_content.decode() == f"Subproject commit {new}\n"
    assert not repository.diff("library/f").HasField("file_change")
    with pytest.raises(OpsError, match="neither"):
        repository.content("library/f")


def test_a_repository_in_the_repository_is_one_untracked_entry(repository: RealRepository) -> None:
    repository.commit()
    inside = RealRepository(repository.top / "inside")
    inside.top.mkdir()
    inside.git("init", "--quiet")
    inside.write("f")

    assert repository.changes() == {"inside": "UNTRACKED"}
    assert repository.diff("inside").file_change.path == "inside"
    assert not repository.diff("inside").hunks
    commit = inside.commit()
    assert repository.diff("inside").hunks[0].body == f"+Subproject commit {commit}\n"
    assert not repository.diff("inside/f").HasField("file_change")


def test_what_only_looks_like_a_repository_is_a_folder(repository: RealRepository) -> None:
    repository.write("tracked/f", "one\n")
    repository.commit()
    for folder in ("tracked", "untracked"):
        repository.write(f"{folder}/f", "two\n")
        repository.write(f"{folder}/.git", "nonsense")

    assert repository.changes() == {"tracked/f": "MODIFIED", "untracked/f": "UNTRACKED"}
    for path in repository.changes():
        assert repository.diff(path).hunks[0].body.endswith("+two\n")
        assert repository.content(path).new_content == b"two\n"


def test_at_most_10000_files_are_listed_and_all_are_counted(repository: RealRepository) -> None:
    files = "".join(f"M 644 inline {number:05}\ndata 0\n" for number in range(10_001))
    stream = f"commit refs/heads/main\ncommitter D <d@x> 1 +0000\ndata 1\nx\n{files}"
    repository.git("fast-import", "--quiet", stdin=stream.encode())

    answer = repository.call("GetGitDiffFiles")

    assert len(answer.changed_files) == 10_000
    assert answer.total_changed_files == 10_001


def test_a_fifo_in_place_of_a_file_is_a_change_without_lines(repository: RealRepository) -> None:
    repository.write("f", "one\n")
    repository.commit()
    (repository.top / "f").unlink()
    os.mkfifo(repository.top / "f")
    os.mkfifo(repository.top / "g")

    assert repository.changes() == {"f": "MODIFIED"}
    assert not repository.diff("f").hunks
    assert repository.content("f").original_content == b"one\n"
    assert repository.content("f").new_content == b""


def test_against_a_ref_committed_and_other_changes_are_told(repository: RealRepository) -> None:
    repository.write("ours", "one\n")
    repository.write("theirs", "one\n")
    repository.write("edited", "one\n")
    start = repository.commit()
    repository.git("switch", "--quiet", "--create", "theirs")
    repository.write("theirs", "two\n")
    repository.commit()
    repository.git("switch", "--quiet", "--create", "ours", start)
    repository.write("ours", "two\n")
    repository.commit()
    repository.write("edited", "two\n")
    repository.write("untracked")

    assert repository.changes("theirs") == {
        "edited": "MODIFIED",
        "ours": "MODIFIED",
        "untracked": "UNTRACKED",
    }
    assert repository.diff("ours", base_ref="theirs").hunks[0].body == "-one\n+two\n"
    assert not repository.diff("theirs", base_ref="theirs").HasField("file_change")
    assert repository.content("ours", base_ref=start[:8]).original_content == b"one\n"
    assert repository.changes() == {"edited": "MODIFIED", "untracked": "UNTRACKED"}


def test_paths_that_are_not_utf8_or_hold_odd_characters(repository: RealRepository) -> None:
    names = [
        b"a\xffb",
        b"a\nb",
        b'"quoted"',
        b"tab\t",
        b"-x",
        b":(top)x",
        b"*",
        b"\xef\xbe\xbf",
        b"\xff/\xfe",
    ]
    for name in names:
        repository.write(name, "one\n")
    repository.commit()
    for name in names:
        repository.write(name, "two\n")

    assert repository.changes() == {
        name.decode(errors="surrogateescape").translate(
            {0xDC00 + b: 0xEF00 + b for b in range(256)}
        ): "MODIFIED"
        for name in names
    }
    for shown in repository.changes():
        assert [hunk.body for hunk in repository.diff(shown).hunks] == ["-one\n+two\n"]
        assert repository.diff(shown).file_change.path == shown
        assert repository.content(shown).new_content == b"two\n"
    for name in names:
        (repository.top / os.fsdecode(name)).unlink()
    for shown in repository.changes():
        assert [hunk.body for hunk in repository.diff(shown).hunks] == ["-one\n"]


def test_a_path_that_the_wire_has_no_room_for_counts_and_is_not_listed(repository: RealRepository) -> None:
    repository.write("a" * 255)
    repository.write("b" * 200 + "/" + "c" * 55)
    repository.write("ü" * 127 + "/" + "ü" * 127)  # 255 characters, and twice as many bytes

    status, files = repository.status(), repository.call("GetGitDiffFiles")

    assert (len(status.changed_files), status.total_changed_files) == (2, 3)
    assert list(files.changed_files) == list(status.changed_files)
    assert files.total_changed_files == 3
    answer = repository.diff("b" * 200 + "/" + "c" * 55)
    assert not answer.HasField("file_change")


def test_at_most_101_of_many_changes_are_in_a_status(repository: RealRepository) -> None:
    for number in range(150):
        repository.write(f"{number:03}", "x\n")

    status = repository.status()

    assert [change.path for change in status.changed_files] == [f"{number:03}" for number in range(101)]
    assert status.total_changed_files == 150
    assert len(repository.call("GetGitDiffFiles").changed_files) == 150
