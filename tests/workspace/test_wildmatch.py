"""git's patterns, one by one; `test_ignore_rules` holds whole trees to git itself."""

from __future__ import annotations

import re
import time

import pytest

from supervisor.workspace.wildmatch import ignore_pattern, translated


@pytest.mark.parametrize(
    ("pattern", "matched", "others"),
    [
        ("*.py", ["a.py", ".py"], ["a.pyc", "a/b.py", "a.py/"]),
        ("f?o", ["foo", "f-o"], ["fo", "f/o"]),
        ("[a-c]x", ["ax", "cx"], ["dx", "-x"]),
        ("[!a-c]x", ["dx"], ["ax", "/x", "x"]),
        ("[]-]", ["]", "-"], ["[", "a"]),
        ("[[:digit:]z]", ["7", "z"], ["a", ":", "d"]),
        (r"[\]a]", ["]", "a"], ["\\"]),
        (r"\*", ["*"], ["a"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["ab", "a/xb"]),
        ("**/b", ["b", "x/b", "x/y/b"], ["xb"]),
        ("a/**", ["a/b", "a/b/c"], ["a"]),
        ("a**", ["a", "ab"], ["a/b"]),
        ("a.b", ["a.b"], ["axb"]),
        ("é?", ["éa"], ["é"]),
        ("a\nb", ["a\nb"], ["a"]),
    ],
)
def test_pattern_matches_as_a_whole(pattern: str, matched: list[str], others: list[str]) -> None:
    regex = translated(pattern.encode())
    assert regex is not None
    for text in matched + others:
        assert bool(re.fullmatch(regex, text.encode(), re.DOTALL)) is (text in matched), text


@pytest.mark.parametrize(
    ("pattern", "path"), [(b"*a" * 5 + b"b", b"a" * 120), (b"**/a/" * 5 + b"b", b"a/" * 120 + b"a")]
)
def test_work_grows_with_the_path_alone(pattern: bytes, path: bytes) -> None:
    regex = translated(pattern)
    assert regex is not None
    before_s = time.thread_time()
    assert not re.fullmatch(regex, path, re.DOTALL)
    assert time.thread_time() - before_s < 0.5


@pytest.mark.parametrize("pattern", ["[a", "[", "[]", "a\\", "[[:nope:]]", "[a-", "[\\"])
def test_pattern_that_can_match_nothing(pattern: str) -> None:
    assert translated(pattern.encode()) is None
    assert ignore_pattern(pattern.encode()) is None


@pytest.mark.parametrize("line", ["", " ", "#x", "/", "!", "!/", "\r"])
def test_line_that_says_nothing(line: str) -> None:
    assert ignore_pattern(line.encode()) is None


@pytest.mark.parametrize(
    ("line", "by_path", "folders_only", "ignores", "matches"),
    [
        ("a", False, False, True, "a"),
        ("a/", False, True, True, "a"),
        ("/a", True, False, True, "a"),
        ("!b/a", True, False, False, "b/a"),
        ("\\!a", False, False, True, "!a"),
        ("!\\#a/ ", False, True, False, "#a"),
        ("a\\  ", False, False, True, "a "),
        ("a \r", False, False, True, "a"),
    ],
)
def test_line_of_a_file(line: str, by_path: bool, folders_only: bool, ignores: bool, matches: str) -> None:
    found = ignore_pattern(line.encode())
    assert found is not None
    assert (found.by_path, found.folders_only, found.ignores) == (by_path, folders_only, ignores)
    assert re.fullmatch(found.regex, matches.encode())


@pytest.mark.parametrize("byte", [bytes([value]) for value in range(1, 256) if value != ord("/")])
def test_every_byte_stands_for_itself_behind_a_backslash(byte: bytes) -> None:
    for pattern in (b"\\" + byte, b"[\\" + byte + b"]"):
        regex = translated(pattern)
        assert regex is not None
        assert [value for value in range(256) if re.fullmatch(regex, bytes([value]), re.DOTALL)] == [byte[0]]
