"""What a terminal would answer is left out of old output, and all else stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.terminals.terminal_queries import without_queries
from tests.terminals.recorded_session import PROGRAMS, load
from tests.terminals.sent import RUBBISH, SENT
from tests.terminals.tmux_terminal import TmuxTerminal, needs_tmux

QUERIES = [
    b"\x05", b"\x1bZ", b"\x1b[c", b"\x1b[0c", b"\x1b[>c", b"\x1b[>0c", b"\x1b[=c", b"\x1b[5n", b"\x1b[6n",
    b"\x1b[?6n", b"\x1b[?15n", b"\x1b[?996n", b"\x1b[x", b"\x1b[1x", b"\x1b[?2004$p", b"\x1b[4$p", b"\x1b[>q",
    b"\x1b[>0q", b"\x1b[?u", b"\x1b[?4m", b"\x1b[11t", b"\x1b[14t", b"\x1b[14;2t", b"\x1b[18t", b"\x1b[21t",
    b"\x1b[?1;1;0S", b"\x1b[1;1;1;1;2;2*y", b"\x1b[1$w", b"\x1b[1$u", b"\x1b['|", b"\x1b[#R", b"\x1b]4;1;?\x07",
    b"\x1b]4;1;rgb:0/0/0;2;?\x1b\\", b"\x1b]10;?\x07", b"\x1b]11;?\x1b\\", b"\x1b]10;?;?\x07", b"\x1b]12;?\x07",
    b"\x1b]52;c;?\x07", b"\x1b]50;?\x07", b"\x1b]60\x07", b"\x1b]1337;ReportCellSize\x07",
    b"\x1b]21;foreground=?\x07", b"\x1b]99;i=1:p=?;\x07", b"\x1bP$qm\x1b\\", b"\x1bP+q544e\x1b\\",
    b"\x1b_Gi=1,a=q;AAAA\x1b\\", b"\x1b[?2048h", b"\x1b[?1004h", "\x9b6n".encode(), "\x9d11;?\x9c".encode(),
    "\x90$qm\x9c".encode(), "\x9a".encode(),
]  # fmt: skip
NO_QUERIES = [
    b"\x1b[1;31m", b"\x1b[?25h", b"\x1b[?1049h", b"\x1b[2 q", b"\x1b[!p", b"\x1b[62;1\"p", b"\x1b[22;0t",
    b"\x1b[23;0t", b"\x1b[8;24;80t", b"\x1b[u", b"\x1b[>1u", b"\x1b[<u", b"\x1b[=5;1u", b"\x1b[3S",
    b"\x1b[>4;2m", b"\x1b]0;who? me\x07", b"\x1b]2;?\x07", b"\x1b]8;;http://a/?b=?\x1b\\",
    b"\x1b]11;rgb:00/00/00\x07", b"\x1b]52;c;aGk=\x07", b"\x1b]7;file:///a?b\x07", b"\x1b]133;A\x07",
    b"\x1bPq#0;2;0;0;0~-\x1b\\", b"\x1b[>4n", b"\x1b[?1004l", b"\x1b[4h", b"\xc3\xa9\xc2\xa0", b"\xff\xfe\x9b",
    b"\x1b7\x1b8", b"\x1b(0q\x1b(B",
]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
def test_query_is_left_out_whatever_stands_around_it(query: bytes) -> None:
    assert without_queries(query) == b""
    assert without_queries(b"one" + query + b"two" + query) == b"onetwo"
    assert without_queries(b"\x1b[31m" + query + b"\r\n" + query) == b"\x1b[31m\r\n"


@pytest.mark.parametrize("sequence", NO_QUERIES)
def test_what_is_no_query_stays(sequence: bytes) -> None:
    assert without_queries(b"one" + sequence + b"two") == b"one" + sequence + b"two"


def test_controls_within_a_query_are_obeyed() -> None:
    assert without_queries(b"one\x1b[\r\n6\x08n") == b"one\r\n\x08"


@pytest.mark.parametrize(
    ("data", "rest"),
    [
        (b"\x1b[3\x1b[6n1mx", b"\x1b[3\x181mx"),
        (b"\x1b\x1b[c[6n", b"\x1b\x18[6n"),
        (b"\x1b]0;title\x1b[cx\x07", b"\x1b]0;title\x1b\\x\x07"),
        (b"\x1b]0;title\x1b[31mx\x07", b"\x1b]0;title\x1b\\\x1b[31mx\x07"),
        (b"\xc2\x1b[c\x9b6n", b"\xc2\x18\x9b6n"),
    ],
)
def test_query_that_broke_something_off_leaves_it_broken_off(data: bytes, rest: bytes) -> None:
    assert without_queries(data) == rest


@pytest.mark.parametrize(
    "unfinished", [b"\x1b", b"\x1b[", b"\x1b[6", b"\x1b]11;?", b"\x1bP$qm\x1b", b"\xe2\x94"]
)
def test_unfinished_end_stays_for_what_comes_live(unfinished: bytes) -> None:
    assert without_queries(b"text" + unfinished) == b"text" + unfinished


def test_modes_that_report_at_once_are_taken_out_of_their_sequence() -> None:
    assert without_queries(b"\x1b[?1002;1004;2048;1006h") == b"\x1b[?1002;1006h"
    focus = b"\x1b[?1004h"
    assert without_queries(focus + b"a" + focus + b"b", keep_focus=True) == b"a" + focus + b"b"


@given(
    st.lists(st.one_of(SENT, RUBBISH, st.sampled_from(QUERIES), st.sampled_from(QUERIES)), max_size=12).map(
        b"".join
    )
)
@settings(max_examples=200, deadline=None)
def test_nothing_is_left_that_would_be_left_out(data: bytes) -> None:
    once = without_queries(data)
    assert without_queries(once) == once


@needs_tmux
@pytest.mark.slow
def test_tmux_answers_old_output_with_nothing(tmp_path: Path) -> None:
    with TmuxTerminal(tmp_path / "t", 80, 24) as tmux:
        for name in PROGRAMS:
            data = b"".join(step for step in load(name)[1] if isinstance(step, bytes))
            if name in ("vim", "tmux"):
                assert tmux.feed(data) != b""
            tmux.clear()
            assert tmux.feed(without_queries(data)) == b""
            tmux.clear()
        for query in QUERIES:
            assert tmux.feed(without_queries(b"a" + query + b"b")) == b""
