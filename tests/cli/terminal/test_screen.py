"""Unfinished lines on a terminal of a few rows, and in a file."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import termios
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.cli.terminal.screen import (
    MOST_ROWS,
    AppendedLines,
    LiveRows,
    OutputLine,
    cells,
    fitted,
    screen_for,
)
from supervisor.cli.terminal.visible import Terminal as Stream
from tests.cli.terminal.terminal_model import Terminal

NAMES = ("a", "web", "long-name")


class Shown:
    """Live rows on a terminal of which a model knows what it shows."""

    def __init__(self, columns: int = 40, lines: int = 10) -> None:
        self.leader, follower = pty.openpty()
        self._file = open(follower, "w", encoding="utf-8")  # noqa: SIM115
        out = Stream(self._file)
        self.terminal = Terminal(columns, lines)
        self.resize(columns)
        self.rows = LiveRows(out)

    def resize(self, columns: int) -> None:
        self.terminal.resize(columns)
        size = struct.pack("HHHH", self.terminal.lines, columns, 0, 0)
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, size)

    def close(self) -> None:
        self._file.close()
        os.close(self.leader)

    def line(self, text: str) -> None:
        self.feed(self.rows.line(text))

    def output(self, name: str, text: str, complete: bool) -> None:
        self.feed(self.rows.output(OutputLine(NAMES.index(name), f"{name} | ", text, complete)))

    def settle(self) -> list[str]:
        self.feed(self.rows.settle())
        return self.terminal.text

    def feed(self, printed: str) -> None:
        self.terminal.feed(printed.replace("\n", "\r\n").encode())  # as the terminal's driver does


@pytest.fixture
def shown(request: pytest.FixtureRequest) -> Iterator[Shown]:
    it = Shown(*getattr(request, "param", ()))
    yield it
    it.close()


def test_prompt_is_completed_in_place(shown: Shown) -> None:
    shown.output("web", "Continue? [y/N] ", complete=False)
    assert shown.settle() == ["web | Continue? [y/N]"]
    assert shown.terminal.row == "web | Continue? [y/N] "
    shown.output("web", "Continue? [y/N] yes", complete=True)
    shown.output("web", "going on", complete=True)
    assert shown.settle() == ["web | Continue? [y/N] yes", "web | going on"]
    assert shown.rows.settle() == ""


def test_progress_bar_is_drawn_over_itself_below_what_others_print(shown: Shown) -> None:
    for percent in range(0, 100, 5):
        shown.output("web", f"{'#' * (percent // 5)} {percent}%", complete=False)
        if percent % 20 == 0:
            shown.output("a", f"at {percent}", complete=True)
        shown.settle()
    shown.line("12:00:00  task  web  stopping")
    assert shown.settle() == [
        *(f"a | at {percent}" for percent in range(0, 100, 20)),
        "12:00:00  task  web  stopping",
        "web | ################### 95%",
    ]
    shown.output("web", "done", complete=True)
    assert shown.settle()[-1] == "web | done"
    assert "95%" not in "".join(shown.terminal.text)


def test_unfinished_lines_of_several_runs_have_a_row_each(shown: Shown) -> None:
    shown.output("a", "1%", complete=False)
    shown.output("web", "password:", complete=False)
    shown.settle()
    shown.output("a", "2%", complete=False)
    shown.output("long-name", "9 %", complete=False)
    shown.output("long-name", "above", complete=True)
    shown.output("long-name", "10 %", complete=False)
    assert shown.settle() == ["long-name | above", "a | 2%", "web | password:", "long-name | 10 %"]
    shown.output("web", "password: ok", complete=True)
    assert shown.settle() == ["long-name | above", "web | password: ok", "a | 2%", "long-name | 10 %"]
    shown.output("a", "", complete=False)
    assert shown.settle() == ["long-name | above", "web | password: ok", "long-name | 10 %"]
    shown.feed(shown.rows.leave())
    shown.feed("the shell's\n")
    assert shown.terminal.text == [
        "long-name | above",
        "web | password: ok",
        "long-name | 10 %",
        "the shell's",
    ]


@pytest.mark.parametrize("shown", [(20, 10), (7, 10), (3, 10), (1, 10)], indirect=True)
@pytest.mark.parametrize("text", ["x" * 30 + "END", "\x1b[31m" + "日本語" * 10 + "END\x1b[0m"])
def test_line_that_is_wider_than_the_terminal_is_shown_by_its_end(shown: Shown, text: str) -> None:
    shown.line("before")
    before, after = len(shown.settle()), [""]
    for _ in range(3):
        shown.output("a", text, complete=False)
        shown.output("a", f"{text}.", complete=False)
        after = shown.settle()
        if shown.terminal.columns > 6:
            assert len(after) == before + 1
            assert len("".join(after[-1])) < shown.terminal.columns
    if shown.terminal.columns == 20:
        assert after[-1].startswith("a | …")
        assert after[-1].endswith("END.")
    shown.output("a", text, complete=True)
    if shown.terminal.columns > 6:
        plain = re.sub("\x1b\\[[0-9]*m", "", text)
        assert "".join(shown.settle()[before:]).replace(" ", "") == f"a|{plain}"


def test_terminal_that_becomes_narrower_or_wider(shown: Shown) -> None:
    shown.line("before")
    shown.output("a", "x" * 25, complete=False)
    shown.settle()
    shown.resize(20)
    shown.output("a", "x" * 26, complete=False)
    assert shown.settle() == ["before", "a | xxxxxxxxxxxxxxxx", "a | …xxxxxxxxxxxx"]
    shown.output("web", "other", complete=True)
    assert shown.settle()[2:] == ["web | other", "a | …xxxxxxxxxxxx"]
    shown.resize(60)
    shown.output("a", "x" * 27, complete=False)
    assert shown.settle()[2:] == ["web | other", f"a | {'x' * 27}"]


def test_there_are_never_more_rows_than_the_terminal_has_room_for() -> None:
    shown = Shown(40, 6)
    for number in range(20):
        shown.feed(shown.rows.output(OutputLine(number, "web | ", f"{number}", complete=False)))
        shown.settle()
    shown.feed(shown.rows.output(OutputLine(2, "web | ", "two", complete=False)))
    assert shown.settle() == ["web | two", "web | 18", "web | 19"]
    shown.close()
    assert MOST_ROWS < 24 // 2


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(NAMES), st.text("xy日\t ", max_size=50), st.booleans()),
        st.sampled_from(["settle", "line"]),
    ),
    max_size=30,
)


@given(events=EVENTS, columns=st.integers(18, 60))
def test_terminal_shows_each_line_once_in_order_and_then_the_unfinished_ones(
    events: list[tuple[str, str, bool] | str], columns: int
) -> None:
    shown = Shown(columns)
    expected = Terminal(columns)
    unfinished: dict[str, str] = {}
    for event in events:
        if event == "settle":
            shown.settle()
        elif isinstance(event, str):
            shown.line("a notice")
            expected.feed(b"a notice\r\n")
        else:
            name, text, complete = event
            shown.output(name, text, complete)
            if complete or not text:
                unfinished.pop(name, None)
            else:
                unfinished[name] = text
            if complete:
                expected.feed(f"{name} | {text}\r\n".encode())
    rows = [f"{name} | {text}".replace("\t", " ") for name, text in unfinished.items()]
    printed = shown.settle()
    shown.close()

    assert printed[: len(printed) - len(rows)] == expected.text
    for row, wanted in zip(printed[len(printed) - len(rows) :], rows, strict=True):
        assert cells(row) < columns
        name, text = wanted.split(" | ", 1)
        assert row == wanted.rstrip() or (
            row.startswith(f"{name} | …") and text.rstrip().endswith(row.split("…")[1])
        )


def appended(*lines: tuple[str, str, bool] | str) -> str:
    it = AppendedLines()
    printed = ""
    for line in lines:
        if isinstance(line, str):
            printed += it.line(line)
        else:
            printed += it.output(OutputLine(NAMES.index(line[0]), f"{line[0]} | ", *line[1:])) + it.settle()
    return printed + it.leave()


@pytest.mark.parametrize(
    ("lines", "printed"),
    [
        ([("a", "ask? ", False), ("a", "ask? yes", True)], "a | ask? yes\n"),
        ([("a", "ask? ", False), ("a", "ask? ye", False), ("a", "ask? yes", True)], "a | ask? yes\n"),
        ([("a", "ask? ", False)], "a | ask? \n"),
        ([("a", "ask? ", False), "note", ("a", "ask? yes", True)], "a | ask? \nnote\na | … yes\n"),
        ([("a", "ask?", False), "note", ("a", "ask?", True), "more"], "a | ask?\nnote\nmore\n"),
        (
            [("a", "1", False), ("web", "2", False), ("a", "13", False), ("web", "24", True)],
            "a | 1\nweb | 2\na | … 3\nweb | … 4\n",
        ),
        ([("a", "10%", False), ("a", "20%", False), ("a", "done", True)], "a | 10%\na | 20%\na | done\n"),
        ([("a", "10%", False), ("a", "", False), ("a", "10%", True)], "a | 10%\na | 10%\n"),
        ([("a", "", True), ("a", "x", True)], "a | \na | x\n"),
    ],
)
def test_file_gets_what_has_come_behind_what_it_has(
    lines: list[tuple[str, str, bool] | str], printed: str
) -> None:
    assert appended(*lines) == printed


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.text("xyz", min_size=1, max_size=3), st.booleans())))
def test_file_holds_every_character_once(more: list[tuple[str, str, bool]]) -> None:
    now = dict.fromkeys(NAMES, "")
    printed = dict.fromkeys(NAMES, "")
    lines: list[tuple[str, str, bool] | str] = []
    for name, text, complete in more:
        lines.append((name, now[name] + text, complete))
        now[name] = "" if complete else now[name] + text
        printed[name] += text
    found = dict.fromkeys(NAMES, "")
    for line in appended(*lines).splitlines():
        name, _, text = line.partition(" | ")
        found[name] += text.removeprefix("… ")
    assert found == printed


def test_terminal_that_can_do_no_more_than_a_file_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Shown()
    out = Stream(shown._file)
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(screen_for(out), LiveRows)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(screen_for(out), AppendedLines)
    monkeypatch.delenv("TERM")
    assert isinstance(screen_for(out), AppendedLines)
    shown.close()


def test_text_is_cut_by_columns_and_keeps_its_colours() -> None:
    assert fitted("abc", 3) == ("abc", 3)
    assert fitted("abcd", 3) == ("…cd", 3)
    assert fitted("\x1b[31mab\x1b[32mcd\x1b[0m", 3) == ("…\x1b[31m\x1b[32mcd\x1b[0m", 3)
    assert fitted("日本語", 4) == ("…語", 3)
    assert fitted("abc", 1) == ("…", 1)
