from __future__ import annotations

import time
import tracemalloc

import pytest

from supervisor.terminals.emulated_screen import EmulatedScreen
from supervisor.terminals.repaint import replay
from supervisor.terminals.terminal_output import KEPT_BYTES, TerminalOutput


def screen_after(data: bytes, cols: int = 80, rows: int = 24) -> bytes:
    screen = EmulatedScreen(cols, rows)
    screen.feed(data)
    return replay(screen)


def test_terminal_output_history_is_all_of_it_while_it_is_short() -> None:
    output = TerminalOutput(80, 24)
    output.feed(b"one\r\n\x1b[")
    output.feed(b"31mtwo")
    assert output.history() == b"one\r\n\x1b[31mtwo"


def test_terminal_output_replay_and_what_follows_show_the_same_screen() -> None:
    first, second = b"one\r\n\x1b[3", b"1mtwo\x1b[m"
    output = TerminalOutput(40, 10)
    output.feed(first)
    shown = output.replay()
    assert (output.cols, output.rows) == (40, 10)
    assert screen_after(shown + second, 40, 10) == screen_after(first + second, 40, 10)


@pytest.mark.slow
def test_terminal_output_history_begins_with_the_screen_that_dropped_output_left() -> None:
    output = TerminalOutput(80, 24)
    start = b"\x1b]2;a title\x07\x1b[?1049h\x1b[?2004h\x1b[5;20r\x1b[24;1Hlast line\x1b[5;1H"
    line = b"\x1b[32mgreen\x1b[m and a line of text, which goes on for a while\r\n"
    data = start + line * (3 * KEPT_BYTES // len(line)) + b"\xe2\x94"
    for at in range(0, len(data), 10_007):
        output.feed(data[at : at + 10_007])
    history = output.history()
    assert KEPT_BYTES <= len(history) < 1.5 * KEPT_BYTES
    end = b"\x80 that was all"
    assert screen_after(history + end) == screen_after(data + end)
    assert screen_after(output.replay() + end) == screen_after(data + end)


def test_terminal_output_history_holds_no_query_and_the_last_wish_for_focus_reports() -> None:
    output = TerminalOutput(80, 24)
    output.feed(b"a\x1b[cb\x1b[6nc\x1b]11;?\x07d\x1b[?1004h\x1b[?1004l\x1b[?1004;1006he")
    assert output.history() == b"abcd\x1b[?1004l\x1b[?1004;1006he"
    output.feed(b"\x1b[?1004l")
    assert output.history() == b"abcd\x1b[?1004l\x1b[?1006he\x1b[?1004l"


def test_terminal_output_of_a_terminal_that_prints_nothing_takes_little_memory() -> None:
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        terminals = [TerminalOutput(80, 24) for _ in range(100)]
        for output in terminals:
            output.feed(b"\x1b[?2004h$ ")
            output.replay()
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert taken / len(terminals) < 100_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        b"the quick brown fox jumps over the lazy dog, number 12345\r\n",
        b"\x1b[32mgreen\x1b[0m and \x1b[1;31mred\x1b[0m words in a line\r\n",
        b"no line ever ends here ",
        b"\x1b[2;20r\x1b[20;1Hwithin a region\r\n",
    ],
)
def test_terminal_output_is_read_quickly(piece: bytes) -> None:
    output = TerminalOutput(80, 24)
    data = piece * (4_000_000 // len(piece))
    began_at = time.process_time()
    for at in range(0, len(data), 16384):
        output.feed(data[at : at + 16384])
    output.replay()
    # 10 to 80 MB a second on the machine that this was written on; a bug would make it a hundred times slower.
    assert len(data) / (time.process_time() - began_at) > 1_000_000


def test_screen_skips_lines_that_have_scrolled_away_but_for_their_colours() -> None:
    screen = EmulatedScreen(80, 24)
    text = "\x1b[31mred\r\n" * 1000
    assert screen._skip(text) > len(text) / 2
    assert screen.pen.foreground == "31"
    screen.feed(b"\x1b[3;10r")
    screen.settle()
    assert screen._skip(text) == 0
    assert EmulatedScreen(80, 24)._skip("\x1b[5;5H" + text) == 0
