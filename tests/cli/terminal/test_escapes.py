"""What of a log reaches a terminal: text and colours, and nothing that steers it."""

import itertools
import os
import pty
import re
import time
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from supervisor.cli.terminal.escapes import (
    _KIND_OF,
    _MOST,
    _NEXT,
    MOST_PARAMETERS,
    MOST_STRING,
    Act,
    FilterState,
    Kind,
    TerminalFilter,
    colours_wanted,
)

PASSES = re.compile(rb"\x1b\[[0-9:;]*m|\x1b\[K")
OBEYED = re.compile("[\x00-\x07\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

PIECES = (
    [bytes([code]) for code in range(0x20)]
    + [b"\x7f", b"\x80", b"\x85", b"\x90", b"\x9b", b"\x9c", b"\x9d", b"\xa0", b"\xc2", b"\xe2", b"\xf0", b"\xff"]
    + ["\x84".encode(), "\x9b".encode(), "\x9c".encode(), "\x9d".encode(), "é".encode(), "€".encode(), b"\xe2\x80\xae"]
    + [b"\x1b[", b"\x1b]", b"\x1bP", b"\x1b\\", b"\x1b(", b"[", b"]", b"?", b">", b" ", b"!", b";", b":", b"0", b"31"]
    + [b"m", b"K", b"G", b"H", b"J", b"h", b"c", b"n", b"k", b"text", b"\x1b[31m", b"\x1b[0m", b"\x1b[2K"]
)  # fmt: skip
ANYTHING = st.one_of(
    st.binary(max_size=60),
    st.lists(st.sampled_from(PIECES), max_size=25).map(b"".join),
    st.text().map(str.encode),
)
_REORDER = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\b\t\n\r", exclude_characters=_REORDER)
)


def shown(data: bytes, colours: bool = True) -> bytes:
    it = TerminalFilter(colours)
    return it.feed(data) + it.end()


@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b]52;c;cm0gLXJmIH4K\x07",  # the clipboard
        "\x1b]52;c;?\x1b\\",  # what is in the clipboard
        "\x1b]0;title\x07",
        "\x1b]2;title\x1b\\",
        "\x1bktitle of screen's\x1b\\",
        "\x1b]8;;http://evil/\x07",
        "\x1b]8;id=1;\x1b\\",
        "\x1b]10;?\x07",  # the colour of text, answered as input
        "\x1b]4;1;red\x07",
        "\x1b]133;A\x07",
        "\x1b]1337;File=inline=1:AAAA\x07",
        "\x1b]9;4;1;50\x07",
        "\x1b]777;notify;a;b\x07",
        "\x1bPq#0;2;0;0;0~~@@vv\x1b\\",  # an image
        "\x1bP$qm\x1b\\",  # DECRQSS
        "\x1bP+q544e\x1b\\",  # XTGETTCAP
        "\x1bPtmux;\x1b\x1b]52;c;AAAA\x07\x1b\\",
        "\x1b_Gf=100;AAAA\x1b\\",
        "\x1b^private\x1b\\",
        "\x1bXstring\x1b\\",
        "\x1b[c",
        "\x1b[>c",
        "\x1b[=c",
        "\x1bZ",
        "\x1b[5n",
        "\x1b[6n",
        "\x1b[?6n",
        "\x1b[?1$p",
        "\x1b[>q",
        "\x1b[x",
        "\x1b[18t",
        "\x1b[21t",  # reports the title
        "\x05",  # ENQ
        "\x1b[?1049h",  # the alternate screen
        "\x1b[?1049l",
        "\x1b[?2004h",  # bracketed paste
        "\x1b[?1000;1006h",  # the mouse
        "\x1b[?25l",
        "\x1b[4h",
        "\x1b[>4;2m",  # looks like a colour: what keys send
        "\x1b[?4m",
        "\x1b[=1;1u",
        "\x1b[1 m",
        "\x1b[61\"p",
        "\x1b[!p",
        "\x1b=",
        "\x1b>",
        "\x1bc",
        "\x1b#8",
        "\x1b[H",
        "\x1b[1;1f",
        "\x1b[A",
        "\x1b[3B",
        "\x1b[3C",
        "\x1b[3D",
        "\x1b[E",
        "\x1b[F",
        "\x1b[40G",
        "\x1b[5d",
        "\x1b[s",
        "\x1b[u",
        "\x1b7",
        "\x1b8",
        "\x1bD",
        "\x1bM",
        "\x1bE",
        "\x1b[2J",
        "\x1b[3J",
        "\x1b[J",
        "\x1b[1K",
        "\x1b[L",
        "\x1b[M",
        "\x1b[P",
        "\x1b[S",
        "\x1b[2;5r",
        "\x1b[5i",  # prints on a printer
        "\x1b(0",
        "\x1b)B",
        "\x1b%G",
        "\x1bn",
        "\x0e",
        "\x0f",
        "\x07",
        "\x00",
        "\x0b",
        "\x0c",
        "\x7f",
        "\u202e",
        "\u2066",
        "\x9b2J",
        "\x9d0;title\x07",
        "\x9d0;title\x9c",
        "\x90q~~\x9c",
        "\x84",
        "\x85",
        "\x8d",
        "\x9a",
    ],
)  # fmt: skip
def test_what_steers_a_terminal_is_left_out(sequence: str) -> None:
    for colours in (True, False):
        assert shown(f"a{sequence}b é\n".encode(), colours) == "ab é\n".encode()


