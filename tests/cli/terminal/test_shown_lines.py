"""The lines that people see of a log."""

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.cli.terminal.shown_lines import MOST_CHARACTERS, ShownLines
from tests.cli.terminal.test_escapes import ANYTHING, OBEYED, PASSES


def lines(*pieces: str | bytes, colours: bool = True) -> list[str]:
    it = ShownLines(colours)
    fed = [it.feed(piece.encode() if isinstance(piece, str) else piece) for piece in pieces]
    return [*itertools.chain(*fed), *it.end()]


@pytest.mark.parametrize(
    ("printed", "line"),
    [
        ("plain é𝄞\ttext", "plain é𝄞\ttext"),
        ("dos\r", "dos"),
        ("10%\r50%\r100%\r", "100%"),
        ("10%\r\x1b[K", ""),
        ("10%\x1b[2K\x1b[1G20%", "20%"),
        ("a\x1b]0;title\x07b\x1b[5Cc\x1b(Bd", "abcd"),
        ("\x1b]0;never closed", ""),
        ("wait |\b/\b-\b", "wait -"),
        ("password: \b\b  \b\b", "password  "),
        ("abc\b\b\b\b\b\b", "abc"),
        ("\a\v\f\0x\x9b31my\u202ez", "xyz"),
        (b"\xffhalf \xc3", "\ufffdhalf \ufffd"),
        (b"\xc2\0\xa0", "\ufffd\ufffd"),
    ],
)
def test_line_is_what_a_terminal_shows_in_the_end(printed: str | bytes, line: str) -> None:
    data = printed.encode() if isinstance(printed, str) else printed
    assert lines(data + b"\nnext\n", colours=False) == [line, "next"]
    assert lines(data, colours=False) == ([line] if line else [])


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("a\x1b[31mred\nstill\x1b[m plain\n", ["a\x1b[31mred\x1b[0m", "\x1b[31mstill\x1b[m plain\x1b[0m"]),
        ("\x1b[31m10%\r20%\x1b[0m\r30%\n", ["30%"]),
        ("10%\r\x1b[32m20%\n", ["\x1b[32m20%\x1b[0m"]),
        ("\x1b[32m50%\x1b[0m\b\b\b\x1b[33m60%\n", ["\x1b[32m\x1b[0m\x1b[33m60%\x1b[0m"]),
        ("ab\b\x1b[32mc\x1b[0m\n", ["a\x1b[0m\x1b[32mc\x1b[0m"]),
    ],
)
def test_colours_end_with_a_line_and_go_on_in_the_next(printed: str, shown: list[str]) -> None:
    assert lines(printed) == shown


def test_what_is_not_complete_is_known_as_far_as_it_has_come() -> None:
    it = ShownLines(colours=True)
    assert (it.feed(b"one\nContinue? [y/\xc3"), it.unfinished) == (["one"], "Continue? [y/")
    assert (it.feed(b"\xa9] \x1b[3"), it.unfinished) == ([], "Continue? [y/é] ")
    assert (it.feed(b"2m"), it.unfinished) == ([], "Continue? [y/é] \x1b[32m\x1b[0m")
    assert (it.feed(b"\r"), it.unfinished) == ([], "Continue? [y/é] \x1b[32m\x1b[0m")
    assert (it.feed(b"\x1b[K"), it.unfinished) == ([], "")
    assert (it.feed(b"\x1b[0myes\n"), it.unfinished) == (["\x1b[32m\x1b[0myes\x1b[0m"], "")
    assert it.end() == []


def test_line_without_an_end_comes_in_pieces() -> None:
    it = ShownLines(colours=True)
    pieces = it.feed(b"\x1b[31m" + b"x" * 20_000)
    assert [len(piece) for piece in pieces] == [MOST_CHARACTERS + len("\x1b[0m")] * 2
    assert all(piece.startswith("\x1b[31mx") and piece.endswith("x\x1b[0m") for piece in pieces)
    for _ in range(100):
        it.feed(b"\x1b[1m" * 10_000)
    assert len(it.unfinished) <= MOST_CHARACTERS + 4


@given(data=ANYTHING, cuts=st.lists(st.integers(0, 80), max_size=6), colours=st.booleans())
def test_any_split_gives_the_same_lines_and_no_terminal_obeys_them(
    data: bytes, cuts: list[int], colours: bool
) -> None:
    places = sorted({0, *(min(cut, len(data)) for cut in cuts), len(data)})
    shown = lines(*[data[at:after] for at, after in itertools.pairwise(places)], colours=colours)

    assert shown == lines(data, colours=colours) == lines(*[bytes([byte]) for byte in data], colours=colours)
    assert OBEYED.findall(PASSES.sub(b"", "".join(shown).encode()).decode()) == []
    assert "\x1b[K" not in "".join(shown)


HARD = (
    b"a line of a log\n",
    b"\b",
    b"x\b",
    b"\x1b[1mx\b",
    b"\x1b[mx\b\b",
    b"\r\x1b[K12%",
    b"\x1b[1m",
    b"\x1b]",
    b"\x9b",
    b"\n",
)


@pytest.mark.parametrize("piece", HARD)
def test_no_output_takes_long(piece: bytes) -> None:
    """Of what is read of a log at once, 16 KiB; here after a line full of colours. It is 1 to 40 ms."""
    it = ShownLines(colours=True)
    it.feed(b"\x1b[1mx" * (MOST_CHARACTERS // 5 - 10))
    data = piece * (16_384 // len(piece))
    began = time.process_time()
    for _ in range(10):
        it.feed(data)
    assert (time.process_time() - began) / 10 < 0.2
