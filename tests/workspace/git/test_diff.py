"""The hunks of one file, against git itself."""

import re
from pathlib import Path

import pytest

from supervisor.workspace.ops_error import OpsError
from tests.workspace.git.real_repository import RealRepository, conflict, kind

LARGE = 33 << 20


def test_hunks_are_those_of_git(repository: RealRepository) -> None:
    lines = [f"  line {number}\n" for number in range(1, 41)]
    lines[4] = "def function():\n"
    repository.write("f", "".join(lines))
    repository.commit()
    lines[0] = "first\n"
    lines[10:12] = []
    lines.insert(30, "new\n")
    repository.write("f", "".join(lines))

    for unified in (0, 1, 3, 1_000, 2**31 - 1):
        answer = repository.diff("f", unified=unified)
        told = repository.git("diff", f"-U{unified}", "HEAD").decode()
        printed = [
            f"@@ -{hunk.original_start_line},{hunk.original_lines} +{hunk.new_start_line},{hunk.new_lines} @@"
            + (f" {hunk.section}" if hunk.section else "")
            + f"\n{hunk.body}"
            for hunk in answer.hunks
        ]
        expected = re.sub(
            r"(?m)^(@@ -\d+)(?=[ ])|(?<= )(\+\d+)(?= @@)", r"\g<0>,1", told[told.index("@@ ") :]
        )
        assert "".join(printed) == expected
        everything = expected.splitlines()
        for hunk in answer.hunks:
            assert everything[hunk.start_position - 1].startswith("@@ ")
            assert everything[hunk.start_position] == hunk.body.splitlines()[0]
    assert any(hunk.section == "def function():" for hunk in repository.diff("f").hunks)


@pytest.mark.parametrize(
    ("before", "after", "body", "original_end"),
    [
        ("a\n", "a", "-a\n+a", 0),
        ("a", "a\n", "-a\n+a\n", 3),
        ("ü", "b", "-ü\n+b", 4),
        ("x\ny", "z\ny", "-x\n+z\n", 0),
    ],
)
def test_a_missing_newline_at_the_end(
    repository: RealRepository, before: str, after: str, body: str, original_end: int
) -> None:
    repository.write("f", before)
    repository.commit()
    repository.write("f", after)

    (hunk,) = repository.diff("f").hunks

    assert (hunk.body, hunk.original_no_newline_at) == (body, original_end)


def test_new_and_deleted_and_renamed_files(repository: RealRepository) -> None:
    content = "".join(f"line {line}\n" for line in range(20))
    repository.write("old", content)
    repository.write("gone", "x\ny\n")
    repository.commit()
    repository.git("mv", "old", "moved")
    repository.write("moved", content + "more\n")
    (repository.top / "gone").unlink()
    repository.write("untracked", "one\ntwo")
    repository.write("added", "one\n")
    repository.git("add", "added")

    moved, gone = repository.diff("moved"), repository.diff("gone")

    assert (kind(moved.file_change), moved.file_change.old_path) == ("RENAMED", "old")
    assert [hunk.body for hunk in moved.hunks] == ["+more\n"]
    assert (kind(gone.file_change), gone.hunks[0].body) == ("DELETED", "-x\n-y\n")
    assert kind(repository.diff("old").file_change) == "DELETED"
    assert repository.diff("untracked").hunks[0].body == "+one\n+two"
    assert kind(repository.diff("untracked").file_change) == "UNTRACKED"
    assert repository.diff("added").hunks[0].body == "+one\n"
    assert kind(repository.diff("added").file_change) == "ADDED"


def test_every_path_of_a_status_is_answered_with_its_change(repository: RealRepository) -> None:
    conflict(repository)
    repository.write("empty")
    (repository.top / "link").symlink_to("nowhere")

    for change in repository.status().changed_files:
        assert repository.diff(change.path).file_change == change
    assert repository.diff("link").hunks[0].body == "+nowhere"


def test_a_link_that_became_a_file_has_the_hunks_of_both(repository: RealRepository) -> None:
    (repository.top / "f").symlink_to("target")
    repository.commit()
    (repository.top / "f").unlink()
    repository.write("f", "one\ntwo\n")

    answer = repository.diff("f")

    assert kind(answer.file_change) == "MODIFIED"
    assert [hunk.body for hunk in answer.hunks] == ["-target\n", "+one\n+two\n"]
    assert [hunk.original_no_newline_at for hunk in answer.hunks] == [8, 0]
    assert [hunk.start_position for hunk in answer.hunks] == [1, 3]