def test_bytes_that_are_controls_in_other_encodings_alone_are_left_out_alone() -> None:
    assert shown(b"a\x9b2Jb\x9d0;c\x85d \xe9\xff\n") == b"a2Jb0;cd \xe9\xff\n"


def test_colours_pass_and_end_with_the_log() -> None:
    for colour in ("31", "1;4", "38;2;1;2;3", "38:5:9", "97;41"):
        assert shown(f"a\x1b[{colour}mb".encode()) == f"a\x1b[{colour}mb\x1b[0m".encode()
        assert shown(f"a\x1b[{colour}mb".encode(), colours=False) == b"ab"
        assert shown(f"a\x9b{colour}mb\x1b[m".encode()) == f"a\x1b[{colour}mb\x1b[m".encode()


def test_progress_bars_stay_in_their_line() -> None:
    assert shown(b"10%\r\x1b[K20%\r\x1b[0K30%\n") == b"10%\r\x1b[K20%\r\x1b[K30%\n"
    assert shown(b"10%\x1b[2K\x1b[1G20%\x1b[G\x1b[1A|\b/\n") == b"10%\r\x1b[K\r20%\r|\b/\n"
    assert shown(b"10%\x1b[2K\x1b[1G20%\r\x1b[K30%\n", colours=False) == b"10%\r\r20%\r30%\n"


@pytest.mark.parametrize(
    "begin",
    [
        "\x1b]0;t",
        "\x1bP1$",
        "\x1b_x",
        "\x1b^x",
        "\x1bXx",
        "\x1bkx",
        "\x9d0;",
        "\x1b[?1",
        "\x1b[1",
        "\x1b(",
        "\x1b",
    ],
)
def test_sequence_without_an_end_ends_with_its_line(begin: str) -> None:
    for end in ("\n", "\r"):
        assert shown(f"a{begin}{end}b\n".encode()) == f"a{end}b\n".encode()
    assert shown(f"a{begin}".encode()) == b"a"
    assert shown(f"a{begin}".encode() + b"\x1b[31mb\x1b[m") == b"a\x1b[31mb\x1b[m"


def test_sequence_without_an_end_and_without_lines_ends_at_its_limit() -> None:
    assert shown(b"\x1b]0;" + b"x" * MOST_STRING).strip(b"x") == b""
    assert shown(b"\x1b]0;" + b"x" * MOST_STRING + b"rest") == b"xxrest"
    assert shown(b"\x1b[" + b"1" * (MOST_PARAMETERS + 3) + b"m") == b"111m"
    assert shown(b"\x1b[?" + b"1" * (MOST_PARAMETERS + 3) + b"h") == b"111h"
    assert shown(b"\x1b(" + b" " * (MOST_PARAMETERS + 3) + b"B") == b"   B"


def test_memory_is_bounded() -> None:
    it = TerminalFilter(colours=True)
    tracemalloc.start()
    try:
        for begin in (b"\x1b]0;", b"\x1b[", b"\x1b[?", b"\x1b(", b"\xf0\x9d\x84"):
            it.feed(begin)
            for _ in range(50):
                it.feed(b"1" * 20_000)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 20_000


def test_table_has_every_cell() -> None:
    assert _NEXT.keys() == {(state, kind) for state in FilterState for kind in Kind}


BEGUN = {"ESCAPE": "\x1b", "INTERMEDIATE": "\x1b(", "CSI": "\x1b[1", "IGNORED": "\x1b[?", "STRING": "\x1b]0"}
COLOURED = "\x1b[2mX\x1b[0m"
CELLS = {
    # A character: what is shown of it and of "2mX" after it, in each state of BEGUN.
    "\t": ("\t2mX", "\t2mX", "\t2mX", "\t2mX", "\t2mX"),
    "\x01": ("2mX", "2mX", "2mX", "2mX", "2mX"),
    "\x1b": ("mX", "mX", "mX", "mX", "mX"),
    "\x9b": (COLOURED, COLOURED, COLOURED, COLOURED, COLOURED),
    "\x9d": ("", "", "", "", ""),
    "#": ("mX", "mX", "X", "X", ""),
    "7": ("2mX", "2mX", "\x1b[172mX\x1b[0m", "X", ""),
    "?": ("2mX", "2mX", "X", "X", ""),
    "[": (COLOURED, "2mX", "2mX", "2mX", ""),
    "]": ("", "2mX", "2mX", "2mX", ""),
    "c": ("2mX", "2mX", "2mX", "2mX", ""),
    "é": ("é2mX", "é2mX", "é2mX", "é2mX", ""),
}


