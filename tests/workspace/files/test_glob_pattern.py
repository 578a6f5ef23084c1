import fnmatch
import re
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.workspace.files.glob_pattern import GlobPattern
from supervisor.workspace.ops_error import OpsError


def matches(pattern: str, path: str) -> bool:
    above, slash, name = path.rpartition("/")
    return list(GlobPattern(pattern).matching([name], above + slash)) == [0]


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("", "a/b", True),
        ("*", "a/.hidden", True),
        ("*.py", "src/a.py", True),
        ("*.py", "src/a.PY", False),
        ("a?c", "äöc", False),
        ("?", "ö", True),
        ("a?c", "a/c", False),
        ("[ab]x", "bx", True),
        ("[!ab]x", "bx", False),
        ("[^ab]x", "cx", True),
        ("[a-c]x", "bx", True),
        ("[]a]", "]", True),
        ("[a-]", "-", True),
        ("[[]", "[", True),
        ("{a,b}.txt", "b.txt", True),
        ("{a,b{1,2}}.txt", "b2.txt", True),
        ("{,x}a", "a", True),
        ("a}", "a}", True),
        (r"\*", "*", True),
        (r"\*", "a", False),
        (r"\{a,b\}", "{a,b}", True),
        ("*{a,ab}c", "xabc", True),
        ("a**b", "axxb", True),
        ("a*b*c", "abbc", True),
        ("src/*.py", "src/a.py", True),
        ("src/*.py", "src/b/a.py", False),
        ("src/*.py", "x/src/a.py", False),
        ("/a", "a", True),
        ("/a", "b/a", False),
        ("./a", "a", True),
        ("**/a", "a", True),
        ("**/a", "x/y/a", True),
        ("a/**", "a/b/c", True),
        ("a/**", "a", False),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b/*.c", "a/b/b/b/x.c", True),
        ("**/a/**/b/**/c", "a/b/a/x/b/y/c", True),
        ("**/test_*/**/*.py", "x/test_a/y/z.py", True),
        ("{a,b/c}", "x/a", True),
        ("{a,b/c}", "b/c", True),
        ("{a,b/c}", "x/b/c", False),
        ("a/", "a", True),
        ("**/*.{py,pyi}", "p/q.pyi", True),
        ("**", "a/b", True),
        ("a[/]b", "a/b", False),
        ("n\new", "n\new", True),
        ("\uefff*", "\uefffx", True),
    ],
)
def test_a_pattern_matches(pattern: str, path: str, expected: bool) -> None:
    assert matches(pattern, path) is expected


@pytest.mark.parametrize("pattern", ["[a", "{a", "{a,{b}", "a\\", "[z-a]", "{1,2}" * 11])
def test_a_broken_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(OpsError) as refused:
        GlobPattern(pattern)
    assert refused.value.code == "invalid_argument"


@pytest.mark.parametrize(
    "pattern",
    [
        "x" * 4097,
        "{" + "," * 999 + "}" + "y" * 3_000,
        "{" + "," * 2_000 + "}" + "y" * 2_000,
        "{" + "," * 20_000 + "}" + "y" * 20_000,
    ],
)
def test_a_pattern_that_is_too_large_is_refused_before_it_is_opened(pattern: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(OpsError) as refused:
            GlobPattern(pattern)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert refused.value.code == "invalid_argument"


@given(st.text("ab*?", max_size=8), st.text("ab", min_size=1, max_size=8))
@settings(max_examples=150)
def test_a_name_matches_as_the_standard_library_says(pattern: str, name: str) -> None:
    expected = re.fullmatch(fnmatch.translate(pattern or "*"), name) is not None

    assert matches(pattern, name) is expected


@given(
    st.lists(st.sampled_from(["**", "a", "b", "*", "a*"]), min_size=2, max_size=5).map("/".join),
    st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=6),
)
@settings(max_examples=150)
def test_a_path_matches_as_a_search_through_all_ways_says(pattern: str, parts: list[str]) -> None:
    def fits(wanted: list[str], left: list[str]) -> bool:
        if not wanted:
            return not left
        if wanted[0] == "**":
            least = 1 if len(wanted) == 1 else 0  # at the end it is what lies below
            return any(fits(wanted[1:], left[skipped:]) for skipped in range(least, len(left) + 1))
        return bool(left) and fnmatch.fnmatchcase(left[0], wanted[0]) and fits(wanted[1:], left[1:])

    assert matches(pattern, "/".join(parts)) is fits(pattern.split("/"), parts)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 30 + "b", "a" * 250),
        ("**/a/" * 20 + "b", "a/" * 200 + "c"),
        ("{a,b}*" * 7 + "c", "ab" * 120),
    ],
)
def test_no_pattern_takes_for_ever(pattern: str, path: str) -> None:
    began = time.monotonic()
    assert not matches(pattern, path)
    assert time.monotonic() - began < 5
