"""Patches in, hunks out; the fields are those of sourcegraph/go-diff."""

import re

import pytest

from supervisor.workspace.git.unified_diff import (
    FilePatch,
    Hunk,
    file_patches,
    new_side,
    start_positions,
)

NOT_ORIGINAL = re.compile(rb"^(?:\+.*(?:\n|\Z)|[ -])", re.MULTILINE)
HEAD = b"diff --git a/f b/f\nindex 1..2 100644\n--- a/f\n+++ b/f\n"


def original_side(hunk: Hunk) -> bytes:
    """The lines of the original that a hunk shows."""
    lines = NOT_ORIGINAL.sub(b"", hunk.body)
    return lines[:-1] if hunk.original_no_newline_at else lines


def only(patch: bytes) -> FilePatch:
    (found,) = file_patches(patch)
    return found


def test_a_hunk_has_the_numbers_of_its_header_and_its_lines_without_it() -> None:
    (hunk,) = only(HEAD + b"@@ -4,2 +5,3 @@ def f():  \n a\n-b\n+c\n+\n").hunks

    assert hunk == Hunk(4, 2, 5, 3, b"def f():", b" a\n-b\n+c\n+\n", 0)
    assert original_side(hunk) == b"a\nb\n"
    assert new_side(hunk) == b"a\nc\n\n"


def test_a_missing_count_is_one() -> None:
    first, second = only(HEAD + b"@@ -1 +1 @@\n-a\n+b\n@@ -9,0 +10 @@ s\n+c\n").hunks

    assert (first.original_lines, first.new_lines) == (1, 1)
    assert (second.original_start, second.original_lines, second.new_start, second.new_lines) == (9, 0, 10, 1)
    assert list(start_positions([first, second])) == [1, 4]


@pytest.mark.parametrize(
    ("lines", "body", "original_end", "original", "new"),
    [
        (b"-a\n\\ No newline at end of file\n+a\n", b"-a\n+a\n", 3, b"a", b"a\n"),
        (b"-a\n+a\n\\ No newline at end of file\n", b"-a\n+a", 0, b"a\n", b"a"),
        (b"-a\n\\ No newline\n+b\n\\ No newline\n", b"-a\n+b", 3, b"a", b"b"),
        (b"+x\n a\n\\ No newline at end of file\n", b"+x\n a", 0, b"a", b"x\na"),
        (b" x\n-a\n\\ No newline\n+a\n+b\n", b" x\n-a\n+a\n+b\n", 6, b"x\na", b"x\na\nb\n"),
    ],
)
def test_marks_of_a_missing_newline_are_no_lines(
    lines: bytes, body: bytes, original_end: int, original: bytes, new: bytes
) -> None:
    (hunk,) = only(HEAD + b"@@ -1 +1 @@\n" + lines).hunks

    assert (hunk.body, hunk.original_no_newline_at) == (body, original_end)
    assert (original_side(hunk), new_side(hunk)) == (original, new)


def test_lines_of_a_file_are_never_taken_for_headers() -> None:
    lines = b"-@@ -1 +1 @@\n-diff --git a/f b/f\n+\\ No newline\n+Binary files a and b differ\n"

    found = only(HEAD + b"@@ -1,2 +1,2 @@\n" + lines)

    assert [hunk.body for hunk in found.hunks] == [lines]
    assert not found.is_binary


def test_carriage_returns_and_other_line_ends_stay() -> None:
    (hunk,) = only(HEAD + b"@@ -1 +1,2 @@\n-a\r\n+a\x0bb\rc\r\n+\x85\x0c\n").hunks

    assert hunk.body == b"-a\r\n+a\x0bb\rc\r\n+\x85\x0c\n"
    assert new_side(hunk) == b"a\x0bb\rc\r\n\x85\x0c\n"


def test_files_of_a_patch_are_told_apart() -> None:
    binary = b"diff --git a/b b/b\nindex 1..2 100644\nBinary files a/b and b/b differ\n"
    mode = b"diff --git a/m b/m\nold mode 100644\nnew mode 100755\n"

    found = file_patches(binary + HEAD + b"@@ -1 +0,0 @@\n-a\n" + mode)

    assert [(len(file.hunks), file.is_binary) for file in found] == [(0, True), (1, False), (0, False)]
    assert file_patches(b"") == []


@pytest.mark.parametrize("patch", [b"warning: x\n", HEAD + b"@@ what @@\n", b"@@ -1 +1 @@\n"])
def test_what_is_no_patch_is_refused(patch: bytes) -> None:
    with pytest.raises(ValueError, match="expected"):
        file_patches(patch)