def test_binary_files_have_no_hunks(repository: RealRepository) -> None:
    repository.write("changed", b"a\0b")
    repository.write("moved", b"\0" * 100 + b"a" * 100)
    repository.write("mode", b"\0")
    repository.write(".gitattributes", "named -diff\nforced diff\n")
    repository.write("named", "text\n")
    repository.write("forced", b"a\0b\n")
    repository.commit()
    repository.write("changed", b"a\0c")
    repository.git("mv", "moved", "there")
    (repository.top / "mode").chmod(0o755)
    repository.write("named", "other\n")
    repository.write("forced", b"a\0c\n")
    repository.write("new", b"\0")

    for path in ("changed", "there", "mode", "named", "new"):
        answer = repository.diff(path)
        assert (answer.is_binary, list(answer.hunks)) == (True, []), path
        assert answer.HasField("file_change")
    assert repository.diff("forced").hunks[0].body == "-a\0b\n+a\0c\n"


def test_a_mode_alone_changes_no_line(repository: RealRepository) -> None:
    repository.write("f", "one\n")
    repository.commit()
    (repository.top / "f").chmod(0o755)

    answer = repository.diff("f")

    assert kind(answer.file_change) == "MODIFIED"
    assert (list(answer.hunks), answer.is_binary) == ([], False)


@pytest.mark.slow
def test_over_32_mib_on_a_side_is_binary(repository: RealRepository) -> None:
    line = b"x" * 1023 + b"\n"
    repository.write(".gitattributes", "forced* diff\n")
    repository.write("forced shrinks", line * (LARGE >> 10))
    for name in ("grows", "forced grows", "limit"):
        repository.write(name, line)
    repository.commit()
    repository.write("forced shrinks", line)
    for name in ("grows", "forced grows"):
        repository.write(name, line * (LARGE >> 10))
    repository.write("limit", line * (32 << 10))

    for name in ("forced shrinks", "grows", "forced grows"):
        answer = repository.diff(name)
        assert (answer.is_binary, len(answer.hunks)) == (True, 0), name
    content = repository.content("forced shrinks")
    assert (content.is_binary, content.new_content) == (True, b"")
    assert repository.diff("limit").hunks[0].new_lines == (32 << 10) - 1


def test_bytes_that_are_not_utf8_are_replaced_in_bodies(repository: RealRepository) -> None:
    repository.write("f", b"\xe9")
    repository.commit()
    repository.write("f", b"\xff\xfe x\n")

    (hunk,) = repository.diff("f").hunks

    assert hunk.body == "-\ufffd\n+\ufffd\ufffd x\n"
    assert hunk.original_no_newline_at == len("-\ufffd\n".encode())