@pytest.mark.parametrize("character", CELLS)
@pytest.mark.parametrize("state", BEGUN)
def test_each_cell_of_the_table(state: str, character: str) -> None:
    expected = CELLS[character][list(BEGUN).index(state)]

    data = f"a{BEGUN[state]}{character}2mX".encode()
    it = TerminalFilter(colours=True)

    assert shown(data) == f"a{expected}".encode()
    assert b"".join([it.feed(bytes([byte])) for byte in data]) + it.end() == f"a{expected}".encode()


def by_the_table(data: bytes) -> bytes:
    """What passes, character by character; of sequences: none."""
    state, stayed, passing = FilterState.GROUND, 0, ""
    for character in data.decode("utf-8", "surrogateescape"):
        if state is not FilterState.GROUND and stayed >= _MOST.get(state, 1):
            state = FilterState.GROUND
        act, after = _NEXT[state, _KIND_OF.get(character, Kind.TEXT)]
        stayed = 0 if after is not state or act is Act.OPEN else stayed + 1
        state = after
        passing += character if act is Act.PASS else ""
    return passing.encode("utf-8", "surrogateescape")


@given(data=ANYTHING)
@example(data=b"".join(PIECES))
@example(data=b"".join(b"\x1b]0;" + piece + b"text\n" for piece in PIECES))
def test_what_is_done_with_many_characters_at_once_is_what_the_table_says(data: bytes) -> None:
    data = data.replace(b"G", b"H").replace(b"K", b"J")  # no sequence then means a character

    assert PASSES.sub(b"", shown(data)) == by_the_table(data)


@given(data=ANYTHING, cuts=st.lists(st.integers(0, 80), max_size=6), colours=st.booleans())
@example(data="€\x1b]0;é\x07\x1b[31mx".encode(), cuts=list(range(20)), colours=True)
@example(data=b"\x1b[" + b"1" * (MOST_PARAMETERS - 1) + b"mx", cuts=[], colours=True)
@example(data=b"\x1b[" + b"1" * MOST_PARAMETERS + b"mx", cuts=[], colours=True)
def test_any_split_shows_the_same(data: bytes, cuts: list[int], colours: bool) -> None:
    it = TerminalFilter(colours)
    places = sorted({0, *(min(cut, len(data)) for cut in cuts), len(data)})
    pieces = [data[at:after] for at, after in itertools.pairwise(places)]

    assert b"".join([it.feed(piece) for piece in pieces]) + it.end() == shown(data, colours)
    assert b"".join([it.feed(bytes([byte])) for byte in data]) + it.end() == shown(data, colours)


@given(data=ANYTHING, colours=st.booleans())
def test_no_terminal_obeys_more_than_colours(data: bytes, colours: bool) -> None:
    rest = PASSES.sub(b"", shown(data, colours)) if colours else shown(data, colours)

    assert OBEYED.findall(rest.decode("utf-8", "ignore")) == []
    assert OBEYED.findall(rest.decode("utf-8", "surrogateescape").encode("ascii", "ignore").decode()) == []
    assert b"\x1b" not in rest
    assert len(shown(data, colours)) <= len(data) + len(b"\x1b[0m") + data.count(b"K")


@given(data=ANYTHING, colours=st.booleans())
def test_what_was_filtered_passes_as_it_is(data: bytes, colours: bool) -> None:
    assert shown(shown(data, colours), colours) == shown(data, colours)


@given(text=TEXT, colours=st.booleans())
def test_text_is_unchanged(text: str, colours: bool) -> None:
    assert shown(text.encode(), colours) == text.encode()


@pytest.mark.parametrize(
    "line", ["2026-11-30 22:00:00 INFO a line of a log\n", "zwölf Boxkämpfer jagen Viktor\n"]
)
def test_text_is_fast(line: str) -> None:
    """A loop over characters would take 2 to 5 MB/s, this takes 200 and more on a quiet machine."""
    data = line.encode() * 20_000
    it = TerminalFilter(colours=True)
    began = time.process_time()
    for _ in range(5):
        it.feed(data)
    assert 5 * len(data) / (time.process_time() - began) > 20e6


def test_colours_are_wanted_on_a_terminal_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    leader, follower = pty.openpty()
    monkeypatch.delenv("NO_COLOR", raising=False)
    with open(follower, "w") as terminal, open(os.devnull, "w") as file:
        assert (colours_wanted(terminal), colours_wanted(file)) == (True, False)
        monkeypatch.setenv("NO_COLOR", "1")
        assert not colours_wanted(terminal)
    os.close(leader)
