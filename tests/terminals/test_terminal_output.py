from __future__ import annotations

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