def test_settings_and_programs_of_the_user_do_not_show(
    repository: RealRepository, settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\ncat\n")
    trap.chmod(0o755)
    settings.write_text(
        settings.read_text()
        + f"[core]\n\tpager = {trap}\n\tfsmonitor = {trap}\n\thooksPath = {tmp_path}\n[color]\n\tui = always\n"
        + f"[diff]\n\texternal = {trap}\n\tnoprefix = true\n\tsuppressBlankEmpty = true\n\tinterHunkContext = 9\n"
        + f"\torderFile = {trap}\n\tsubmodule = log\n\trelative = true\n\tautoRefreshIndex = false\n\tcontext = 9\n"
        + f'[diff "odd"]\n\ttextconv = {trap}\n\tcommand = {trap}\n[log]\n\tshowSignature = true\n'
        + f"[gpg]\n\tprogram = {trap}\n[status]\n\tshowUntrackedFiles = no\n[pager]\n\tlog = {trap}\n"
    )
    for name, value in {
        "GIT_DIR": "/nowhere",
        "GIT_WORK_TREE": "/nowhere",
        "GIT_EXTERNAL_DIFF": str(trap),
        "GIT_DIFF_OPTS": "-u9",
        "GIT_ICASE_PATHSPECS": "1",
        "GIT_TRACE": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.bare",
        "GIT_CONFIG_VALUE_0": "true",
        "LANGUAGE": "de",
    }.items():
        monkeypatch.setenv(name, value)
    bare = RealRepository(repository.top)
    with pytest.MonkeyPatch.context() as without:
        for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_CONFIG_COUNT", "GIT_EXTERNAL_DIFF", "GIT_TRACE"):
            without.delenv(name)
        bare.write("f", "a\n\nb\nc\nd\n")
        bare.write(".gitattributes", "f diff=odd\n")
        bare.commit()
    bare.write("f", "A\n\nb\nc\nD\n")
    bare.write("untracked")
    (tmp_path / "sprung").unlink(missing_ok=True)

    assert repository.changes() == {"f": "MODIFIED", "untracked": "UNTRACKED"}
    assert [hunk.body for hunk in repository.diff("f", unified=1).hunks] == ["-a\n+A\n \n", " c\n-d\n+D\n"]
    assert repository.content("f").new_content == b"A\n\nb\nc\nD\n"
    assert repository.status().total_unpushed_commits == 1
    assert not (tmp_path / "sprung").exists()


def test_what_does_not_differ_has_an_empty_answer(repository: RealRepository) -> None:
    repository.write("d/same", "one\n")
    repository.write("d/edited", "one\n")
    repository.write(".gitignore", "ignored\n")
    repository.commit()
    repository.write("d/edited", "two\n")
    repository.write("ignored")
    (repository.top / "link").symlink_to("d")

    for path in (
        "d/same",
        "none",
        "d",
        "d/none/none",
        "ignored",
        "link/edited",
        ".git/config",
        "a" * 300,
        "d/edited/x",
    ):
        answer = repository.diff(path)
        assert answer.ByteSize() == 0, path
    assert kind(repository.diff("d//edited/").file_change) == "MODIFIED"
    assert kind(repository.diff("x/../d/./edited").file_change) == "MODIFIED"


@pytest.mark.parametrize("method", ["GetGitDiff", "GetFileDiffContent"])
@pytest.mark.parametrize("path", ["", "/etc/passwd", "..", "../x", "a/../../x", ".", "a\0b"])
def test_a_path_that_leads_out_is_refused(repository: RealRepository, method: str, path: str) -> None:
    with pytest.raises(OpsError) as raised:
        repository.call(method, path=path)

    assert raised.value.code == "invalid_argument"


@pytest.mark.parametrize("path", [":(top)x", ":/", ":!x", "--output=x", "*", "-x", "@"])
def test_paths_are_taken_literally(repository: RealRepository, path: str) -> None:
    repository.write("x", "one\n")
    repository.commit()
    repository.write("x", "two\n")

    assert repository.diff(path).ByteSize() == 0
    with pytest.raises(OpsError, match="neither") as raised:
        repository.content(path)
    assert raised.value.code == "not_found"
    assert {entry.name for entry in repository.top.iterdir()} == {".git", "x"}


def test_negative_context_is_refused(repository: RealRepository) -> None:
    with pytest.raises(OpsError) as raised:
        repository.diff("f", unified=-1)

    assert raised.value.code == "invalid_argument"


def test_a_workspace_below_the_top_sees_all_of_the_repository(repository: RealRepository) -> None:
    repository.write("f", "one\n")
    repository.write("below/g", "one\n")
    repository.commit()
    repository.write("f", "two\n")
    repository.write("below/g", "two\n")
    repository.workspace = repository.top / "below"

    assert repository.changes() == {"f": "MODIFIED", "below/g": "MODIFIED"}
    assert repository.diff("below/g").hunks[0].body == "-one\n+two\n"
    assert repository.diff("g").ByteSize() == 0


def test_sha256_repositories(tmp_path: Path) -> None:
    repository = RealRepository(tmp_path / "new")
    repository.top.mkdir()
    repository.git("init", "--quiet", "--object-format=sha256")
    repository.write("f", "one\n")
    assert repository.diff("f").hunks[0].body == "+one\n"
    repository.commit()
    repository.git("rm", "--quiet", "--cached", "f")
    repository.write("f", "two\n")

    assert repository.changes() == {"f": "MODIFIED"}
    assert repository.diff("f").hunks[0].body == "-one\n+two\n"
    assert len(repository.status().latest_commit) == 64
